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
use crate::words::problem::Text;
use crate::words::{Why, plain};

/// A request that cannot be answered as asked.
#[derive(Debug)]
pub(crate) enum AppError {
    /// There is no such page, table or transaction.
    NotFound(Text),
    /// The person's role does not allow it, or the request does not come from our own pages.
    Forbidden(Text),
    /// The request makes no sense.
    BadRequest(Text),
    /// It cannot be done as things are.
    Conflict(Text),
    /// The database does not have pg_track.
    NotInstalled,
    /// pg_track could not be installed.
    Install(pgtrack_tracker::Error),
    /// The database would not do it; what it says is for people.
    Refused(Text),
    /// A search asks for what cannot be told.
    Unsearchable(Why),
    /// People do not reach us by the name that was asked for.
    OtherHost,
    /// The page exists, but not for this method.
    WrongMethod,
    /// Nobody is signed in, and the client is no browser that could be led to the sign-in page.
    SignInNeeded,
    /// One person, or everybody together, has too many of something open.
    TooMany(Text),
    /// The database, or a part of it, cannot be reached.
    Unavailable(Why),
    /// The database reported an error.
    Database(pgtrack_tracker::Error),
    /// We took too long.
    Deadline,
    /// A revert takes longer than its page.
    GoesOn,
    /// A defect of ours, or of the system; the text is for the log.
    Internal(String),
}

/// Marks the response of a request that found a database without pg_track.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotInstalled;

/// Marks the response of a revert that could not be shown or done: how to do it elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    /// The preview, to try it again.
    pub(crate) plan: String,
    /// The command for a shell.
    pub(crate) command: String,
}

/// What the error page says. Shown to people, so it holds no cause that is none of their business.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) title: Text,
    /// What happened.
    pub(crate) text: Text,
    /// The server's DETAIL.
    pub(crate) detail: Option<Text>,
    /// What to do; the server's HINT, or ours.
    pub(crate) hint: Option<Text>,
    /// For the log, and without what that must not hold.
    pub(crate) cause: Option<String>,
    /// Whether these are the database's own words, which may hold values.
    pub(crate) is_quoted: bool,
}

impl Problem {
    fn new(status: StatusCode, title: Text, text: Text) -> Self {
        Self { status, title, text, detail: None, hint: None, cause: None, is_quoted: false }
    }

    fn hint(mut self, hint: Text) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What is kept of a problem that has no request to answer. Hints that are ours are about requests.
    pub(crate) fn to_kept(&self) -> Value {
        let detail = self.detail.as_ref().map(plain);
        let hint = self.hint.as_ref().filter(|_| self.is_quoted).map(plain);
        json!({ "text": plain(&self.text), "detail": detail, "hint": hint, "is_quoted": self.is_quoted })
    }

    /// Reads what was kept.
    pub(crate) fn kept(kept: &Value) -> Self {
        let text = |name: &str| Some(Text::Quoted(kept[name].as_str()?.to_owned()));
        Self {
            detail: text("detail"),
            hint: text("hint"),
            is_quoted: kept["is_quoted"] != false,
            ..Self::new(
                StatusCode::CONFLICT,
                Text::NotDoneNow,
                text("text").unwrap_or(Text::DefectOfOurs),
            )
        }
    }

    /// The problem for somebody from whom values are hidden: without what the database says of it.
    pub(crate) fn hidden_by(self, rules: &Rules) -> Self {
        if !(self.is_quoted && rules.hides_any()) {
            return self;
        }
        Self { text: Text::HiddenFromRole, detail: None, hint: Some(Text::AskAdmin), ..self }
    }

    fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

impl AppError {
    /// The URL names a connection that is not there, or that the person does not see.
    pub(crate) fn no_connection() -> Self {
        Self::NotFound(Text::NoConnection)
    }

    /// To name a row would tell what the person does not see.
    pub(crate) fn hidden_key() -> Self {
        Self::Forbidden(Text::KeyHidden)
    }

    /// What to tell people about it.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::NotFound(what) => {
                Problem::new(StatusCode::NOT_FOUND, Text::NotFound, what.clone())
                    .hint(Text::CheckAddress)
            }
            Self::Forbidden(why) => {
                Problem::new(StatusCode::FORBIDDEN, Text::NotAllowed, why.clone())
            }
            Self::BadRequest(why) => {
                Problem::new(StatusCode::BAD_REQUEST, Text::MakesNoSense, why.clone())
                    .hint(Text::GoBack)
            }
            Self::Unsearchable(why) => {
                let text = Text::CannotBeLookedFor(why.clone());
                Problem::new(StatusCode::BAD_REQUEST, Text::MakesNoSense, text)
            }
            Self::NotInstalled => {
                Problem::new(StatusCode::CONFLICT, Text::NotInstalled, Text::LacksPgTrack)
                    .hint(Text::AdminCanInstall)
            }
            Self::Install(error) => database::installing(error),
            Self::Conflict(why) => {
                Problem::new(StatusCode::CONFLICT, Text::NotDoneNow, why.clone())
            }
            Self::Refused(why) => Problem {
                is_quoted: true,
                ..Problem::new(StatusCode::CONFLICT, Text::DatabaseDoesNotAllow, why.clone())
            },
            Self::OtherHost => {
                let status = StatusCode::MISDIRECTED_REQUEST;
                Problem::new(status, Text::NotByThisName, Text::KnowsOtherNames)
                    .hint(Text::ListName)
            }
            Self::WrongMethod => {
                let status = StatusCode::METHOD_NOT_ALLOWED;
                Problem::new(status, Text::NotThisWay, Text::AnswersNotThis)
                    .hint(Text::StartFromOverview)
            }
            Self::SignInNeeded => {
                Problem::new(StatusCode::UNAUTHORIZED, Text::SignedOut, Text::SessionEnded)
                    .hint(Text::SignInAgain)
            }
            Self::TooMany(what) => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, Text::TooManyAtOnce, what.clone())
                    .hint(Text::CloseTabs)
            }
            Self::Unavailable(why) => unavailable(why.clone()),
            Self::Database(error) => database::problem(error),
            Self::Deadline => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Problem::new(status, Text::TookTooLong, Text::NotReadyInTime)
                    .hint(Text::TryAgainBusy)
            }
            Self::GoesOn => {
                Problem::new(StatusCode::ACCEPTED, Text::NotDoneYet, Text::RevertGoesOn)
                    .hint(Text::ActivityShows)
            }
            Self::Internal(cause) => internal().cause(cause),
        }
    }
}

fn unavailable(why: Why) -> Problem {
    let cause = plain(&why);
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Problem::new(status, Text::DatabaseUnavailable, Text::DatabaseUnusable(why))
        .hint(Text::NothingChangedReload)
        .cause(cause)
}

fn internal() -> Problem {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Problem::new(status, Text::SomethingWrong, Text::DefectOfOurs).hint(Text::TryAgainLog)
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
        match error {
            pgtrack_tracker::Error::Filter { fault } => Self::Unsearchable(Why::Filter(fault)),
            error => Self::Database(error),
        }
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
            PoolError::Timeout(TimeoutType::Wait) => Self::Unavailable(Why::AllBusy),
            PoolError::Timeout(_) => Self::Unavailable(Why::NoAnswer),
            PoolError::Backend(source) => match trouble(&source) {
                Some(trouble) => Self::Unavailable(Why::Outage(trouble.outage)),
                None => Self::Database(pgtrack_tracker::Error::Query {
                    action: "open a session".to_owned(),
                    source,
                }),
            },
            other => Self::Internal(other.to_string()),
        }
    }
}
