//! The record of one statement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::judgement::{Judgement, RecordedCall};

/// A statement, with what the server made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// The text that the client sent; `None` if it is not known (a prepared statement that was forgotten for lack of
    /// room, a cursor, a function call).
    pub text: Option<StatementText>,
    /// For `EXECUTE name` in SQL: the text that prepared it, if known.
    pub prepared: Option<StatementText>,
    /// How it was sent.
    pub source: Source,
    /// When the server could begin: it was sent, and what was sent before it was answered.
    pub started: Instant,
    /// How long the server took, without the time in which a suspended portal waited for its client.
    pub duration: Duration,
    /// The calls in it that were recorded before it was forwarded.
    pub calls: Option<Arc<[RecordedCall]>>,
    /// What came of it.
    pub outcome: Outcome,
}

/// How a statement was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a `Query` message, as its statement of this number (from 0).
    Simple {
        /// The number.
        index: u32,
    },
    /// With `Parse`, `Bind` and `Execute`.
    Extended {
        /// The portal; empty for the unnamed one.
        portal: Box<[u8]>,
        /// How many parameters were bound.
        parameters: u16,
    },
    /// A `FunctionCall` of the function with this OID.
    FunctionCall {
        /// The OID.
        function: u32,
    },
    /// The end of an implicit transaction at `Sync`: what was completed before it is undone if this fails.
    Commit,
}

/// What came of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was completed.
    Completed {
        /// The command tag as the server sent it; empty for a function call.
        tag: Box<str>,
        /// How many rows it returned or changed, for commands that say so.
        rows: Option<u64>,
    },
    /// There was no statement in the text.
    Empty,
    /// It failed, while it was parsed, bound or run.
    Failed {
        /// The SQLSTATE.
        sqlstate: [u8; 5],
    },
    /// The server ignored it, because of an error before it in the same pipeline.
    Skipped,
    /// Its portal was given up before its last row.
    Suspended {
        /// The rows that it had returned.
        rows: u64,
    },
    /// The session ended before the answer came: it may have been executed or not.
    Unanswered,
}

/// The text of a statement, of which a long one is kept only in part. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementText {
    /// Its beginning, in the session's encoding.
    pub head: Arc<[u8]>,
    /// Its full length in bytes. For a long text in a `Parse` message, the types of parameters are counted in.
    pub bytes: u64,
    /// What it will do, if that matters.
    pub judgement: Option<Arc<Judgement>>,
    /// The types of its parameters, where client or server said them: `pg_type.oid`.
    pub types: Option<Arc<[u32]>>,
}

impl StatementText {
    /// Whether it was of no interest, so that only its length was kept.
    pub(super) fn is_forgotten(&self) -> bool {
        self.head.is_empty() && self.judgement.is_none()
    }

    /// Whether all of it is in `head`.
    pub fn is_complete(&self) -> bool {
        self.head.len() as u64 == self.bytes
    }
}
