//! What a client sends, as far as it is answered; manual, "Message Formats".

use std::sync::Arc;
use std::time::Instant;

use super::bound::{self, Bound};
use super::capture::Captured;
use super::executed::StatementText;
use super::judgement::RecordedCall;
use super::observation::Limits;
use crate::protocol::frontend;

/// The name of a prepared statement or a portal; empty for the unnamed one.
pub(super) type Name = Box<[u8]>;

/// What was done about a message before it was forwarded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errand {
    pub(crate) calls: Option<Arc<[RecordedCall]>>,
    pub(crate) refusal: Option<Arc<[u8]>>,
}

impl Errand {
    /// Nearly always, nothing was done.
    pub(super) fn if_any(self) -> Option<Box<Self>> {
        (self.calls.is_some() || self.refusal.is_some()).then(|| Box::new(self))
    }
}

/// The calls of an errand.
pub(super) fn calls(errand: Option<&Errand>) -> Option<&Arc<[RecordedCall]>> {
    errand?.calls.as_ref()
}

/// A message that the server answers, in the order of sending.
#[derive(Debug)]
pub(super) enum Request {
    Query {
        /// `None` if it is of no interest.
        text: Option<StatementText>,
        sent: Instant,
        errand: Option<Box<Errand>>,
    },
    Parse {
        statement: Name,
        /// `None` if it is of no interest.
        text: Option<StatementText>,
        sent: Instant,
    },
    Bind {
        portal: Name,
        statement: Name,
        parameters: u16,
        /// What goes into the record of a call, if the statement has one.
        values: Option<Arc<Bound>>,
        sent: Instant,
    },
    /// Of a statement, if its name is of interest.
    Describe(Option<Name>),
    Execute {
        portal: Name,
        sent: Instant,
        errand: Option<Box<Errand>>,
    },
    CloseStatement(Name),
    ClosePortal(Name),
    FunctionCall {
        function: u32,
        sent: Instant,
        errand: Option<Box<Errand>>,
    },
    Sync {
        sent: Instant,
    },
    /// `CopyDone` or `CopyFail`. Not answered, but it ends the time in which the server ignores `Sync`.
    CopyEnd,
}

impl Request {
    /// Reads a message of which the body has passed; `None` for one without an answer, or that makes no sense.
    /// Of the texts, those that are of interest are kept.
    pub(super) fn read(
        message: &Captured<'_>,
        sent: Instant,
        is_of_interest: impl FnOnce(&[u8], bool) -> bool,
    ) -> Option<Self> {
        let head = message.head.as_ref();
        Some(match message.tag {
            frontend::QUERY => Self::Query {
                text: text(head, message.body_bytes, is_of_interest),
                sent,
                errand: None,
            },
            frontend::PARSE => {
                let (statement, rest) = name(head)?;
                let before = u32::try_from(statement.len()).ok()?.saturating_add(1);
                Self::Parse {
                    statement,
                    text: text(rest, message.body_bytes.saturating_sub(before), is_of_interest),
                    sent,
                }
            }
            frontend::BIND => {
                let (portal, rest) = name(head)?;
                let (statement, rest) = name(rest)?;
                Self::Bind { portal, statement, parameters: parameters(rest)?, values: None, sent }
            }
            frontend::EXECUTE => Self::Execute { portal: name(head)?.0, sent, errand: None },
            frontend::CLOSE => match head.split_first()? {
                (b'P', rest) => Self::ClosePortal(name(rest)?.0),
                (_, rest) => Self::CloseStatement(name(rest)?.0),
            },
            frontend::DESCRIBE => Self::Describe(match head.split_first() {
                Some((b'S', rest)) => name(rest).map(|(name, _)| name),
                _ => None,
            }),
            frontend::FUNCTION_CALL => Self::FunctionCall {
                function: u32::from_be_bytes(*head.first_chunk()?),
                sent,
                errand: None,
            },
            frontend::SYNC => Self::Sync { sent },
            COPY_DONE | COPY_FAIL => Self::CopyEnd,
            _ => return None,
        })
    }

    /// Whether the server ends its answer with `ReadyForQuery`.
    pub(super) fn is_answered_by_ready(&self) -> bool {
        matches!(self, Self::Query { .. } | Self::FunctionCall { .. } | Self::Sync { .. })
    }

    /// What the client is told instead, if it was spoiled on its way so that the server refuses it.
    pub(super) fn refusal(&self) -> Option<&Arc<[u8]>> {
        match self {
            Self::Query { errand, .. }
            | Self::Execute { errand, .. }
            | Self::FunctionCall { errand, .. } => errand.as_ref()?.refusal.as_ref(),
            _ => None,
        }
    }

    /// The memory of the text that it holds.
    pub(super) fn text_bytes(&self) -> usize {
        match self {
            Self::Query { text: Some(text), .. } | Self::Parse { text: Some(text), .. } => {
                text.head.len()
            }
            _ => 0,
        }
    }
}

/// How much of a `Bind` message is kept that may be the call of a function.
const BIND_BYTES: usize = 64 * 1024;

const COPY_DONE: u8 = b'c';
const COPY_FAIL: u8 = b'f';

/// What a `Bind` message gives to its statement.
pub(super) fn bound(message: &Captured<'_>) -> Option<Bound> {
    let (_, rest) = name(message.head.as_ref())?;
    Bound::read(name(rest)?.1)
}

/// How much of a body is of interest; more if a text has mattered.
pub(super) fn interest(tag: u8, limits: &Limits, has_judged: bool) -> Option<usize> {
    let Limits { text_bytes, name_bytes, .. } = *limits;
    match tag {
        frontend::QUERY => Some(text_bytes.saturating_add(1)),
        frontend::PARSE => Some(text_bytes.saturating_add(name_bytes)),
        frontend::BIND if has_judged => Some(BIND_BYTES),
        frontend::DESCRIBE if has_judged => Some(name_bytes),
        // Two names, and the counts behind them.
        frontend::BIND => Some(name_bytes.saturating_mul(2).saturating_add(8)),
        frontend::EXECUTE | frontend::CLOSE => Some(name_bytes),
        frontend::FUNCTION_CALL => Some(4),
        frontend::DESCRIBE | frontend::SYNC | COPY_DONE | COPY_FAIL => Some(0),
        _ => None,
    }
}

/// Splits a name from what follows it.
fn name(bytes: &[u8]) -> Option<(Name, &[u8])> {
    let end = memchr::memchr(0, bytes)?;
    Some((bytes.get(..end)?.into(), bytes.get(end.saturating_add(1)..)?))
}

/// Reads a text of which the terminator may be missing because it is too far away.
fn text(
    bytes: &[u8],
    field_bytes: u32,
    is_of_interest: impl FnOnce(&[u8], bool) -> bool,
) -> Option<StatementText> {
    let end = memchr::memchr(0, bytes);
    let head = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
    is_of_interest(head, end.is_some()).then(|| StatementText {
        bytes: end.map_or(u64::from(field_bytes).saturating_sub(1), |end| end as u64),
        head: head.into(),
        judgement: None,
        // In a `Parse` message they follow.
        types: end.and_then(|end| bound::types(bytes.get(end.saturating_add(1)..)?)),
    })
}

/// The number of parameters, behind the names in `Bind`.
fn parameters(bytes: &[u8]) -> Option<u16> {
    let (formats, rest) = bytes.split_first_chunk()?;
    match u16::from_be_bytes(*formats) {
        0 => rest.first_chunk().map(|count| u16::from_be_bytes(*count)),
        1 => rest.get(2..)?.first_chunk().map(|count| u16::from_be_bytes(*count)),
        // One format for each parameter; their number is repeated behind them.
        each => Some(each),
    }
}
