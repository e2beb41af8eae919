//! A browser's session: a random cookie, of which only the SHA-256 is kept.

use axum::http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use super::cookie::{cookie, set_cookie};
use crate::hex;

/// What the database knows a session by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionId([u8; 32]);

impl SessionId {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The cookie, whose name says how it may travel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionCookie {
    is_secure: bool,
}

impl SessionCookie {
    /// `__Host-` binds a cookie to HTTPS and to this host; browsers refuse it on plain HTTP.
    pub(crate) fn new(https: bool) -> Self {
        Self { is_secure: https }
    }

    fn name(self) -> &'static str {
        if self.is_secure { "__Host-pgtrack" } else { "pgtrack" }
    }

    /// The session that a request claims.
    pub(crate) fn read(self, headers: &HeaderMap) -> Option<SessionId> {
        cookie(headers, self.name()).map(SessionId::of)
    }

    /// A new session and the header that gives it to the browser. It ends with the browser, or when we end it.
    pub(crate) fn issue(self) -> Result<(SessionId, HeaderValue), getrandom::Error> {
        let token = hex::random::<32>()?;
        Ok((SessionId::of(&token), set_cookie(self.name(), &token, None, self.is_secure)))
    }

    /// The header that takes the cookie back.
    pub(crate) fn clear(self) -> HeaderValue {
        set_cookie(self.name(), "", Some(0), self.is_secure)
    }
}
