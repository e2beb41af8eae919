//! What a server sends, as far as it tells what came of a request; manual, "Message Formats".

use std::sync::Arc;

use super::bound;
use super::capture::Captured;
use crate::protocol::backend;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    ParseComplete,
    BindComplete,
    CloseComplete,
    /// The last message of a description: `RowDescription` or `NoData`.
    Described,
    /// `ParameterDescription`.
    Parameters {
        types: Arc<[u32]>,
    },
    CommandComplete {
        tag: &'a [u8],
    },
    EmptyQuery,
    PortalSuspended,
    CopyIn,
    /// `CopyOutResponse`, `CopyBothResponse`, `FunctionCallResponse`: an answer has begun.
    Begun,
    Error {
        sqlstate: [u8; 5],
        is_fatal: bool,
    },
    Setting {
        name: &'a str,
        value: &'a str,
    },
    BackendKey {
        pid: i32,
    },
    Ready {
        status: u8,
    },
}

/// How much of a body is of interest: error fields come with the severity and the SQLSTATE first.
pub(super) fn interest(tag: u8) -> Option<usize> {
    match tag {
        b'C' | b'S' | b't' | backend::ERROR_RESPONSE => Some(256),
        backend::READY_FOR_QUERY => Some(1),
        backend::BACKEND_KEY_DATA => Some(4),
        b'1' | b'2' | b'3' | b'T' | b'n' | b'I' | b's' | b'G' | b'H' | b'W' | b'V' => Some(0),
        _ => None,
    }
}

impl<'a> Answer<'a> {
    pub(super) fn read(message: &'a Captured<'_>) -> Option<Self> {
        let head = message.head.as_ref();
        Some(match message.tag {
            b'1' => Self::ParseComplete,
            b'2' => Self::BindComplete,
            b'3' => Self::CloseComplete,
            b'T' | b'n' => Self::Described,
            b't' => Self::Parameters { types: bound::types(head)? },
            b'C' => Self::CommandComplete { tag: head.strip_suffix(b"\0")? },
            b'I' => Self::EmptyQuery,
            b's' => Self::PortalSuspended,
            b'G' => Self::CopyIn,
            b'H' | b'W' | b'V' => Self::Begun,
            b'S' => {
                let (name, rest) = string(head)?;
                Self::Setting { name, value: string(rest)?.0 }
            }
            backend::BACKEND_KEY_DATA => {
                Self::BackendKey { pid: i32::from_be_bytes(*head.first_chunk()?) }
            }
            backend::ERROR_RESPONSE => error(head),
            backend::READY_FOR_QUERY => Self::Ready { status: *head.first()? },
            _ => return None,
        })
    }
}

fn string(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = memchr::memchr(0, bytes)?;
    Some((str::from_utf8(bytes.get(..end)?).ok()?, bytes.get(end.saturating_add(1)..)?))
}

fn error(fields: &[u8]) -> Answer<'static> {
    let mut fields = fields.split(|byte| *byte == 0).filter_map(<[u8]>::split_first);
    let (mut sqlstate, mut is_fatal) = (*b"?????", false);
    // `V` is the severity that is not translated.
    for (code, value) in &mut fields {
        match code {
            b'V' => is_fatal = value == b"FATAL" || value == b"PANIC",
            b'C' => {
                sqlstate = value.first_chunk().copied().unwrap_or(sqlstate);
                break;
            }
            _ => {}
        }
    }
    Answer::Error { sqlstate, is_fatal }
}

/// The number of rows in a command tag: its last word, if that is a number.
pub(super) fn rows(tag: &str) -> Option<u64> {
    tag.rsplit(' ').next()?.parse().ok()
}
