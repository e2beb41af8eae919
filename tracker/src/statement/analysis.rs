//! The result of looking at a text.

use super::{Call, Kind, ObjectName, Tags};
use crate::Operation;

/// What a text does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Its statements, in order; none if the text is empty or opaque.
    pub statements: Vec<Statement>,
    /// Why it was not understood.
    pub opaque: Option<Opaque>,
    /// What the application says about itself in a comment.
    pub tags: Tags,
}

/// Why a text was not understood. It may still be one that the server understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opaque {
    /// Longer than [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES).
    TooLarge,
    /// More comments are opened than [`MAX_COMMENT_OPENINGS`](super::MAX_COMMENT_OPENINGS).
    TooManyComments,
    /// It contains a byte 0.
    Nul,
    /// It is not in the encoding that the session has announced.
    Encoding,
    /// The parser refuses it, with this message.
    Syntax(String),
    /// The parser failed; nothing is known.
    Failed,
}

/// One statement of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it is.
    pub kind: Kind,
    /// Its command tag without counts, as the server names it (`src/include/tcop/cmdtaglist.h`).
    pub tag: &'static str,
    /// The tables, views and table-like names that it reads, sorted.
    pub reads: Vec<ObjectName>,
    /// The tables whose rows it changes itself.
    pub writes: Vec<Write>,
    /// The functions that it names, sorted.
    pub functions: Vec<ObjectName>,
    /// Its calls of functions in the schema `pgtrack`, in the order of the text.
    pub calls: Vec<Call>,
    /// Its calls without a schema that are calls of ours if the session's `search_path` has `pgtrack`.
    pub possible_calls: Vec<Call>,
    /// It puts `pgtrack` on the session's `search_path`, or a schema there that the text does not say.
    pub sets_path: bool,
    /// It nests so deeply that only an outline is known:
    /// no arguments, and nothing about missing WHERE clauses.
    pub is_outline: bool,
}

/// Rows of a table are changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The table.
    pub table: ObjectName,
    /// How.
    pub operation: Operation,
    /// An UPDATE or DELETE that has no WHERE clause.
    pub is_unfiltered: bool,
}

impl Analysis {
    pub(super) fn opaque(why: Opaque, tags: Tags) -> Self {
        Self { statements: Vec::new(), opaque: Some(why), tags }
    }

    /// Every statement, and those that it runs: `EXPLAIN ANALYZE` runs another, `DECLARE` opens one.
    pub fn executed(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter_map(Statement::executed)
    }

    /// Roughly how much memory this takes.
    pub(super) fn weight_bytes(&self) -> usize {
        let message = match &self.opaque {
            Some(Opaque::Syntax(message)) => message.len(),
            _ => 0,
        };
        size_of::<Self>()
            + message
            + self.tags.weight_bytes()
            + self.statements.iter().map(Statement::weight_bytes).sum::<usize>()
    }
}

impl Statement {
    pub(super) fn new(kind: Kind, tag: &'static str) -> Self {
        Self {
            kind,
            tag,
            reads: Vec::new(),
            writes: Vec::new(),
            functions: Vec::new(),
            calls: Vec::new(),
            possible_calls: Vec::new(),
            sets_path: false,
            is_outline: false,
        }
    }

    /// The statement whose reads, writes and calls happen when this one is executed.
    /// `None` for `PREPARE` and a plain `EXPLAIN`, which execute nothing.
    pub fn executed(&self) -> Option<&Self> {
        match &self.kind {
            Kind::Prepare { .. } | Kind::Explain { executes: false, .. } => None,
            Kind::Explain { body, .. } | Kind::Declare { body, .. } => body.executed(),
            _ => Some(self),
        }
    }

    /// This statement, and those in it: what it prepares, explains or opens.
    pub fn with_parts(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |statement| match &statement.kind {
            Kind::Prepare { body, .. }
            | Kind::Explain { body, .. }
            | Kind::Declare { body, .. } => Some(&**body),
            _ => None,
        })
    }

    fn weight_bytes(&self) -> usize {
        let names =
            |names: &[ObjectName]| names.iter().map(ObjectName::weight_bytes).sum::<usize>();
        let body = match &self.kind {
            Kind::Prepare { body, .. }
            | Kind::Explain { body, .. }
            | Kind::Declare { body, .. } => body.weight_bytes(),
            Kind::Definition(definition) => definition.weight_bytes(),
            Kind::Set { value: Some(value), .. } => value.len(),
            _ => 0,
        };
        size_of::<Self>()
            + body
            + names(&self.reads)
            + names(&self.functions)
            + self.writes.iter().map(|write| write.table.weight_bytes() + 8).sum::<usize>()
            + self.calls.iter().chain(&self.possible_calls).map(Call::weight_bytes).sum::<usize>()
    }
}
