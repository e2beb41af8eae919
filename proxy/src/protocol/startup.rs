//! The startup packet: what the proxy reads in it, and the one place where it rewrites what a client sent.
//!
//! Order, duplicates, unknown names and raw bytes are kept; the encoding of the values is not known yet.
//! Manual, "`StartupMessage`"; `ProcessStartupPacket` in `src/backend/tcop/backend_startup.c`.

use super::opening::MAX_PACKET_BYTES;
use super::{LENGTH_FIELD_BYTES, options};

/// The setting that carries the session's context; nobody but the proxy may send it.
pub(crate) const CONTEXT_SETTING: &str = "pgtrack.ctx";

/// The setting that says in which schemas names without one are looked for.
const SEARCH_PATH: &[u8] = b"search_path";

/// The only major version whose layout is known.
const MAJOR_VERSION: [u8; 2] = [0, 3];

/// A well-formed startup packet of protocol 3.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Startup<'a> {
    version: [u8; 4],
    /// `name NUL value NUL …`, without the terminator of the packet.
    parameters: &'a [u8],
}

impl<'a> Startup<'a> {
    /// Reads a whole packet. `None` when the layout is not understood: the server will say what is wrong with it.
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Self> {
        let (_length, rest) = packet.split_first_chunk::<4>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (0, parameters) = rest.split_last()? else { return None };
        let startup = Self { version: *version, parameters };
        let mut parameters = startup.parameters();
        // An empty name would end the packet early.
        let are_named = parameters.by_ref().all(|(name, _)| !name.is_empty());
        let is_understood =
            version.starts_with(&MAJOR_VERSION) && are_named && parameters.rest.is_empty();
        is_understood.then_some(startup)
    }

    /// The parameters in order, as they are.
    pub(crate) fn parameters(&self) -> Parameters<'a> {
        Parameters { rest: self.parameters }
    }

    /// The database to connect to: by default, that of the user's name.
    pub(crate) fn database(&self) -> Option<&'a [u8]> {
        self.last(b"database").filter(|name| !name.is_empty()).or_else(|| self.user())
    }

    /// The role to connect as.
    pub(crate) fn user(&self) -> Option<&'a [u8]> {
        self.last(b"user")
    }

    /// Whether the session will speak the replication protocol.
    pub(crate) fn is_replication(&self) -> bool {
        self.last(b"replication").is_some_and(|value| !is_false(value))
    }

    /// Whether the client itself says the name of the context setting, in whatever way. If so, an error that
    /// says it, too, may be an answer to that.
    pub(crate) fn mentions_context(&self) -> bool {
        let unescaped: Vec<u8> =
            self.stripped().into_iter().filter(|byte| *byte != b'\\').collect();
        let setting = CONTEXT_SETTING.as_bytes();
        unescaped.windows(setting.len()).any(|window| window.eq_ignore_ascii_case(setting))
    }

    /// Whether the session begins with `pgtrack` on its `search_path`.
    pub(crate) fn sets_path(&self) -> bool {
        self.parameters().any(|(name, value)| match name {
            b"options" => options::values(value, SEARCH_PATH).iter().any(|path| has_schema(path)),
            name => name.eq_ignore_ascii_case(SEARCH_PATH) && has_schema(value),
        })
    }

    /// The packet without any context that the client made up, and otherwise as it came.
    pub(crate) fn stripped(&self) -> Vec<u8> {
        self.rebuilt(None)
    }

    /// The stripped packet with `context` as its last parameter, which is the one that counts.
    /// `None` when the server would refuse it for its length.
    pub(crate) fn with_context(&self, context: &str) -> Option<Vec<u8>> {
        Some(self.rebuilt(Some(context))).filter(|packet| packet.len() <= MAX_PACKET_BYTES as usize)
    }

    fn rebuilt(&self, context: Option<&str>) -> Vec<u8> {
        let setting = CONTEXT_SETTING.as_bytes();
        let mut body = self.version.to_vec();
        let mut push = |name: &[u8], value: &[u8]| {
            for string in [name, value] {
                body.extend_from_slice(string);
                body.push(0);
            }
        };
        for (name, value) in self.parameters() {
            if name == b"options" {
                push(name, &options::without_setting(value, setting));
            } else if !name.eq_ignore_ascii_case(setting) {
                push(name, value);
            }
        }
        if let Some(context) = context {
            push(setting, context.as_bytes());
        }
        body.push(0);
        let length =
            u32::try_from(body.len()).unwrap_or(u32::MAX).saturating_add(LENGTH_FIELD_BYTES);
        [length.to_be_bytes().as_slice(), &body].concat()
    }

    /// The value that counts: the server takes the last of several. These names are case-sensitive.
    fn last(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.parameters().filter(|(each, _)| *each == name).last().map(|(_, value)| value)
    }
}

/// Iterates over the parameters of a startup packet; stops at the first incomplete one.
#[derive(Debug, Clone)]
pub(crate) struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = split_string(self.rest)?;
        let (value, rest) = split_string(rest)?;
        self.rest = rest;
        Some((name, value))
    }
}

/// Whether a `search_path` names our schema.
fn has_schema(path: &[u8]) -> bool {
    path.windows(7).any(|window| window.eq_ignore_ascii_case(b"pgtrack"))
}

/// Takes a NUL-terminated string off the front.
fn split_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (string, rest) = bytes.split_at_checked(end)?;
    Some((string, rest.get(1..)?))
}

/// The spellings of false in `parse_bool` (`src/backend/utils/adt/bool.c`).
fn is_false(value: &[u8]) -> bool {
    let is_prefix_of = |word: &[u8], shortest| {
        value.len() >= shortest
            && word.get(..value.len()).is_some_and(|start| start.eq_ignore_ascii_case(value))
    };
    is_prefix_of(b"false", 1) || is_prefix_of(b"no", 1) || is_prefix_of(b"off", 2) || value == b"0"
}

#[cfg(test)]
mod tests;
