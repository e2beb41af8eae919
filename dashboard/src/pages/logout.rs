//! `POST /logout`: ends the session, here and in the database, and the streams that belong to it.

use axum::http::header;
use axum::response::{AppendHeaders, IntoResponse, Redirect};

use super::State;
use crate::app_error::AppError;
use crate::store::audit::{self, Action, Entry};
use crate::store::sessions;
use crate::visit::{SignedIn, Visit};

pub(crate) async fn post(
    state: State,
    visit: Visit,
    person: SignedIn,
) -> Result<impl IntoResponse, AppError> {
    let client = state.database.write().await?;
    sessions::end(&client, &person.session).await?;
    state.streams.end_session(&person.session);
    state.connections.forget(&person.session);
    let entry = Entry::new(Action::Logout, &person.account.name, &visit.client_addr);
    audit::add(&client, entry).await?;
    let cookie = state.cookie.clear();
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to("/login")))
}
