//! Who is behind a session: the value that the proxy sends upstream as the setting `pgtrack.ctx`.
//!
//! Version 1 is ASCII with single spaces:
//!
//! ```text
//! 1 <client address or -> <client port or -> <session id: 32 hex digits>
//! 1 203.0.113.7 54321 9f86d081884c7d659a2feaa0c55ad015
//! ```
//!
//! A client can overwrite the setting with `SET`, but not its *reset value*, which is what the history
//! reads: `set_config('pgtrack.ctx', NULL, true)` sets the value of the session's start again and returns it.
//! A reader ignores fields behind those it knows, so later versions may append some.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// The context of one session; its `Display` form goes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionContext {
    /// Where the client connected from; `None` for a unix socket.
    pub client: Option<SocketAddr>,
    /// Names the session in the history and in the proxy's log.
    pub session: SessionId,
}

/// A random name for a session, unique over all proxies.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// Makes one up.
    ///
    /// # Errors
    /// When the operating system has no random numbers.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for SessionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.client {
            // An IPv4 client of a dual-stack listener is shown as what it is.
            Some(client) => write!(f, "1 {} {}", client.ip().to_canonical(), client.port())?,
            None => f.write_str("1 - -")?,
        }
        write!(f, " {}", self.session)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::{SessionContext, SessionId};

    #[test]
    fn version_1_has_four_fields() {
        let session = SessionId(std::array::from_fn(|index| u8::try_from(index * 17).unwrap()));
        for (client, address) in [
            (Some("203.0.113.7:54321"), "203.0.113.7 54321"),
            (Some("[2001:db8::1]:5"), "2001:db8::1 5"),
            (Some("[::ffff:203.0.113.7]:5"), "203.0.113.7 5"),
            (None, "- -"),
        ] {
            let client = client.map(|address| address.parse().unwrap());
            let context = SessionContext { client, session }.to_string();
            assert_eq!(context, format!("1 {address} 00112233445566778899aabbccddeeff"));
        }
    }

    #[test]
    fn session_ids_differ() {
        assert_ne!(SessionId::random().unwrap(), SessionId::random().unwrap());
    }
}
