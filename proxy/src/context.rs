//! Who is behind a session: the value that the proxy sends upstream as the setting `pgtrack.ctx`.
//!
//! Version 2 is ASCII with single spaces:
//!
//! ```text
//! 2 <client address or -> <client port or -> <session id: 32 hex digits> <moment> <signature: 64 hex digits>
//! 2 203.0.113.7 54321 9f86d081884c7d659a2feaa0c55ad015 1767225600123 c3d1…
//! ```
//!
//! The moment is when the proxy had its connection, in milliseconds since 1970 by the clock of the server.
//! The signature is HMAC-SHA-256 ([RFC 2104]) over the fields before it and the address and port that the server sees
//! the proxy's connection come from (`- 0` for a unix socket). So a copy is worth nothing on another connection: the
//! server compares address and port, and the moment with the time at which the session began. Both are
//! left out until the database's key is known; the history then shows the session as a direct one.
//!
//! [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
//!
//! A client can overwrite the setting with `SET`, but not its *reset value*, which is what the history
//! reads: `set_config('pgtrack.ctx', NULL, true)` sets the value of the session's start again and returns it.
//! What is recorded is the context alone: `2 <client address> <client port> <session id>`.

use std::fmt::{self, Write as _};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

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
    /// The form that goes on the wire to a server that sees us as `own_address`, over a connection that is there since
    /// `connected`.
    pub(crate) fn signed(
        &self,
        key: Option<&SigningKey>,
        own_address: Option<SocketAddr>,
        connected: Instant,
    ) -> String {
        let Some(key) = key else { return self.to_string() };
        let text = format!("{self} {}", key.clock.unix_millis(connected));
        let seen = match own_address {
            Some(address) => format!("{text} {} {}", address.ip().to_canonical(), address.port()),
            None => format!("{text} - 0"),
        };
        format!("{text} {}", key.sign(seen.as_bytes()))
    }
}

/// What the addresses of a database's clients are signed with.
#[derive(Clone)]
pub struct SigningKey {
    mac: Hmac<Sha256>,
    clock: ServerClock,
}

/// The clock of a server, as it was read once. That of this machine may say something else, and may be set.
#[derive(Debug, Clone, Copy)]
pub struct ServerClock {
    unix_millis: i64,
    read: Instant,
}

impl ServerClock {
    /// It said this many milliseconds since 1970 at the moment `read`.
    pub fn new(unix_millis: i64, read: Instant) -> Self {
        Self { unix_millis, read }
    }

    /// What it says at a moment.
    fn unix_millis(&self, at: Instant) -> i64 {
        let millis = |from: Instant, to: Instant| {
            i64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(i64::MAX)
        };
        self.unix_millis.saturating_add(millis(self.read, at)).saturating_sub(millis(at, self.read))
    }
}

impl SigningKey {
    /// A key of any length; that of the database is 32 random bytes.
    pub fn new(key: &[u8], clock: ServerClock) -> Self {
        let mut block = [0; 64];
        if key.len() <= block.len() {
            block[..key.len()].copy_from_slice(key);
        } else {
            block[..32].copy_from_slice(&Sha256::digest(key));
        }
        Self { mac: Hmac::new(&block.into()), clock }
    }

    /// In hexadecimal digits.
    fn sign(&self, message: &[u8]) -> String {
        let code = self.mac.clone().chain_update(message).finalize().into_bytes();
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
            Some(client) => write!(f, "2 {} {}", client.ip().to_canonical(), client.port())?,
            None => f.write_str("2 - -")?,
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
    use std::time::{Duration, Instant};

    use super::{ServerClock, SessionContext, SessionId, SigningKey};

    #[test]
    fn a_signature_is_over_the_context_the_connection_and_the_server_s_time() {
        let now = Instant::now();
        let key = SigningKey::new(&[0x0b; 20], ServerClock::new(1_000_000, now));
        // RFC 4231, test case 1.
        assert_eq!(
            key.sign(b"Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );

        let session = SessionId([0; 16]);
        let context = SessionContext { client: None, session };
        assert_eq!(context.signed(None, None, now), context.to_string());
        let [here, there] = ["127.0.0.1:5000", "127.0.0.1:5001"];
        let sign = |address: &str, at| context.signed(Some(&key), address.parse().ok(), at);
        let later = now + Duration::from_millis(2500);
        let signed = sign(here, now);
        assert!(signed.starts_with(&format!("{context} 1000000 ")), "{signed}");
        assert_eq!(signed, sign(here, now));
        assert_ne!(signed, sign(there, now));
        assert!(sign(here, later).starts_with(&format!("{context} 1002500 ")));
        let signature = |signed: String| signed.rsplit(' ').next().unwrap().to_owned();
        assert_ne!(signature(signed), signature(sign(here, later)));
    }

    #[test]
    fn the_server_s_clock_runs_in_both_directions() {
        let now = Instant::now() + Duration::from_mins(1);
        let clock = ServerClock::new(5_000, now);
        assert_eq!(clock.unix_millis(now + Duration::from_secs(2)), 7_000);
        assert_eq!(clock.unix_millis(now.checked_sub(Duration::from_secs(2)).unwrap()), 3_000);
    }

    #[test]
    fn version_2_has_four_fields_before_the_signature() {
        let session = SessionId(std::array::from_fn(|index| u8::try_from(index * 17).unwrap()));
        for (client, address) in [
            (Some("203.0.113.7:54321"), "203.0.113.7 54321"),
            (Some("[2001:db8::1]:5"), "2001:db8::1 5"),
            (Some("[::ffff:203.0.113.7]:5"), "203.0.113.7 5"),
            (None, "- -"),
        ] {
            let client = client.map(|address| address.parse().unwrap());
            let context = SessionContext { client, session }.to_string();
            assert_eq!(context, format!("2 {address} 00112233445566778899aabbccddeeff"));
        }
    }

    #[test]
    fn session_ids_differ() {
        assert_ne!(SessionId::random().unwrap(), SessionId::random().unwrap());
    }
}
