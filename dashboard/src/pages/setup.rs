//! `/setup`: the first account, for whoever has the token from the program's log. Gone once there is one.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::{check_name, check_password, sign_in};
use crate::extract::{Form, Query};
use crate::state::AppState;
use crate::store::accounts;
use crate::store::audit::{self, Action, Entry};
use crate::view::setup::{Setup, page};
use crate::visit::Visit;
use crate::words::Why;
use crate::words::problem::Text;

#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
pub(crate) struct Fields {
    token: String,
    name: String,
    password: String,
    again: String,
}

pub(crate) async fn get(state: State, visit: Visit, Query(link): Query<Link>) -> Page {
    admit(&state, &link.token).await?;
    Ok(page(&visit, &Setup { token: &link.token, name: "", refusal: None }))
}

pub(crate) async fn post(
    state: State,
    visit: Visit,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Result<Response, AppError> {
    admit(&state, &fields.token).await?;
    let checked = check_name(&fields.name)
        .and_then(|name| check_password(&fields.password, name).map(|()| name))
        .map_err(Why::Account)
        .and_then(|name| {
            let is_same = fields.password == fields.again;
            is_same.then_some(name).ok_or(Why::PasswordsDiffer)
        });
    let name = match checked {
        Ok(name) => name,
        Err(why) => {
            let refusal = Text::CannotBeUsed(why);
            let setup = Setup { token: &fields.token, name: &fields.name, refusal: Some(&refusal) };
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&visit, &setup)).into_response());
        }
    };
    let hash = state.passwords.hash(fields.password.clone()).await?;
    let mut client = state.database.write().await?;
    let account = accounts::create_first(&mut client, name, &hash).await?;
    state.setup.use_up();
    let account = account.ok_or_else(closed)?;
    audit::add(&client, Entry::new(Action::AccountCreated, &account.name, &visit.client_addr))
        .await?;
    drop(client);
    let cookie = sign_in(&state, &headers, &visit.client_addr, &account).await?;
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Redirect::to("/")).into_response())
}

/// Refuses everybody without the token, and everybody once there is an account.
async fn admit(state: &AppState, token: &str) -> Result<(), AppError> {
    if !state.setup.is_open(&*state.database.read().await?).await? {
        return Err(closed());
    }
    state.setup.is(token).then_some(()).ok_or(AppError::Forbidden(Text::IncompleteLink))
}

fn closed() -> AppError {
    AppError::NotFound(Text::FirstAccountThere)
}
