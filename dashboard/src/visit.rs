//! One request as the pages see it: who asks, from where, when, and in which colours to answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::Method;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use jiff::Timestamp;

use crate::app_error::AppError;
use crate::auth::{Account, Role, SessionId, cookie};
use crate::config::Connection;
use crate::links::Links;
use crate::state::AppState;

/// The cookie that holds the theme.
pub(crate) const THEME_COOKIE: &str = "pgtrack-theme";

/// The colours a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system has it.
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The word in the cookie, the form and the page.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.word() == word)
    }
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    pub(crate) session: SessionId,
}

/// What a page needs to know about its request.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// Names this request in the log and on error pages.
    pub(crate) request_id: Arc<str>,
    pub(crate) now: Timestamp,
    pub(crate) theme: Theme,
    /// The page to come back to, for example after the theme was changed.
    pub(crate) here: String,
    pub(crate) client_addr: String,
    pub(crate) connection: Connection,
    /// `None` on the pages that need no account.
    pub(crate) signed_in: Option<SignedIn>,
}

impl Visit {
    /// Describes a request of which nobody knows yet who sent it.
    pub(crate) fn new(state: &AppState, request_id: Arc<str>, request: &Request) -> Self {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Self {
            request_id,
            now: Timestamp::now(),
            theme: cookie(request.headers(), THEME_COOKIE)
                .and_then(Theme::from_word)
                .unwrap_or(Theme::Auto),
            here: if request.method() == Method::GET { path } else { "/" }.to_owned(),
            client_addr: client.map_or_else(String::new, |client| client.ip().to_string()),
            connection: state.connection.clone(),
            signed_in: None,
        }
    }

    pub(crate) fn links(&self) -> Links<'_> {
        Links::new(&self.connection.slug)
    }

    /// Whether this person may undo, revert and restore.
    pub(crate) fn may_revert(&self) -> bool {
        self.signed_in.as_ref().is_some_and(|person| person.account.role >= Role::Operator)
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let visit = parts.extensions.get::<Self>().cloned();
        Ok(visit.expect("`middleware::request` describes every request"))
    }
}

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AppError> {
        let visit = parts.extensions.get::<Visit>();
        visit.and_then(|visit| visit.signed_in.clone()).ok_or(AppError::SignInNeeded)
    }
}
