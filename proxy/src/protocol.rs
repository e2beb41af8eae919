//! The wire rules of the frontend/backend protocol, version 3: what the proxy reads and writes itself.
//!
//! Sans-io: bytes in, facts out. No socket, no runtime, no panic on any input, and nothing is
//! allocated by a length that a peer claims.
//! The rules are in the manual, chapter "Frontend/Backend Protocol", and in `src/backend/tcop/`.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub(crate) mod forwarded;
pub(crate) mod opening;
pub(crate) mod options;
pub(crate) mod refusal;
pub(crate) mod sasl;
pub(crate) mod scanner;
pub(crate) mod scram;
pub(crate) mod startup;

pub use opening::{Encryption, Violation};
pub use scram::ScramError;

/// Tags of the messages that a client sends; manual, "Message Formats".
pub(crate) mod frontend {
    pub(crate) const BIND: u8 = b'B';
    pub(crate) const CLOSE: u8 = b'C';
    pub(crate) const DESCRIBE: u8 = b'D';
    pub(crate) const EXECUTE: u8 = b'E';
    pub(crate) const FLUSH: u8 = b'H';
    pub(crate) const FUNCTION_CALL: u8 = b'F';
    pub(crate) const PARSE: u8 = b'P';
    /// `PasswordMessage`, and every other answer to a demand for authentication.
    pub(crate) const PASSWORD: u8 = b'p';
    pub(crate) const QUERY: u8 = b'Q';
    pub(crate) const SYNC: u8 = b'S';
}

/// Tags of the messages that a server sends; manual, "Message Formats".
pub(crate) mod backend {
    pub(crate) const BACKEND_KEY_DATA: u8 = b'K';
    pub(crate) const DATA_ROW: u8 = b'D';
    pub(crate) const ERROR_RESPONSE: u8 = b'E';
    pub(crate) const NEGOTIATE_PROTOCOL_VERSION: u8 = b'v';
    pub(crate) const READY_FOR_QUERY: u8 = b'Z';

    /// The status in `ReadyForQuery` of a session outside any transaction block.
    pub(crate) const IDLE: u8 = b'I';
}

/// The `length` field of a message counts itself, but not the tag.
pub(crate) const LENGTH_FIELD_BYTES: u32 = 4;
