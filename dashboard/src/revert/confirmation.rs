//! What a person says when they confirm a plan.

use pgtrack_tracker::revert::OnConflict;
use serde::Deserialize;

/// The fields of the form.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Confirmation {
    /// Stands for the plan that was shown.
    pub(crate) token: String,
    /// Stands for this form: however often it is sent, it is applied once.
    pub(crate) submission: String,
    /// What to do with rows that changed since; only asked where there are any.
    pub(crate) on_conflict: Option<Choice>,
    /// The connection's name, typed where a mistake would be dear.
    #[serde(default)]
    pub(crate) label: String,
    /// Why.
    #[serde(default)]
    pub(crate) reason: String,
}

/// What to do with rows that somebody changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Choice {
    Skip,
    Merge,
    Overwrite,
}

impl Choice {
    pub(crate) fn on_conflict(self) -> OnConflict {
        match self {
            Self::Skip => OnConflict::Skip,
            Self::Merge => OnConflict::Merge,
            Self::Overwrite => OnConflict::Force,
        }
    }

    /// The word in the form.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Merge => "merge",
            Self::Overwrite => "overwrite",
        }
    }
}

/// A single row is put back without ceremony; of more, people will want to know why.
pub(crate) fn needs_reason(steps: usize) -> bool {
    steps > 1
}
