//! Counts what could not be analysed, and says so when that is for lack of time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::warn;

use crate::Counter;
use crate::observe::NotAnalysed;

/// How often the log speaks of it.
const EVERY: Duration = Duration::from_secs(10);

/// What could not be analysed since the start: texts that may call a function of pg_track or, with guard rails, be
/// dangerous.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct NotAnalysedCounters {
    /// Texts that were not analysed because too many others waited.
    pub dropped: Counter,
    /// Texts whose analysis took too long.
    pub late: Counter,
    /// Texts beyond the bounds: too long, or with too many comments.
    pub too_long: Counter,
    /// Texts that the parser or their encoding refused, or that nest too deeply.
    pub not_understood: Counter,
    /// Messages that were refused because it is not known what they do.
    pub refused: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Overload {
    counters: NotAnalysedCounters,
    /// When the log spoke of it, and what it has not said since.
    said: Mutex<Option<(Instant, u64)>>,
}

impl Overload {
    pub(super) fn counters(&self) -> &NotAnalysedCounters {
        &self.counters
    }

    pub(super) fn note(&self, why: NotAnalysed) {
        match why {
            NotAnalysed::Dropped => self.counters.dropped.add(1),
            NotAnalysed::Late => self.counters.late.add(1),
            NotAnalysed::TooLong => return self.counters.too_long.add(1),
            NotAnalysed::NotUnderstood => return self.counters.not_understood.add(1),
            NotAnalysed::Block | NotAnalysed::Forgotten | NotAnalysed::FunctionCall => return,
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, unsaid) = said.unwrap_or((Instant::now(), 0));
        let is_first = said.is_none();
        if is_first || at.elapsed() >= EVERY {
            let count = unsaid.saturating_add(1);
            warn!(
                count,
                "texts could not be analysed in time: guard rails, policy and the records of calls do not know them"
            );
            *said = Some((Instant::now(), 0));
        } else {
            *said = Some((at, unsaid.saturating_add(1)));
        }
    }
}
