//! A cheap look at a text: whether it may do something that has to be known before it is forwarded.

use pgtrack_tracker::statement::{Keyword, mentions_pgtrack};

/// What every danger is written with.
const DANGERS: [Keyword; 4] = [
    Keyword::new("update"),
    Keyword::new("delete"),
    Keyword::new("truncate"),
    Keyword::new("drop"),
];

/// What to look for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FirstLook {
    /// Calls of functions of pg_track.
    pub(crate) calls: bool,
    /// What guard rails are for.
    pub(crate) dangers: bool,
}

impl FirstLook {
    /// Whether the text may contain it; most do not.
    pub(crate) fn may_matter(self, text: &[u8]) -> bool {
        self.calls && mentions_pgtrack(text)
            || self.dangers && DANGERS.iter().any(|word| word.is_in(text))
    }
}
