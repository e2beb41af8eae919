//! What can go wrong while a request is answered, and the page that says so.
//!
//! A handler returns an [`AppError`]; the response carries its [`Problem`], and `middleware::problems`,
//! which knows the request, renders the page and logs the cause.

mod database;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use deadpool_postgres::{PoolError, TimeoutType};
use serde_json::{Value, json};

use crate::database::trouble;
use crate::rules::Rules;

/// A request that cannot be answered as asked.
#[derive(Debug)]
pub(crate) enum AppError {
    /// There is no such page, table or transaction.
    NotFound(String),
    /// The person's role does not allow it, or the request does not come from our own pages.
    Forbidden(&'static str),
    /// The request makes no sense.
    BadRequest(String),
    /// It cannot be done as things are.
    Conflict(&'static str),
    /// The database does not have pg_track.
    NotInstalled,
    /// pg_track could not be installed.
    Install(pgtrack_tracker::Error),
    /// The database would not do it; what it says is for people.
    Refused(String),
    /// The page exists, but not for this method.
    WrongMethod,
    /// Nobody is signed in, and the client is no browser that could be led to the sign-in page.
    SignInNeeded,
    /// One person, or everybody together, has too many of something open.
    TooMany(&'static str),
    /// The database, or a part of it, cannot be reached.
    Unavailable(&'static str),
    /// The database reported an error.
    Database(pgtrack_tracker::Error),
    /// We took too long.
    Deadline,
    /// A defect of ours, or of the system; the text is for the log.
    Internal(String),
}

/// Marks the response of a request that found a database without pg_track.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotInstalled;

/// What the error page says. Shown to people, so it holds no cause that is none of their business.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: &'static str,
    /// What happened.
    pub(crate) text: String,
    /// The server's DETAIL.
    pub(crate) detail: Option<String>,
    /// What to do; the server's HINT, or ours.
    pub(crate) hint: Option<String>,
    /// For the log: every cause.
    pub(crate) cause: Option<String>,
    /// Whether these are the database's own words, which may hold values.
    pub(crate) is_quoted: bool,
}

impl Problem {
    fn new(status: StatusCode, title: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            title,
            text: text.into(),
            detail: None,
            hint: None,
            cause: None,
            is_quoted: false,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What is kept of a problem that has no request to answer. Hints that are ours are about requests.
    pub(crate) fn to_kept(&self) -> Value {
        let hint = self.hint.as_ref().filter(|_| self.is_quoted);
        json!({ "text": self.text, "detail": self.detail, "hint": hint, "is_quoted": self.is_quoted })
    }

    /// Reads what was kept.
    pub(crate) fn kept(kept: &Value) -> Self {
        let text = |name: &str| kept[name].as_str().map(str::to_owned);
        Self {
            detail: text("detail"),
            hint: text("hint"),
            is_quoted: kept["is_quoted"] != false,
            ..Self::new(
                StatusCode::CONFLICT,
                "This cannot be done",
                text("text").unwrap_or_default(),
            )
        }
    }

    /// The problem for somebody from whom values are hidden: without what the database says of it.
    pub(crate) fn hidden_by(self, rules: &Rules) -> Self {
        if !(self.is_quoted && rules.hides_any()) {
            return self;
        }
        let text = "What the database says about it is hidden from your role, as it may hold hidden values.";
        let hint = "Ask an admin, who sees it.".to_owned();
        Self { text: text.to_owned(), detail: None, hint: Some(hint), ..self }
    }

    fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

impl AppError {
    /// The URL names a connection that is not there, or that the person does not see.
    pub(crate) fn no_connection() -> Self {
        Self::NotFound("There is no connection of this name.".to_owned())
    }

    /// To name a row would tell what the person does not see.
    pub(crate) fn hidden_key() -> Self {
        Self::Forbidden(
            "The key of this table is hidden from your role, so its rows cannot be named.",
        )
    }

    /// What to tell people about it.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::NotFound(what) => Problem::new(StatusCode::NOT_FOUND, "Not found", what)
                .hint("Check the address, or start from the overview."),
            Self::Forbidden(why) => Problem::new(StatusCode::FORBIDDEN, "Not allowed", *why),
            Self::BadRequest(why) => {
                Problem::new(StatusCode::BAD_REQUEST, "This request makes no sense", why)
                    .hint("Go back and try again from the page you came from.")
            }
            Self::NotInstalled => Problem::new(
                StatusCode::CONFLICT,
                "pg_track is not installed here",
                "This database does not have pg_track, or an older version of it.",
            )
            .hint("An admin can install it: they are led there when they open this page."),
            Self::Install(error) => database::installing(error),
            Self::Conflict(why) => Problem::new(StatusCode::CONFLICT, "This cannot be done", *why),
            Self::Refused(why) => {
                let title = "The database does not allow this";
                Problem { is_quoted: true, ..Problem::new(StatusCode::CONFLICT, title, why) }
            }
            Self::WrongMethod => Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "Not this way",
                "This address does not answer this kind of request.",
            )
            .hint("Start from the overview."),
            Self::SignInNeeded => {
                Problem::new(StatusCode::UNAUTHORIZED, "Signed out", "Your session has ended.")
                    .hint("Sign in again.")
            }
            Self::TooMany(what) => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "Too many at once", *what)
                    .hint("Close other tabs, or wait a moment.")
            }
            Self::Unavailable(reason) => unavailable(reason),
            Self::Database(error) => database::problem(error),
            Self::Deadline => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "This took too long",
                "The page was not ready after 30 seconds and was given up.",
            )
            .hint("Try again; if it happens again, the database may be busy."),
            Self::Internal(cause) => internal().cause(cause),
        }
    }
}

fn unavailable(reason: &str) -> Problem {
    let text = format!("The dashboard cannot use its database: {reason}.");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "The database is not available", text)
        .hint("Nothing was changed. Reload this page; it works again as soon as the database does.")
        .cause(reason)
}

fn internal() -> Problem {
    let text = "The dashboard failed at something that should have worked.";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong", text)
        .hint("Try again. If it happens again, look up the request id in the dashboard's log.")
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let mut response = problem.status.into_response();
        response.extensions_mut().insert(problem);
        if matches!(self, Self::NotInstalled) {
            response.extensions_mut().insert(NotInstalled);
        }
        response
    }
}

impl From<pgtrack_tracker::Error> for AppError {
    fn from(error: pgtrack_tracker::Error) -> Self {
        Self::Database(error)
    }
}

impl From<crate::Error> for AppError {
    fn from(error: crate::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<PoolError> for AppError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => {
                Self::Unavailable("all of the dashboard's connections are busy")
            }
            PoolError::Timeout(_) => Self::Unavailable("the server did not answer in time"),
            PoolError::Backend(source) => match trouble(&source) {
                Some(trouble) => Self::Unavailable(trouble.reason),
                None => Self::Database(pgtrack_tracker::Error::Query {
                    action: "open a session".to_owned(),
                    source,
                }),
            },
            other => Self::Internal(other.to_string()),
        }
    }
}
