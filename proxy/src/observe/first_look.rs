//! A cheap look at a text: whether it may do something that has to be known before it is forwarded.

use pgtrack_tracker::statement::{Keyword, mentions_pgtrack};

/// What every danger is written with.
const DANGERS: [Keyword; 4] = [
    Keyword::new("update"),
    Keyword::new("delete"),
    Keyword::new("truncate"),
    Keyword::new("drop"),
];

/// What the functions of pg_track that change something have in their names.
const VERBS: [Keyword; 10] = [
    Keyword::new("erase"),
    Keyword::new("keep"),
    Keyword::new("purge"),
    Keyword::new("recover"),
    Keyword::new("restore"),
    Keyword::new("revert"),
    Keyword::new("rollback_to"),
    Keyword::new("tag"),
    Keyword::new("track"),
    Keyword::new("undo"),
];

/// What may put a schema on the session's `search_path`.
const PATHS: [Keyword; 2] = [Keyword::new("search_path"), Keyword::new("set_config")];

const DO: Keyword = Keyword::new("do");

/// What to look for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FirstLook {
    /// Calls of functions of pg_track.
    pub(crate) calls: bool,
    /// What guard rails are for.
    pub(crate) dangers: bool,
    /// What changes the meaning of names without a schema.
    pub(crate) paths: bool,
    /// Calls without a schema.
    pub(crate) verbs: bool,
    /// What cannot be analysed.
    pub(crate) is_strict: bool,
}

impl FirstLook {
    /// Whether a text may contain it, of which this is the beginning or all; most do not.
    pub(crate) fn may_matter(self, text: &[u8], is_all: bool) -> bool {
        let has = |words: &[Keyword]| words.iter().any(|word| word.is_in(text));
        self.calls && mentions_pgtrack(text)
            || self.dangers && has(&DANGERS)
            || self.paths && has(&PATHS)
            || self.verbs && has(&VERBS)
            || self.is_strict && (!is_all || DO.is_in(text))
    }
}

/// Whether a text may put our schema on the `search_path` by words that the analysis does not know: in
/// `UPDATE pg_settings`, or as the setting of a function or a role.
pub(crate) fn mentions_path(text: &[u8]) -> bool {
    PATHS.iter().any(|word| word.is_in(text)) && mentions_pgtrack(text)
}
