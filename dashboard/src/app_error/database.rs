//! From what the database reported to what the page says.
//!
//! pg_track's own errors are written for people, DETAIL and HINT included, and are shown as they are.
//! Any other error is a matter for the log.

use axum::http::StatusCode;
use pgtrack_tracker::Error;
use tokio_postgres::error::{DbError, SqlState};

use super::{Problem, internal, unavailable};
use crate::database::trouble;

pub(super) fn problem(error: &Error) -> Problem {
    let cause = error.chain();
    if let Error::Connect { source, .. } | Error::Query { source, .. } = error
        && let Some(trouble) = trouble(source)
    {
        return unavailable(trouble.reason).cause(cause);
    }
    if let Error::StalePlan = error {
        let text = "The rows have changed since the plan was made. Nothing was changed.";
        return Problem::new(StatusCode::CONFLICT, "The plan is out of date", text)
            .hint("Go back and look at the plan again.");
    }
    if let Error::Filter { reason } = error {
        let text = format!("This cannot be looked for: {reason}.");
        return Problem::new(StatusCode::BAD_REQUEST, "This request makes no sense", text);
    }
    match error.db_error().and_then(|report| classify(report).map(|class| (report, class))) {
        Some((report, (status, title))) => Problem {
            detail: report.detail().map(str::to_owned),
            hint: report.hint().map(str::to_owned),
            is_quoted: true,
            ..Problem::new(status, title, sentence(report.message())).cause(cause)
        },
        None => internal().cause(cause),
    }
}

/// An installation that failed. Whoever installs is told what the server says.
pub(super) fn installing(error: &Error) -> Problem {
    let title = "pg_track could not be installed";
    match error.db_error() {
        Some(report) => Problem {
            detail: report.detail().map(str::to_owned),
            hint: report.hint().map(str::to_owned),
            ..Problem::new(StatusCode::CONFLICT, title, sentence(report.message()))
                .cause(error.chain())
        },
        None => Problem::new(StatusCode::CONFLICT, title, sentence(&error.to_string()))
            .cause(error.chain()),
    }
}

/// The status and title for a report that is meant for people.
fn classify(report: &DbError) -> Option<(StatusCode, &'static str)> {
    let class = match *report.code() {
        SqlState::UNDEFINED_TABLE
        | SqlState::UNDEFINED_COLUMN
        | SqlState::UNDEFINED_OBJECT
        | SqlState::INVALID_SCHEMA_NAME
        | SqlState::NO_DATA_FOUND => (StatusCode::NOT_FOUND, "Not found"),
        SqlState::DUPLICATE_OBJECT => (StatusCode::CONFLICT, "There is one already"),
        // A function or trigger of the application has something against it, and says so.
        SqlState::RAISE_EXCEPTION => (StatusCode::CONFLICT, "The database does not allow this"),
        SqlState::INSUFFICIENT_PRIVILEGE => {
            (StatusCode::FORBIDDEN, "The database does not allow this")
        }
        SqlState::INVALID_PARAMETER_VALUE => {
            (StatusCode::BAD_REQUEST, "This request makes no sense")
        }
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => {
            (StatusCode::CONFLICT, "This cannot be done here")
        }
        SqlState::LOCK_NOT_AVAILABLE => {
            (StatusCode::CONFLICT, "Somebody else is changing these rows")
        }
        SqlState::QUERY_CANCELED => (StatusCode::SERVICE_UNAVAILABLE, "This took too long"),
        _ => match report.code().code() {
            "TK001" => (StatusCode::CONFLICT, "Somebody else changed these rows"),
            "TK002" => (StatusCode::CONFLICT, "The history needed is gone"),
            code if code.starts_with("23") => {
                (StatusCode::CONFLICT, "The data does not allow this")
            }
            _ => return None,
        },
    };
    Some(class)
}

/// The server's message as a sentence.
fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), characters.as_str().trim_end_matches('.'))
}
