//! Who is behind a session: the value that the proxy sends upstream as the setting `pgtrack.ctx`.
//!
//! Version 1 is ASCII with single spaces:
//!
//! ```text
//! 1 <client address or -> <client port or -> <session id: 32 hex digits> <signature: 64 hex digits>
//! 1 203.0.113.7 54321 9f86d081884c7d659a2feaa0c55ad015 c3d1…
//! ```
//!
//! The signature is HMAC-SHA-256 ([RFC 2104]) over the fields before it and the address and port that the server sees
//! the proxy's connection come from (`- 0` for a unix socket), so a copy is worth nothing on another connection. It is
//! left out until the database's key is known; the history then shows the session as a direct one.
//!
//! [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
//!
//! A client can overwrite the setting with `SET`, but not its *reset value*, which is what the history
//! reads: `set_config('pgtrack.ctx', NULL, true)` sets the value of the session's start again and returns it.
//! A reader ignores fields behind those it knows, so later versions may append some.

use std::fmt::{self, Write as _};
use std::io;
use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// The context of one session; its `Display` form is what goes on the wire without a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionContext {
    /// Where the client connected from; `None` for a unix socket.
    pub client: Option<SocketAddr>,
    /// Names the session in the history and in the proxy's log.
    pub session: SessionId,
}

impl SessionContext {
    /// The form that goes on the wire to a server that sees us as `own_address`.
    pub(crate) fn signed(
        &self,
        key: Option<&SigningKey>,
        own_address: Option<SocketAddr>,
    ) -> String {
        let text = self.to_string();
        let Some(key) = key else { return text };
        let seen = match own_address {
            Some(address) => format!("{text} {} {}", address.ip().to_canonical(), address.port()),
            None => format!("{text} - 0"),
        };
        format!("{text} {}", key.sign(seen.as_bytes()))
    }
}

/// What the addresses of a database's clients are signed with.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// A key of any length; that of the database is 32 random bytes.
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0; 64];
        if key.len() <= block.len() {
            block[..key.len()].copy_from_slice(key);
        } else {
            block[..32].copy_from_slice(&Sha256::digest(key));
        }
        Self(Hmac::new(&block.into()))
    }

    /// In hexadecimal digits.
    fn sign(&self, message: &[u8]) -> String {
        let code = self.0.clone().chain_update(message).finalize().into_bytes();
        code.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
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
    use super::{SessionContext, SessionId, SigningKey};

    #[test]
    fn a_signature_is_over_the_context_and_the_connection() {
        let key = SigningKey::new(&[0x0b; 20]);
        // RFC 4231, test case 1.
        assert_eq!(
            key.sign(b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );

        let session = SessionId([0; 16]);
        let context = SessionContext { client: None, session };
        assert_eq!(context.signed(None, None), context.to_string());
        let here = context.signed(Some(&key), Some("127.0.0.1:5000".parse().unwrap()));
        let there = context.signed(Some(&key), Some("127.0.0.1:5001".parse().unwrap()));
        assert!(here.starts_with(&context.to_string()) && here.len() == there.len());
        assert_ne!(here, there);
    }

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
