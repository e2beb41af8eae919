//! `/users`: who may sign in, and as what. For admins.

use std::collections::HashMap;
use std::iter;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::{Account, Grant, Role, SessionId, check_name, check_password};
use crate::extract::{Form, Path};
use crate::store::audit::{self, Action, Entry};
use crate::store::{accounts, connections, grants, sessions};
use crate::view::users::{Users, page};
use crate::visit::{SignedIn, Visit};
use crate::words::Why;
use crate::words::problem::Text;

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
    show(&state, &visit, &person, "", None).await
}

/// The page, with what was typed before and why nobody was added.
async fn show(
    state: &State,
    visit: &Visit,
    person: &SignedIn,
    name: &str,
    refusal: Option<Text>,
) -> Page {
    let client = state.database.read().await?;
    let (list, grants) = tokio::try_join!(accounts::list(&client), grants::list(&client))?;
    let connections = shown(state, &client).await?;
    let users = Users {
        list: &list,
        connections: &connections,
        grants: &grants,
        own: person.account.id,
        name,
        refusal,
    };
    Ok(page(visit, &users))
}

/// Every connection: its name in URLs, and that for people.
async fn shown(
    state: &State,
    client: &tokio_postgres::Client,
) -> Result<Vec<(String, String)>, AppError> {
    let configured = &state.connections.configured().info;
    let saved = connections::list(client).await?.into_iter().map(|one| one.details);
    Ok(iter::once((configured.slug.clone(), configured.label.clone()))
        .chain(saved.map(|details| (details.slug, details.label)))
        .collect())
}

pub(crate) async fn post(
    state: State,
    visit: Visit,
    person: SignedIn,
    Form(form): Form<NewUser>,
) -> Result<Response, AppError> {
    let refuse = async |why: Why| {
        let page = show(&state, &visit, &person, &form.name, Some(Text::CannotBeUsed(why))).await?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    let role = read_role(&form.role)?;
    let checked = check_name(&form.name).and_then(|name| {
        check_password(&form.password, name)?;
        Ok(name)
    });
    let name = match checked {
        Ok(name) => name,
        Err(error) => return refuse(Why::Account(error)).await,
    };
    let hash = state.passwords.hash(form.password.clone()).await?;
    let client = state.database.write().await?;
    let Some(account) = accounts::create(&client, name, role, &hash).await? else {
        drop(client);
        return refuse(Why::NameTaken).await;
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
        return Err(AppError::Conflict(Text::NotOwnRole));
    }
    let hash = if form.password.is_empty() {
        None
    } else {
        check_password(&form.password, &account.name)
            .map_err(|error| AppError::BadRequest(Text::CannotBeUsed(Why::Account(error))))?;
        Some(state.passwords.hash(form.password.clone()).await?)
    };
    accounts::change(&client, account.id, role, hash.as_deref()).await?;
    end_sessions(&state, &client, &account, Some(&person.session)).await?;
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
        return Err(AppError::Conflict(Text::NotOwnAccount));
    }
    end_sessions(&state, &client, &account, None).await?;
    accounts::remove(&client, account.id).await?;
    note(&client, &visit, &person, Action::AccountRemoved, &account.name).await?;
    Ok(Redirect::to("/users").into_response())
}

/// Changes what an account may do in single connections.
pub(crate) async fn grant(
    state: State,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
    Form(form): Form<HashMap<String, String>>,
) -> Result<Response, AppError> {
    let client = state.database.write().await?;
    let account = known(&client, named.id).await?;
    let shown = shown(&state, &client).await?;
    let mut given = Vec::new();
    for (connection, word) in form {
        if !shown.iter().any(|(slug, _)| *slug == connection) {
            return Err(AppError::no_connection());
        }
        let grant = match word.as_str() {
            "" => None,
            word => Some(
                Grant::ALL.into_iter().find(|grant| grant.word() == word).ok_or_else(no_role)?,
            ),
        };
        given.push((connection, grant));
    }
    given.sort_by(|(one, _), (other, _)| one.cmp(other));
    grants::set(&client, account.id, &given).await?;
    end_sessions(&state, &client, &account, Some(&person.session)).await?;
    let words = given.iter().map(|(connection, grant)| {
        format!("{connection}: {}", grant.map_or("as everywhere", Grant::word))
    });
    let subject = format!("{} in {}", account.name, words.collect::<Vec<_>>().join(", "));
    note(&client, &visit, &person, Action::AccountChanged, &subject).await?;
    Ok(Redirect::to("/users").into_response())
}

/// Whoever is signed in with what is no longer true signs in again; also ends what they watch.
async fn end_sessions(
    state: &State,
    client: &tokio_postgres::Client,
    account: &Account,
    except: Option<&SessionId>,
) -> Result<(), AppError> {
    for session in sessions::end_all(client, account.id, except).await? {
        state.streams.end_session(&session);
        state.connections.forget(&session);
    }
    Ok(())
}

async fn known(client: &tokio_postgres::Client, id: i64) -> Result<Account, AppError> {
    let found = accounts::by_id(client, id).await?;
    found.ok_or_else(|| AppError::NotFound(Text::NoUser))
}

fn read_role(word: &str) -> Result<Role, AppError> {
    let role = Role::ALL.into_iter().find(|role| role.word() == word);
    role.ok_or_else(no_role)
}

fn no_role() -> AppError {
    AppError::BadRequest(Text::NoRole)
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
