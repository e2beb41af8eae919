//! `/users`: who may sign in, and as what. For admins.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::{Role, check_name, check_password};
use crate::extract::{Form, Path};
use crate::store::audit::{self, Action, Entry};
use crate::store::{accounts, sessions};
use crate::view::users::{Users, page};
use crate::visit::{SignedIn, Visit};

#[derive(Deserialize)]
pub(crate) struct NewUser {
    name: String,
    password: String,
    role: String,
}

#[derive(Deserialize)]
pub(crate) struct Change {
    role: String,
    /// Empty: it stays.
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    id: i64,
}

pub(crate) async fn get(state: State, visit: Visit, person: SignedIn) -> Page {
    let list = accounts::list(&*state.database.read().await?).await?;
    Ok(page(&visit, &Users { list: &list, own: person.account.id, name: "", refusal: None }))
}

pub(crate) async fn post(
    state: State,
    visit: Visit,
    person: SignedIn,
    Form(form): Form<NewUser>,
) -> Result<Response, AppError> {
    let refuse = async |why: String| {
        let list = accounts::list(&*state.database.read().await?).await?;
        let refusal = Some(why);
        let users = Users { list: &list, own: person.account.id, name: &form.name, refusal };
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page(&visit, &users)).into_response())
    };
    let role = read_role(&form.role)?;
    let checked = check_name(&form.name).and_then(|name| {
        check_password(&form.password, name)?;
        Ok(name)
    });
    let name = match checked {
        Ok(name) => name,
        Err(error) => return refuse(format!("This cannot be used: {error}.")).await,
    };
    let hash = state.passwords.hash(form.password.clone()).await?;
    let client = state.database.write().await?;
    let Some(account) = accounts::create(&client, name, role, &hash).await? else {
        drop(client);
        return refuse("This cannot be used: the name is taken.".to_owned()).await;
    };
    let subject = format!("{} as {}", account.name, role.word());
    note(&client, &visit, &person, Action::AccountCreated, &subject).await?;
    Ok(Redirect::to("/users").into_response())
}

pub(crate) async fn change(
    state: State,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
    Form(form): Form<Change>,
) -> Result<Response, AppError> {
    let role = read_role(&form.role)?;
    let client = state.database.write().await?;
    let account = known(&client, named.id).await?;
    if account.id == person.account.id && role != Role::Admin {
        return Err(AppError::Conflict("You cannot take your own role away. Ask another admin."));
    }
    let hash = if form.password.is_empty() {
        None
    } else {
        check_password(&form.password, &account.name)
            .map_err(|error| AppError::BadRequest(format!("This cannot be used: {error}.")))?;
        Some(state.passwords.hash(form.password.clone()).await?)
    };
    accounts::change(&client, account.id, role, hash.as_deref()).await?;
    // Whoever is signed in with another role or password signs in again.
    for session in sessions::end_all(&client, account.id, Some(&person.session)).await? {
        state.streams.end_session(&session);
        state.connections.forget(&session);
    }
    let password = if hash.is_some() { ", with a new password" } else { "" };
    let subject = format!("{} as {}{password}", account.name, role.word());
    note(&client, &visit, &person, Action::AccountChanged, &subject).await?;
    Ok(Redirect::to("/users").into_response())
}

pub(crate) async fn remove(
    state: State,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
) -> Result<Response, AppError> {
    let client = state.database.write().await?;
    let account = known(&client, named.id).await?;
    if account.id == person.account.id {
        return Err(AppError::Conflict("You cannot remove yourself. Ask another admin."));
    }
    for session in sessions::end_all(&client, account.id, None).await? {
        state.streams.end_session(&session);
        state.connections.forget(&session);
    }
    accounts::remove(&client, account.id).await?;
    note(&client, &visit, &person, Action::AccountRemoved, &account.name).await?;
    Ok(Redirect::to("/users").into_response())
}

async fn known(client: &tokio_postgres::Client, id: i64) -> Result<crate::auth::Account, AppError> {
    let found = accounts::by_id(client, id).await?;
    found.ok_or_else(|| AppError::NotFound("There is no such user.".to_owned()))
}

fn read_role(word: &str) -> Result<Role, AppError> {
    let role = Role::ALL.into_iter().find(|role| role.word() == word);
    role.ok_or_else(|| AppError::BadRequest("There is no such role.".to_owned()))
}

async fn note(
    client: &tokio_postgres::Client,
    visit: &Visit,
    person: &SignedIn,
    action: Action,
    subject: &str,
) -> Result<(), AppError> {
    let entry = Entry {
        subject: Some(subject),
        ..Entry::new(action, &person.account.name, &visit.client_addr)
    };
    Ok(audit::add(client, entry).await?)
}
