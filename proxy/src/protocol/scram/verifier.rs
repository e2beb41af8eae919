//! What the server keeps of a password: `pg_authid.rolpassword`.

use std::fmt;

use super::Key;
use super::messages::decode;

/// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`; manual, "`pg_authid`".
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Verifier {
    salt: Vec<u8>,
    iterations: u32,
    pub(super) stored_key: Key,
    pub(super) server_key: Key,
}

impl Verifier {
    /// Reads it. `None` for everything else that may be kept of a password, such as its MD5.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (settings, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = settings.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let key = |text| Key::try_from(decode(text)?).ok();
        Some(Self {
            salt: decode(salt)?,
            iterations: iterations.parse().ok()?,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }

    /// Whether the server has derived its own in the same way.
    pub(super) fn is_for(&self, salt: &str, iterations: u32) -> bool {
        self.iterations == iterations && decode(salt).is_some_and(|salt| salt == self.salt)
    }
}

/// Tells nothing: with a verifier, passwords can be guessed and servers impersonated.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}
