//! Remembers which server a session's cancel key is good for, where there is more than one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Upstream;

/// The keys of the open sessions.
#[derive(Debug, Default)]
pub(crate) struct CancelKeys(Mutex<HashMap<Box<[u8]>, Upstream>>);

/// The key of one session; forgotten when this is dropped.
#[derive(Debug)]
pub(crate) struct CancelKey {
    keys: Arc<CancelKeys>,
    server: Upstream,
    /// The body of `BackendKeyData`, as far as it has arrived: process id and secret.
    data: Vec<u8>,
}

impl CancelKeys {
    /// Where the session with this key is, if it is one of ours.
    pub(crate) fn server(&self, key_data: &[u8]) -> Option<Upstream> {
        self.keys().get(key_data).cloned()
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Upstream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CancelKey {
    /// The longest body of `BackendKeyData`: the process id, and a secret of protocol 3.2.
    const MAX_BYTES: usize = 4 + 256;

    /// For a session with this server, which has not sent its key yet.
    pub(crate) fn new(keys: &Arc<CancelKeys>, server: Upstream) -> Self {
        Self { keys: Arc::clone(keys), server, data: Vec::new() }
    }

    /// Takes the next part of the body of `BackendKeyData`.
    pub(crate) fn append(&mut self, part: &[u8]) {
        if self.data.len() + part.len() <= Self::MAX_BYTES {
            self.data.extend_from_slice(part);
        }
    }

    /// Remembers the key, now that it is complete.
    pub(crate) fn remember(&self) {
        self.keys.keys().insert(self.data.as_slice().into(), self.server.clone());
    }
}

impl Drop for CancelKey {
    fn drop(&mut self) {
        self.keys.keys().remove(self.data.as_slice());
    }
}
