//! From what the database reported to what the page says.
//!
//! pg_track's own errors are written for people, DETAIL and HINT included, and are shown as they are.
//! Any other error is a matter for the log.

use axum::http::StatusCode;
use pgtrack_tracker::Error;
use tokio_postgres::error::{DbError, SqlState};

use super::{Problem, internal, unavailable};
use crate::database::trouble;
use crate::words::Why;
use crate::words::problem::Text;

pub(super) fn problem(error: &Error) -> Problem {
    let cause = error.for_log();
    if let Error::Connect { source, .. } | Error::Query { source, .. } = error
        && let Some(trouble) = trouble(source)
    {
        return unavailable(Why::Outage(trouble.outage)).cause(cause);
    }
    if let Error::StalePlan = error {
        let text = Text::RowsChangedSincePlan;
        return Problem::new(StatusCode::CONFLICT, Text::PlanOutOfDate, text).hint(Text::LookAgain);
    }
    match error.db_error().and_then(|report| classify(report).map(|class| (report, class))) {
        Some((report, (status, title))) => Problem {
            detail: quoted(report.detail()),
            hint: quoted(report.hint()),
            is_quoted: true,
            ..Problem::new(status, title, sentence(report.message())).cause(cause)
        },
        None => internal().cause(cause),
    }
}

/// An installation that failed. Whoever installs is told what the server says.
pub(super) fn installing(error: &Error) -> Problem {
    let title = Text::NotInstallable;
    match error.db_error() {
        Some(report) => Problem {
            detail: quoted(report.detail()),
            hint: quoted(report.hint()),
            ..Problem::new(StatusCode::CONFLICT, title, sentence(report.message()))
                .cause(error.chain())
        },
        None => Problem::new(StatusCode::CONFLICT, title, sentence(&error.to_string()))
            .cause(error.chain()),
    }
}

/// The status and title for a report that is meant for people.
fn classify(report: &DbError) -> Option<(StatusCode, Text)> {
    let class = match *report.code() {
        SqlState::UNDEFINED_TABLE
        | SqlState::UNDEFINED_COLUMN
        | SqlState::UNDEFINED_OBJECT
        | SqlState::INVALID_SCHEMA_NAME
        | SqlState::NO_DATA_FOUND => (StatusCode::NOT_FOUND, Text::NotFound),
        SqlState::DUPLICATE_OBJECT => (StatusCode::CONFLICT, Text::ThereIsOne),
        // A function or trigger of the application has something against it, and says so.
        SqlState::RAISE_EXCEPTION => (StatusCode::CONFLICT, Text::DatabaseDoesNotAllow),
        SqlState::INSUFFICIENT_PRIVILEGE => (StatusCode::FORBIDDEN, Text::DatabaseDoesNotAllow),
        SqlState::INVALID_PARAMETER_VALUE => (StatusCode::BAD_REQUEST, Text::MakesNoSense),
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE => (StatusCode::CONFLICT, Text::NotDoneHere),
        SqlState::LOCK_NOT_AVAILABLE => (StatusCode::CONFLICT, Text::RowsLocked),
        SqlState::QUERY_CANCELED => (StatusCode::SERVICE_UNAVAILABLE, Text::TookTooLong),
        _ => match report.code().code() {
            "TK001" => (StatusCode::CONFLICT, Text::RowsChanged),
            "TK002" => (StatusCode::CONFLICT, Text::HistoryGone),
            code if code.starts_with("23") => (StatusCode::CONFLICT, Text::DataDoesNotAllow),
            _ => return None,
        },
    };
    Some(class)
}

/// The server's message as a sentence.
fn sentence(message: &str) -> Text {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    let rest = characters.as_str().trim_end_matches('.');
    Text::Quoted(format!("{}{rest}.", first.unwrap_or_default()))
}

fn quoted(text: Option<&str>) -> Option<Text> {
    text.map(|text| Text::Quoted(text.to_owned()))
}
