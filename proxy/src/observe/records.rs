//! The records that wait to be taken.

use std::collections::VecDeque;
use std::sync::Arc;

use super::executed::Executed;
use super::judgement::RecordedCall;

/// Oldest first.
#[derive(Debug, Default)]
pub(super) struct Records {
    waiting: VecDeque<Executed>,
    /// Those without a recorded call are of interest to nobody.
    is_for_calls: bool,
}

impl Records {
    /// Drops all further records but those of recorded calls.
    pub(super) fn only_calls(&mut self) {
        self.is_for_calls = true;
    }

    /// Whether only those are kept.
    pub(super) fn is_for_calls(&self) -> bool {
        self.is_for_calls
    }

    /// Whether a record with these calls is kept, so that it is worth making.
    pub(super) fn want(&self, calls: Option<&Arc<[RecordedCall]>>) -> bool {
        !self.is_for_calls || calls.is_some()
    }

    pub(super) fn push(&mut self, record: Executed) {
        if self.want(record.calls.as_ref()) {
            self.waiting.push_back(record);
        }
    }

    pub(super) fn extend(&mut self, records: impl IntoIterator<Item = Executed>) {
        records.into_iter().for_each(|record| self.push(record));
    }

    pub(super) fn pop(&mut self) -> Option<Executed> {
        self.waiting.pop_front()
    }
}
