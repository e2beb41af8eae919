//! Signing in: limits first, then the password, then a session with a new id.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::account::{Account, MAX_NAME};
use crate::app_error::AppError;
use crate::state::AppState;
use crate::store::audit::{self, Action, Entry};
use crate::store::{accounts, sessions};

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
    if let Err(wait) = state.attempts_by_address.take(client_addr, now) {
        return Ok(Attempt::TooMany { wait });
    }
    if let Err(wait) = state.attempts_by_name.take(&name_key, now) {
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
    state.attempts_by_address.give_back(client_addr);
    state.attempts_by_name.give_back(&name_key);
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
    audit::add(&client, Entry::new(Action::LoginOk, &account.name, client_addr)).await?;
    Ok(cookie)
}
