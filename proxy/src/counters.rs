//! What the proxy has done so far, as plain counters.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts something, from any thread.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The count so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

/// The counters of one proxy since it was started.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Counters {
    /// Client connections accepted, whatever became of them.
    pub connections: Counter,
    /// Sessions whose startup packet was sent upstream.
    pub sessions: Counter,
    /// Cancel requests forwarded.
    pub cancels: Counter,
    /// Connections that broke the protocol before their session began.
    pub violations: Counter,
    /// Sessions refused because too many were open.
    pub refused: Counter,
    /// Sessions for which the upstream could not be reached.
    pub unreachable: Counter,
    /// Connections ended by a bug in the proxy.
    pub panics: Counter,
    /// Messages from clients, in sessions that have ended.
    pub client_messages: Counter,
    /// Messages from the upstream, in sessions that have ended.
    pub upstream_messages: Counter,
    /// Bytes from clients, in sessions that have ended.
    pub client_bytes: Counter,
    /// Bytes from the upstream, in sessions that have ended.
    pub upstream_bytes: Counter,
}
