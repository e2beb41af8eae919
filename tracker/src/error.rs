//! What can go wrong between us and the database.

use std::error::Error as _;
use std::fmt::Write as _;

use tokio_postgres::error::{DbError, SqlState};

use crate::activity::FilterFault;

/// A failed operation on the upstream database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database could not be reached, or refused us.
    #[error("could not connect to database `{database}`")]
    Connect {
        /// The database's name.
        database: String,
        /// The driver's reason.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A statement failed.
    #[error("could not {action}")]
    Query {
        /// What was attempted, as a verb ("read the history of demo.users").
        action: String,
        /// The server's or the driver's reason.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The database has a version of pg_track that this program does not understand.
    #[error(
        "database has pg_track {found}, this program understands versions up to {supported}; use a newer pgtrack"
    )]
    NewerVersion {
        /// The version installed upstream.
        found: String,
        /// The version this program carries.
        supported: &'static str,
    },
    /// The server is a standby: nothing can be installed there.
    #[error("the server is a standby and pg_track is not installed on its primary")]
    Standby,
    /// pg_track was installed by CREATE EXTENSION and is older than this program needs.
    #[error(
        "pg_track {found} was installed with CREATE EXTENSION; update it with ALTER EXTENSION pg_track UPDATE"
    )]
    OutdatedExtension {
        /// The version installed upstream.
        found: String,
    },
    /// A filter asks for what cannot be told.
    #[error("this filter cannot be used: {fault}")]
    Filter {
        /// What is wrong with it.
        fault: FilterFault,
    },
    /// The rows have changed since the plan was shown.
    #[error("the rows have changed since the plan was made")]
    StalePlan,
}

impl Error {
    pub(crate) fn query(action: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> Self {
        let action = action.into();
        move |source| Self::Query { action, source }
    }

    /// The server's own report, if the server reported.
    pub fn db_error(&self) -> Option<&DbError> {
        match self {
            Self::Connect { source, .. } | Self::Query { source, .. } => source.as_db_error(),
            _ => None,
        }
    }

    /// The SQLSTATE, if the server reported one.
    pub fn sqlstate(&self) -> Option<&SqlState> {
        self.db_error().map(DbError::code)
    }

    /// Whether a row was changed by somebody else in a way that stands against what was asked.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::StalePlan)
            || self.sqlstate().is_some_and(|state| state.code() == "TK001")
    }

    /// What a log may hold of it: no key of a row, no value and no text that somebody else has written. The server's
    /// message is there only where its kind holds none of these, its DETAIL and HINT never are.
    pub fn for_log(&self) -> String {
        let source = match self {
            // What was attempted may name a row.
            Self::Connect { source, .. } | Self::Query { source, .. } => source,
            other => return other.to_string(),
        };
        match source.as_db_error() {
            Some(report) if is_plain(report) => {
                format!("{} (SQLSTATE {})", report.message(), report.code().code())
            }
            Some(report) => format!("the database reports SQLSTATE {}", report.code().code()),
            None => {
                let mut text = source.to_string();
                let mut cause = source.source();
                while let Some(error) = cause {
                    // Writing to a String cannot fail.
                    let _ = write!(text, ": {error}");
                    cause = error.source();
                }
                text
            }
        }
    }

    /// The whole story in one line, for a person: every cause, and the server's DETAIL and HINT.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        if let Some(report) = self.db_error() {
            for (label, part) in [("DETAIL", report.detail()), ("HINT", report.hint())] {
                if let Some(part) = part {
                    let _ = write!(text, " {label}: {part}");
                }
            }
        }
        text
    }
}

/// Whether the message of a report holds nothing but names. Those about data quote it, those about syntax quote the
/// statement, and what a function raises can be anything.
fn is_plain(report: &DbError) -> bool {
    const PLAIN: [&str; 12] =
        ["08", "0A", "23", "25", "28", "3D", "3F", "40", "53", "55", "57", "58"];
    // Names, rights and types, of the class that also has errors of syntax.
    const NAMES: [SqlState; 7] = [
        SqlState::INSUFFICIENT_PRIVILEGE,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_COLUMN,
        SqlState::UNDEFINED_FUNCTION,
        SqlState::UNDEFINED_OBJECT,
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_TABLE,
    ];
    let is_raised = report.routine().is_none_or(|routine| routine == "exec_stmt_raise");
    let class = report.code().code().get(..2).unwrap_or_default();
    !is_raised && (PLAIN.contains(&class) || NAMES.contains(report.code()))
}
