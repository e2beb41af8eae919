//! One request as the pages see it: who asks, from where, when, and in which colours to answer.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method};
use jiff::Timestamp;

use crate::app_error::AppError;
use crate::auth::{Account, Role, SessionId};
use crate::clock::Clock;
use crate::connections::Connection;
use crate::links::Links;
use crate::preferences::Preferences;
use crate::rules::Rules;
use crate::state::AppState;
use crate::words::Say;

/// Who sent a request: the peer, or whom a trusted web server names as the last one before itself.
fn client_addr(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let named = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let named = named.flat_map(|value| value.split(',')).map(|one| one.trim().parse().ok());
    let mut client = peer;
    for named in named.collect::<Vec<Option<IpAddr>>>().into_iter().rev() {
        match named {
            Some(named) if trusted.contains(&client) => client = named,
            _ => break,
        }
    }
    client
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) account: Account,
    pub(crate) session: SessionId,
    /// What they may do in the connection that the page shows; elsewhere their account's role.
    pub(crate) role: Role,
}

/// What a page needs to know about its request.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// Names this request in the log and on error pages.
    pub(crate) request_id: Arc<str>,
    pub(crate) clock: Clock,
    pub(crate) preferences: Preferences,
    /// The page to come back to, for example after the theme was changed.
    pub(crate) here: String,
    pub(crate) client_addr: String,
    /// The database that the page shows, or the usual one.
    pub(crate) connection: Arc<Connection>,
    /// `None` on the pages that need no account.
    pub(crate) signed_in: Option<SignedIn>,
    /// The rules about columns, as they are for this person in the connection that a URL names.
    pub(crate) rules: Arc<Rules>,
}

impl Visit {
    /// Describes a request of which nobody knows yet who sent it.
    pub(crate) fn new(state: &AppState, request_id: Arc<str>, request: &Request) -> Self {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let preferences = Preferences::read(request.headers());
        let client = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Self {
            request_id,
            clock: Clock { now: Timestamp::now(), zone: preferences.zone.clone() },
            preferences,
            here: if request.method() == Method::GET { path } else { "/" }.to_owned(),
            client_addr: client.map_or_else(String::new, |client| {
                client_addr(client.ip(), request.headers(), &state.trusted_proxies).to_string()
            }),
            connection: state.connections.configured().info.clone(),
            signed_in: None,
            rules: Arc::default(),
        }
    }

    /// Says something as this person wants it said.
    pub(crate) fn say<T: Say>(&self, what: T) -> T::Said {
        self.preferences.words.say(what)
    }

    pub(crate) fn links(&self) -> Links<'_> {
        Links::new(&self.connection.slug)
    }

    /// Whether this person has a role here, or a higher one.
    pub(crate) fn is(&self, role: Role) -> bool {
        self.signed_in.as_ref().is_some_and(|person| person.role >= role)
    }

    /// Whether this person may take the history along as a file.
    pub(crate) fn may_export(&self) -> bool {
        self.is(Role::Operator)
    }

    /// What a page of a test knows.
    #[cfg(test)]
    pub(crate) fn example() -> Self {
        let connection = Connection {
            slug: "shop".to_owned(),
            label: "The shop".to_owned(),
            environment: crate::connections::Environment::None,
            is_read_only: false,
        };
        Self {
            request_id: Arc::from("0"),
            clock: Clock::utc(Timestamp::UNIX_EPOCH),
            preferences: Preferences::read(&axum::http::HeaderMap::new()),
            here: "/".to_owned(),
            client_addr: String::new(),
            connection: Arc::new(connection),
            signed_in: None,
            rules: Arc::default(),
        }
    }

    /// Whether this person may undo, revert and restore here.
    pub(crate) fn may_revert(&self) -> bool {
        !self.connection.is_read_only && self.is(Role::Operator)
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

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::client_addr;

    #[test]
    fn only_trusted_web_servers_are_believed() {
        let ip = |text: &str| text.parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("6.6.6.6, 1.2.3.4"));
        headers.append("x-forwarded-for", HeaderValue::from_static("10.0.0.2"));
        let find = |peer, trusted: &[&str]| {
            let trusted: Vec<_> = trusted.iter().map(|one| ip(one)).collect();
            client_addr(ip(peer), &headers, &trusted).to_string()
        };
        assert_eq!(find("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(find("10.0.0.1", &["10.0.0.1"]), "10.0.0.2");
        assert_eq!(find("10.0.0.1", &["10.0.0.1", "10.0.0.2"]), "1.2.3.4");
        assert_eq!(find("9.9.9.9", &["10.0.0.1"]), "9.9.9.9");
    }
}
