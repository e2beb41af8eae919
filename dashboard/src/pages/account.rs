//! `/account`: one's own password, and signing out everywhere.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Deserialize;
use tokio::time::Instant;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::{check_password, sign_in};
use crate::extract::Form;
use crate::store::audit::{self, Action, Entry};
use crate::store::{accounts, sessions};
use crate::view::account::{Own, page};
use crate::visit::{SignedIn, Visit};
use crate::words::Why;
use crate::words::problem::Text;

#[derive(Deserialize)]
pub(crate) struct NewPassword {
    current: String,
    password: String,
    again: String,
}

pub(crate) async fn get(state: State, visit: Visit, person: SignedIn) -> Page {
    let open = sessions::count(&*state.database.read().await?, person.account.id).await?;
    Ok(page(&visit, &Own { account: &person.account, sessions: open, refusal: None }))
}

pub(crate) async fn post(
    state: State,
    visit: Visit,
    headers: HeaderMap,
    person: SignedIn,
    Form(form): Form<NewPassword>,
) -> Result<Response, AppError> {
    let account = &person.account;
    let found = accounts::find(&*state.database.read().await?, &account.name).await?;
    // Somebody at an unlocked screen must not guess without limit either.
    // Nobody who is not signed in counts for this.
    let own = format!("{}\nsigned in", account.name.to_lowercase());
    let may_try = state.attempts_by_guesser.take(&own, Instant::now()).is_ok();
    let hash = found.map(|found| found.1);
    let refusal = if !may_try {
        Some(Text::TryInAMinute)
    } else if !state.passwords.verify(form.current.clone(), hash).await? {
        Some(Text::OtherPassword)
    } else if form.password != form.again {
        Some(Text::NewPasswordsDiffer)
    } else {
        let checked = check_password(&form.password, &account.name);
        checked.err().map(|error| Text::CannotBeUsed(Why::Account(error)))
    };
    if refusal.is_some() {
        let open = sessions::count(&*state.database.read().await?, account.id).await?;
        let page = page(&visit, &Own { account, sessions: open, refusal });
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    state.attempts_by_guesser.give_back(&own);
    let hash = state.passwords.hash(form.password.clone()).await?;
    let client = state.database.write().await?;
    accounts::change(&client, account.id, account.role, Some(&hash)).await?;
    for session in sessions::end_all(&client, account.id, None).await? {
        state.streams.end_session(&session);
        state.connections.forget(&session);
    }
    let entry = Entry {
        subject: Some("own password"),
        ..Entry::new(Action::AccountChanged, &account.name, &visit.client_addr)
    };
    audit::add(&client, entry).await?;
    drop(client);
    let cookie = sign_in(&state, &headers, &visit.client_addr, account).await?;
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to("/account")).into_response())
}

/// Ends all of one's sessions, this one included.
pub(crate) async fn sign_out_everywhere(
    state: State,
    visit: Visit,
    person: SignedIn,
) -> Result<impl IntoResponse, AppError> {
    let client = state.database.write().await?;
    for session in sessions::end_all(&client, person.account.id, None).await? {
        state.streams.end_session(&session);
        state.connections.forget(&session);
    }
    let entry = Entry {
        subject: Some("everywhere"),
        ..Entry::new(Action::Logout, &person.account.name, &visit.client_addr)
    };
    audit::add(&client, entry).await?;
    Ok((AppendHeaders([(header::SET_COOKIE, state.cookie.clear())]), Redirect::to("/login")))
}
