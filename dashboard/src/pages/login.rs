//! `/login`.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::{Attempt, log_in};
use crate::extract::{Form, Query};
use crate::links::{self, local_or_home};
use crate::state::AppState;
use crate::view::login::{Login, page};
use crate::visit::Visit;
use crate::words::problem::Text;

#[derive(Deserialize)]
pub(crate) struct Wanted {
    /// Where to go afterwards.
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
pub(crate) struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(crate) async fn get(state: State, mut visit: Visit, Query(wanted): Query<Wanted>) -> Page {
    // Theme buttons lead back here with the page that was wanted.
    visit.here = links::login(local_or_home(&wanted.next));
    let next = local_or_home(&wanted.next);
    let needs_setup = needs_setup(&state).await;
    Ok(page(&visit, &Login { next, name: "", refusal: None, needs_setup }))
}

pub(crate) async fn post(
    state: State,
    visit: Visit,
    headers: HeaderMap,
    Form(credentials): Form<Credentials>,
) -> Result<Response, AppError> {
    let Credentials { name, password, next } = &credentials;
    let next = local_or_home(next);
    let name = name.trim();
    let form = |refusal: &Text| -> Html<String> {
        page(&visit, &Login { next, name, refusal: Some(refusal), needs_setup: false })
    };
    let response = match log_in(&state, &headers, &visit.client_addr, name, password).await? {
        Attempt::SignedIn(cookie) => {
            (AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to(next)).into_response()
        }
        Attempt::Wrong => {
            (StatusCode::UNAUTHORIZED, form(&Text::WrongNameOrPassword)).into_response()
        }
        Attempt::TooMany { wait } => {
            let seconds = wait.as_secs() + 1;
            let retry = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, retry, form(&Text::AttemptsWait(seconds)))
                .into_response()
        }
    };
    Ok(response)
}

/// Whether to tell of the setup link. Signing in will say if the database is down.
async fn needs_setup(state: &AppState) -> bool {
    match state.database.read().await {
        Ok(client) => state.setup.is_open(&client).await.unwrap_or(false),
        Err(_) => false,
    }
}
