//! `/connections`: the databases that are shown. Everybody sees them; admins add, change, test and remove them.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::{Grant, Role, check_name};
use crate::connections::{Environment, Stages, TlsMode, probe};
use crate::extract::{Form, Path};
use crate::links::encode;
use crate::network::is_host_name;
use crate::state::AppState;
use crate::store::audit::{self, Action, Entry};
use crate::store::connections::{self as store, Details, Saved};
use crate::store::grants;
use crate::view::connections::{Editor, list_page, page};
use crate::visit::{SignedIn, Visit};
use crate::words::connections::Text::Stage;
use crate::words::problem::Text;
use crate::words::{Why, plain};

/// The fields of the form.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Fields {
    #[serde(default)]
    pub(crate) slug: String,
    pub(crate) label: String,
    pub(crate) environment: String,
    #[serde(default)]
    pub(crate) read_only: String,
    pub(crate) host: String,
    pub(crate) port: String,
    pub(crate) database: String,
    pub(crate) role: String,
    pub(crate) tls: String,
    #[serde(default)]
    password: Zeroizing<String>,
    /// `keep` or `ask`.
    #[serde(default)]
    pub(crate) password_is: String,
    /// `test` or `save`.
    #[serde(default)]
    action: String,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    slug: String,
}

pub(crate) async fn get(state: State, visit: Visit, person: SignedIn) -> Page {
    let client = state.database.read().await?;
    let grants = grants::list(&client).await?;
    // Admins manage also those that they do not read.
    let is_shown = |slug: &str| {
        person.account.role == Role::Admin
            || grants.get(&(person.account.id, slug.to_owned())) != Some(&Grant::None)
    };
    let mut saved = store::list(&client).await?;
    saved.retain(|one| is_shown(&one.details.slug));
    let configured = &state.connections.configured().info;
    Ok(list_page(&visit, is_shown(&configured.slug).then_some(configured), &saved))
}

/// The empty form.
pub(crate) async fn new(state: State, visit: Visit) -> Page {
    Ok(page(&visit, &editor(&state, None, None, None, None)))
}

/// The form of one.
pub(crate) async fn edit(state: State, visit: Visit, Path(named): Path<Named>) -> Page {
    let saved = known(&state, &named.slug).await?;
    Ok(page(&visit, &editor(&state, Some(&saved), None, None, None)))
}

/// Adds one, or only tests it.
pub(crate) async fn add(
    state: State,
    visit: Visit,
    person: SignedIn,
    Form(fields): Form<Fields>,
) -> Result<Response, AppError> {
    submitted(&state, &visit, &person, None, &fields).await
}

/// Changes one, or only tests it.
pub(crate) async fn change(
    state: State,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
    Form(fields): Form<Fields>,
) -> Result<Response, AppError> {
    let saved = known(&state, &named.slug).await?;
    submitted(&state, &visit, &person, Some(&saved), &fields).await
}

pub(crate) async fn remove(
    state: State,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
) -> Result<Response, AppError> {
    let saved = known(&state, &named.slug).await?;
    store::remove(&*state.database.write().await?, saved.id).await?;
    note(&state, &visit, &person, Action::ConnectionRemoved, &saved.details, None).await?;
    Ok(Redirect::to("/connections").into_response())
}

async fn submitted(
    state: &State,
    visit: &Visit,
    person: &SignedIn,
    saved: Option<&Saved>,
    fields: &Fields,
) -> Result<Response, AppError> {
    let form = |refusal: Option<Text>, stages: Option<&Stages>| {
        page(visit, &editor(state, saved, Some(fields), refusal, stages))
    };
    let details = match read(saved, fields) {
        Ok(details) => details,
        Err(why) => {
            let page = form(Some(Text::CannotBeUsed(why)), None);
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    if fields.action == "test" {
        // Each test opens connections to where somebody wants; not too many of them.
        if let Err(wait) = state.tests.take(&person.account.name, Instant::now()) {
            let why = Text::TestsWait(wait.as_secs() + 1);
            return Ok((StatusCode::TOO_MANY_REQUESTS, form(Some(why), None)).into_response());
        }
        let password = password(state, saved, fields);
        let stages = probe(&details, &password, &state.connections.allowed).await;
        let failed = stages.0.iter().find(|stage| !matches!(stage.result, Some(Ok(_))));
        let outcome = failed.map_or("all good".to_owned(), |stage| plain(Stage(stage.part)));
        note(state, visit, person, Action::ConnectionTested, &details, Some(&outcome)).await?;
        return Ok(form(None, Some(&stages)).into_response());
    }
    let client = state.database.write().await?;
    let (id, action) = match saved {
        Some(saved) => {
            store::change(&client, saved.id, &details).await?;
            (saved.id, Action::ConnectionChanged)
        }
        None => match store::add(&client, &details).await? {
            Some(id) if details.slug != state.connections.configured().info.slug => {
                (id, Action::ConnectionAdded)
            }
            taken => {
                if let Some(id) = taken {
                    store::remove(&client, id).await?;
                }
                let page = form(Some(Text::CannotBeUsed(Why::SlugTaken)), None);
                return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
            }
        },
    };
    if fields.password_is == "ask" {
        store::set_password(&client, id, None).await?;
    } else if !fields.password.is_empty() {
        let sealed = state.connections.keys.seal(&id.to_string(), &fields.password);
        let sealed = sealed.ok_or_else(|| {
            AppError::Internal("there is no key to seal the password with".to_owned())
        })?;
        store::set_password(&client, id, Some(&sealed)).await?;
    }
    drop(client);
    note(state, visit, person, action, &details, None).await?;
    Ok(Redirect::to(&format!("/c/{}", encode(&details.slug))).into_response())
}

fn editor<'a>(
    state: &AppState,
    saved: Option<&'a Saved>,
    fields: Option<&'a Fields>,
    refusal: Option<Text>,
    stages: Option<&'a Stages>,
) -> Editor<'a> {
    Editor { saved, fields, refusal, stages, can_keep: !state.connections.keys.is_empty() }
}

/// What was entered, if it makes sense.
fn read(saved: Option<&Saved>, fields: &Fields) -> Result<Details, Why> {
    let label = check_name(&fields.label).map_err(Why::Account)?.to_owned();
    let slug = saved.map_or_else(|| fields.slug.trim().to_owned(), |one| one.details.slug.clone());
    let is_slug = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    if slug.is_empty() || slug.len() > 40 || !slug.chars().all(is_slug) {
        return Err(Why::SlugCharacters);
    }
    let host = fields.host.trim().to_owned();
    if !is_host_name(&host) && host.parse::<std::net::IpAddr>().is_err() {
        return Err(Why::HostNeither);
    }
    let port = fields.port.trim().parse().ok().filter(|port| *port > 0_u16);
    let port = port.ok_or(Why::PortRange)?;
    for (text, why) in [(&fields.database, Why::DatabaseLength), (&fields.role, Why::RoleLength)] {
        let fits = (1..=63).contains(&text.len()) && !text.chars().any(char::is_control);
        if !fits {
            return Err(why);
        }
    }
    Ok(Details {
        slug,
        label,
        environment: Environment::from_word(&fields.environment),
        is_read_only: !fields.read_only.is_empty(),
        host,
        port,
        database: fields.database.clone(),
        role: fields.role.clone(),
        tls: TlsMode::from_word(&fields.tls),
    })
}

/// The password that was typed, else the one that is kept. A kept one is only sent to where it belongs.
fn password(state: &AppState, saved: Option<&Saved>, fields: &Fields) -> Zeroizing<String> {
    if !fields.password.is_empty() {
        return fields.password.clone();
    }
    let kept = saved.filter(|one| {
        one.details.host == fields.host.trim() && one.details.port.to_string() == fields.port.trim()
    });
    kept.and_then(|one| {
        state.connections.keys.open(&one.id.to_string(), one.sealed_password.as_deref()?)
    })
    .unwrap_or_default()
}

async fn known(state: &AppState, slug: &str) -> Result<Saved, AppError> {
    let found = store::find(&*state.database.read().await?, slug).await?;
    found.ok_or_else(AppError::no_connection)
}

/// The one to unlock, if this person sees it.
async fn seen(state: &AppState, person: &SignedIn, slug: &str) -> Result<Saved, AppError> {
    let client = state.database.read().await?;
    grants::role_in(&client, &person.account, slug).await?.ok_or_else(AppError::no_connection)?;
    drop(client);
    known(state, slug).await
}

async fn note(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    action: Action,
    details: &Details,
    outcome: Option<&str>,
) -> Result<(), AppError> {
    let subject = format!("{}:{}/{}", details.host, details.port, details.database);
    let entry = Entry {
        connection: Some(&details.slug),
        subject: Some(&subject),
        outcome,
        ..Entry::new(action, &person.account.name, &visit.client_addr)
    };
    Ok(audit::add(&*state.database.write().await?, entry).await?)
}

/// The form that asks for the password of a connection.
pub(crate) async fn locked(
    state: State,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
) -> Page {
    let saved = seen(&state, &person, &named.slug).await?;
    Ok(crate::view::connections::unlock_page(&visit, &saved, None))
}

#[derive(Deserialize)]
pub(crate) struct Key {
    password: Zeroizing<String>,
}

/// Takes the password of a connection for as long as the session lasts, if it is right.
pub(crate) async fn unlock(
    state: State,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
    Form(key): Form<Key>,
) -> Result<Response, AppError> {
    let saved = seen(&state, &person, &named.slug).await?;
    let refused = |status, why: &Text| {
        (status, crate::view::connections::unlock_page(&visit, &saved, Some(why))).into_response()
    };
    if let Err(wait) = state.tests.take(&person.account.name, Instant::now()) {
        let why = Text::AttemptsWait(wait.as_secs() + 1);
        return Ok(refused(StatusCode::TOO_MANY_REQUESTS, &why));
    }
    let stages = probe(&saved.details, &key.password, &state.connections.allowed).await;
    // The last stage, pg_track itself, is another matter.
    let failed = stages.0.iter().take(4).find_map(|stage| stage.result.clone()?.err());
    if let Some(why) = failed {
        // Why exactly is for those who may look into the network.
        let why = if visit.is(Role::Admin) { why } else { Why::CannotConnect };
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, &Text::DidNotWork(why)));
    }
    state.connections.unlock(saved.id, &person.session, key.password);
    Ok(Redirect::to(&format!("/c/{}", encode(&saved.details.slug))).into_response())
}
