//! Remembers analyses, the least recently used ones up to a budget of bytes.

use std::sync::Arc;

use lru::LruCache;

use super::{Analysis, Text};

/// What an entry takes beside its text and its analysis: list, table, and counts of references.
const ENTRY_BYTES: usize = 160;

/// A single text may take this share of the budget.
const LARGEST_SHARE: usize = 8;

#[derive(Debug)]
pub(super) struct Cache {
    entries: LruCache<Text, Arc<Analysis>>,
    bytes: usize,
    budget_bytes: usize,
}

impl Cache {
    pub(super) fn new(budget_bytes: usize) -> Self {
        Self { entries: LruCache::unbounded(), bytes: 0, budget_bytes }
    }

    pub(super) fn get(&mut self, text: &Text) -> Option<Arc<Analysis>> {
        self.entries.get(text).cloned()
    }

    pub(super) fn put(&mut self, text: Text, analysis: Arc<Analysis>) {
        let weight = weight_bytes(&text, &analysis);
        if weight > self.budget_bytes / LARGEST_SHARE {
            return;
        }
        self.bytes += weight;
        // A text that two sessions sent at the same time is put twice.
        if let Some((text, replaced)) = self.entries.push(text, analysis) {
            self.bytes -= weight_bytes(&text, &replaced);
        }
        while self.bytes > self.budget_bytes
            && let Some((text, oldest)) = self.entries.pop_lru()
        {
            self.bytes -= weight_bytes(&text, &oldest);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn weight_bytes(text: &Text, analysis: &Analysis) -> usize {
    ENTRY_BYTES + text.bytes.len() + analysis.weight_bytes()
}
