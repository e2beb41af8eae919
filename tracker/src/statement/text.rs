//! A text as a session sends it.

use std::borrow::Cow;
use std::sync::Arc;

use super::ClientEncoding;

/// The bytes of a text and how the session means them. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text {
    /// The bytes, without the terminating 0.
    pub bytes: Arc<[u8]>,
    /// The session's `client_encoding`.
    pub encoding: ClientEncoding,
    /// The session's `standard_conforming_strings`: whether `\` is an ordinary character in a plain literal.
    pub standard_conforming_strings: bool,
}

impl Text {
    /// A text of a session in UTF-8 with the default settings.
    pub fn utf8(text: &str) -> Self {
        Self {
            bytes: text.as_bytes().into(),
            encoding: ClientEncoding::UTF8,
            standard_conforming_strings: true,
        }
    }

    /// The text in UTF-8; `None` if it is not in its encoding.
    pub(super) fn decoded(&self) -> Option<Cow<'_, str>> {
        self.encoding.decode(&self.bytes)
    }
}
