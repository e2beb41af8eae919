//! What every command that changes rows takes.

use clap::{Args, ValueEnum};
use pgtrack_tracker::revert::OnConflict;

use crate::session::Common;

#[derive(Debug, Args)]
#[command(next_help_heading = "Change")]
pub(crate) struct ChangeOptions {
    /// Only show what would be done.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Why; recorded with the change.
    #[arg(short, long, value_name = "TEXT")]
    pub(super) message: Option<String>,
    /// The person on whose behalf; recorded with the change.
    #[arg(long, value_name = "NAME")]
    pub(super) actor: Option<String>,
    /// Show no more than so many of the rows.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(i64).range(0..))]
    pub(super) max: i64,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Not all or nothing.
#[derive(Debug, Args)]
pub(super) struct BatchOptions {
    /// So many rows at a time, each batch in a transaction of its own: what is done stays done if a later one fails.
    #[arg(long, value_name = "ROWS", help_heading = "Change", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) batch: Option<i32>,
}

/// Not everything that was changed.
#[derive(Debug, Args)]
pub(super) struct ColumnOptions {
    /// Set only this column back, and leave the others as they are; more than once for several.
    #[arg(long, value_name = "NAME", help_heading = "Change")]
    column: Vec<String>,
}

impl ColumnOptions {
    /// `None` is all of them.
    pub(super) fn names(&self) -> Option<&[String]> {
        (!self.column.is_empty()).then_some(&*self.column)
    }
}

/// What to do about rows that somebody changed since.
#[derive(Debug, Args)]
pub(super) struct ConflictOptions {
    /// What to do about rows that were changed since.
    #[arg(long, value_name = "WAY", default_value = "error", help_heading = "Change")]
    on_conflict: Way,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Way {
    /// Do nothing at all.
    Error,
    /// Leave them as they are.
    Skip,
    /// Revert only the columns that nobody changed since.
    Merge,
    /// The same, and take numbers back by the difference: what others have added or taken away since stays.
    Delta,
    /// Overwrite them.
    Force,
}

impl ConflictOptions {
    pub(super) fn way(&self) -> OnConflict {
        match self.on_conflict {
            Way::Error => OnConflict::Error,
            Way::Skip => OnConflict::Skip,
            Way::Merge => OnConflict::Merge,
            Way::Delta => OnConflict::Delta,
            Way::Force => OnConflict::Force,
        }
    }
}
