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

    /// The whole story in one line, for a log: every cause, and the server's DETAIL and HINT.
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
