//! The first account. Whoever can read the program's log may create it, once.

use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use crate::app_error::AppError;
use crate::hex;
use crate::store::accounts;

/// Opens `/setup` until there is an account.
#[derive(Debug)]
pub(crate) struct SetupToken {
    token: String,
    is_used: AtomicBool,
}

impl SetupToken {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { token: hex::random::<32>()?, is_used: AtomicBool::new(false) })
    }

    /// Whether there is no account yet. Somebody else may have created one.
    pub(crate) async fn is_open(&self, client: &Client) -> Result<bool, AppError> {
        if !self.is_used() && accounts::any(client).await? {
            self.use_up();
        }
        Ok(!self.is_used())
    }

    /// Whether this is the token. Digests are compared, so that time tells nothing.
    pub(crate) fn is(&self, token: &str) -> bool {
        Sha256::digest(token) == Sha256::digest(&self.token)
    }

    /// The token, while it opens anything that we know of.
    pub(crate) fn as_str(&self) -> Option<&str> {
        (!self.is_used()).then_some(&self.token)
    }

    /// There is an account now.
    pub(crate) fn use_up(&self) {
        self.is_used.store(true, Ordering::Relaxed);
    }

    fn is_used(&self) -> bool {
        self.is_used.load(Ordering::Relaxed)
    }
}
