//! The prepared statements of a session, the least recently used ones up to a limit.

use std::sync::Arc;

use lru::LruCache;

use super::executed::StatementText;
use super::request::Name;

/// Statements by name. Those of `PREPARE` in SQL are in the same name space.
#[derive(Debug)]
pub(super) struct Prepared {
    /// `None` until there is one.
    statements: Option<LruCache<Name, StatementText>>,
    bytes: usize,
    max_count: usize,
    max_bytes: usize,
}

impl Prepared {
    pub(super) fn new(max_count: usize, max_bytes: usize) -> Self {
        Self { statements: None, bytes: 0, max_count, max_bytes }
    }

    /// Returns whether one of which something was known is forgotten for lack of room.
    pub(super) fn insert(&mut self, name: Name, text: StatementText) -> bool {
        let mut has_forgotten = false;
        self.remove(&name);
        self.bytes = self.bytes.saturating_add(weight(&name, &text));
        let statements = self.statements.get_or_insert_with(LruCache::unbounded);
        statements.put(name, text);
        while (statements.len() > self.max_count || self.bytes > self.max_bytes)
            && let Some((name, text)) = statements.pop_lru()
        {
            self.bytes = self.bytes.saturating_sub(weight(&name, &text));
            has_forgotten |= text.judgement.is_some();
        }
        has_forgotten
    }

    /// The server has said what the parameters of a statement are.
    pub(super) fn describe(&mut self, name: &[u8], types: &Arc<[u32]>) {
        if let Some(text) = self.statements.as_mut().and_then(|statements| statements.get_mut(name))
        {
            text.types = Some(Arc::clone(types));
        }
    }

    pub(super) fn get(&mut self, name: &[u8]) -> Option<StatementText> {
        self.statements.as_mut()?.get(name).cloned()
    }

    pub(super) fn remove(&mut self, name: &[u8]) {
        let statements = self.statements.as_mut();
        if let Some((name, text)) = statements.and_then(|statements| statements.pop_entry(name)) {
            self.bytes = self.bytes.saturating_sub(weight(&name, &text));
        }
    }

    pub(super) fn clear(&mut self) {
        self.statements = None;
        self.bytes = 0;
    }
}

fn weight(name: &[u8], text: &StatementText) -> usize {
    name.len().saturating_add(text.head.len()).saturating_add(128)
}
