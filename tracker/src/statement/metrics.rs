//! How the analysis is doing.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counters since the start, and the state now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Texts whose analysis was remembered.
    pub cache_hits: u64,
    /// Texts that had to be analysed, or dropped.
    pub cache_misses: u64,
    /// The memory that remembered analyses take, in bytes.
    pub cache_bytes: usize,
    /// Texts that wait for a thread.
    pub queue_depth: usize,
    /// How often the queue was full when a text was to be analysed; it may have been tried again.
    pub dropped: u64,
    /// Texts beyond the bounds: too long, or with too many comments.
    pub too_large: u64,
    /// Texts that the parser or their encoding refused.
    pub refused: u64,
    /// Texts at which the analysis itself failed.
    pub failed: u64,
}

/// The counters behind [`Metrics`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) cache_hits: AtomicU64,
    pub(super) cache_misses: AtomicU64,
    pub(super) queue_depth: AtomicUsize,
    pub(super) dropped: AtomicU64,
    pub(super) too_large: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Counters {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn metrics(&self, cache_bytes: usize) -> Metrics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metrics {
            cache_hits: read(&self.cache_hits),
            cache_misses: read(&self.cache_misses),
            cache_bytes,
            queue_depth: self.queue_depth.load(Ordering::Relaxed),
            dropped: read(&self.dropped),
            too_large: read(&self.too_large),
            refused: read(&self.refused),
            failed: read(&self.failed),
        }
    }
}
