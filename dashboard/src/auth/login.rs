//! Signing in: limits first, then the password, then a session with a new id.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::account::{Account, MAX_NAME};
use crate::app_error::AppError;
use crate::network;
use crate::state::AppState;
use crate::store::audit::{self, Action, Entry};
use crate::store::{accounts, addresses, sessions};

/// How an attempt to sign in ended.
pub(crate) enum Attempt {
    /// The header sets the session's cookie.
    SignedIn(HeaderValue),
    /// The name or the password is wrong; nobody is told which.
    Wrong,
    /// There were too many attempts for this name or from this address.
    TooMany { wait: Duration },
}

/// Checks a name and a password, and begins a session.
pub(crate) async fn log_in(
    state: &AppState,
    headers: &HeaderMap,
    client_addr: &str,
    name: &str,
    password: &str,
) -> Result<Attempt, AppError> {
    let now = Instant::now();
    // Nobody has a longer name; what is typed here is kept in memory and in the audit log.
    let name: &str = &name.chars().take(MAX_NAME).collect::<String>();
    let name_key = name.to_lowercase();
    let origin = &*origin(client_addr);
    let guesser = format!("{name_key}\n{origin}");
    let limits = [(&state.attempts_by_address, origin), (&state.attempts_by_guesser, &*guesser)];
    for (limit, key) in limits {
        if let Err(wait) = limit.take(key, now) {
            return Ok(Attempt::TooMany { wait });
        }
    }
    // What others do elsewhere must not keep people out where they have been before.
    let counted = state.attempts_by_name.take(&name_key, now);
    if let Err(wait) = counted
        && !addresses::is_known(&*state.database.read().await?, name, origin).await?
    {
        return Ok(Attempt::TooMany { wait });
    }
    let found = accounts::find(&*state.database.read().await?, name).await?;
    let (account, hash) = found.unzip();
    let is_right = state.passwords.verify(password.to_owned(), hash).await?;
    let Some(account) = account.filter(|_| is_right) else {
        let client = state.database.write().await?;
        audit::add(&client, Entry::new(Action::LoginFailed, name, client_addr)).await?;
        return Ok(Attempt::Wrong);
    };
    for (limit, key) in limits {
        limit.give_back(key);
    }
    if counted.is_ok() {
        state.attempts_by_name.give_back(&name_key);
    }
    sign_in(state, headers, client_addr, &account).await.map(Attempt::SignedIn)
}

/// Begins a session with a new id, whatever the browser had before.
pub(crate) async fn sign_in(
    state: &AppState,
    headers: &HeaderMap,
    client_addr: &str,
    account: &Account,
) -> Result<HeaderValue, AppError> {
    let client = state.database.write().await?;
    if let Some(previous) = state.cookie.read(headers) {
        sessions::end(&client, &previous).await?;
        state.streams.end_session(&previous);
    }
    let (id, cookie) =
        state.cookie.issue().map_err(|error| AppError::Internal(error.to_string()))?;
    sessions::begin(&client, &id, account, client_addr).await?;
    addresses::note(&client, account.id, &origin(client_addr)).await?;
    audit::add(&client, Entry::new(Action::LoginOk, &account.name, client_addr)).await?;
    Ok(cookie)
}

/// What an address is counted as.
fn origin(client_addr: &str) -> String {
    let address = client_addr.parse::<IpAddr>();
    address.map_or_else(|_| client_addr.to_owned(), |address| network::origin(address).to_string())
}
