//! `/c/{connection}/digests`: what is told elsewhere of the changes of this connection. For admins.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use pgtrack_tracker::activity::bookmark;
use serde::Deserialize;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::check_name;
use crate::connections::{Found, Shown};
use crate::digests::{self, Format, Schedule, Secret, Target};
use crate::extract::{Form, Path, Query};
use crate::hex;
use crate::preferences;
use crate::reading::Reader;
use crate::rules::Rules;
use crate::search::Search;
use crate::state::AppState;
use crate::store::audit::{self, Action, Entry};
use crate::store::digests::{self as store, Details, Reached, Saved, Sealed};
use crate::view::digests::{Editor, List, Tested, form_page, list_page};
use crate::visit::{SignedIn, Visit};
use crate::words::problem::Text;
use crate::words::{Why, plain};

/// So many a connection may have.
const MOST: usize = 20;
/// The longest filter, in bytes: it is in every digest, and in its link.
const MAX_FILTER: usize = 2000;
/// The shortest secret to sign with, in bytes.
const MIN_SECRET: usize = 16;

/// The fields of the form.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Fields {
    pub(crate) name: String,
    #[serde(default)]
    url: Zeroizing<String>,
    pub(crate) format: String,
    #[serde(default)]
    secret: Zeroizing<String>,
    pub(crate) every: String,
    #[serde(default)]
    pub(crate) hour: String,
    #[serde(default)]
    pub(crate) zone: String,
    #[serde(default)]
    pub(crate) changes: String,
    /// There if empty digests are sent.
    #[serde(default)]
    pub(crate) empty: String,
}

#[derive(Deserialize)]
pub(crate) struct Named {
    id: String,
}

#[derive(Deserialize)]
pub(crate) struct Look {
    /// A filter to begin with.
    #[serde(default)]
    changes: String,
}

#[derive(Deserialize)]
pub(crate) struct Pause {
    /// `on` or `off`.
    paused: String,
}

pub(crate) async fn get(state: State, shown: Shown, visit: Visit) -> Page {
    let digests = store::list(&*state.database.read().await?, &shown.info.slug).await?;
    let why_not = why_not(&state, &shown).await?;
    Ok(list_page(&visit, &List { digests: &digests, tested: None, why_not }))
}

/// The empty form.
pub(crate) async fn new(
    state: State,
    shown: Shown,
    visit: Visit,
    Query(look): Query<Look>,
) -> Page {
    let why_not = why_not(&state, &shown).await?;
    Ok(form_page(&visit, &Editor { why_not, ..editor(&state, None, None, &look.changes) }))
}

/// The form of one.
pub(crate) async fn edit(
    state: State,
    shown: Shown,
    visit: Visit,
    Path(named): Path<Named>,
) -> Page {
    let saved = known(&state, &shown, &named.id).await?;
    Ok(form_page(&visit, &editor(&state, Some(&saved), None, "")))
}

pub(crate) async fn add(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Form(fields): Form<Fields>,
) -> Result<Response, AppError> {
    submitted(&state, &shown, &visit, &person, None, &fields).await
}

pub(crate) async fn change(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
    Form(fields): Form<Fields>,
) -> Result<Response, AppError> {
    let saved = known(&state, &shown, &named.id).await?;
    submitted(&state, &shown, &visit, &person, Some(&saved), &fields).await
}

/// Sends what it would tell now.
pub(crate) async fn test(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
) -> Result<Response, AppError> {
    let saved = known(&state, &shown, &named.id).await?;
    // Each goes to where somebody wants; not too many of them.
    if state.tests.take(&person.account.name, Instant::now()).is_err() {
        return Err(AppError::TooMany(Text::DigestTests));
    }
    let result = digests::test(&state, &saved).await?;
    let outcome = match &result {
        Ok(status) => format!("delivered, status {}", status.as_u16()),
        Err(why) => plain(why),
    };
    note(&state, &visit, &person, Action::DigestTested, &saved, Some(&outcome)).await?;
    let digests = store::list(&*state.database.read().await?, &shown.info.slug).await?;
    let tested = Some(Tested { name: &saved.details.name, result });
    let why_not = why_not(&state, &shown).await?;
    Ok(list_page(&visit, &List { digests: &digests, tested, why_not }).into_response())
}

pub(crate) async fn pause(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
    Form(form): Form<Pause>,
) -> Result<Response, AppError> {
    let saved = known(&state, &shown, &named.id).await?;
    let client = state.database.write().await?;
    let action = if form.paused == "on" {
        store::pause(&client, &saved.id).await?;
        Action::DigestPaused
    } else {
        store::resume(&client, &saved.id).await?;
        Action::DigestResumed
    };
    drop(client);
    note(&state, &visit, &person, action, &saved, None).await?;
    Ok(Redirect::to(&visit.links().digests()).into_response())
}

pub(crate) async fn remove(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Path(named): Path<Named>,
) -> Result<Response, AppError> {
    let saved = known(&state, &shown, &named.id).await?;
    store::remove(&*state.database.write().await?, &saved.id).await?;
    note(&state, &visit, &person, Action::DigestRemoved, &saved, None).await?;
    Ok(Redirect::to(&visit.links().digests()).into_response())
}

async fn submitted(
    state: &AppState,
    shown: &Shown,
    visit: &Visit,
    person: &SignedIn,
    saved: Option<&Saved>,
    fields: &Fields,
) -> Result<Response, AppError> {
    let read = match read(visit, saved, fields) {
        Ok(read) => read,
        Err(why) => return Ok(refuse(state, visit, saved, fields, why)),
    };
    if saved.is_none()
        && let Some(why) = why_not(state, shown).await?
    {
        return Ok(refuse(state, visit, saved, fields, why));
    }
    if let Some(target) = &read.target
        && let Err(failure) = state.sender.check(target).await
    {
        return Ok(refuse(state, visit, saved, fields, Why::Undelivered(failure)));
    }
    let start = match start(shown, &read.search).await {
        Ok(start) => start,
        Err(AppError::Unsearchable(why)) => {
            return Ok(refuse(state, visit, saved, fields, why));
        }
        Err(error) => return Err(error),
    };
    let id = match saved {
        Some(saved) => saved.id.clone(),
        None => hex::random::<16>().map_err(|error| AppError::Internal(error.to_string()))?,
    };
    let sealed = seal(state, &id, saved, &read, fields)
        .ok_or_else(|| AppError::Internal("a digest cannot be sealed".to_owned()))?;
    let client = state.database.write().await?;
    let action = if saved.is_some() {
        store::change(&client, &id, &read.details, &sealed).await?;
        Action::DigestChanged
    } else {
        store::add(&client, &shown.info.slug, &id, &read.details, &sealed, &start).await?;
        Action::DigestAdded
    };
    drop(client);
    let saved = known(state, shown, &id).await?;
    note(state, visit, person, action, &saved, None).await?;
    Ok(Redirect::to(&format!("{}?saved=yes", visit.links().digests())).into_response())
}

/// What was entered, if it makes sense.
struct Read {
    details: Details,
    search: Search,
    /// None: it stays where it is.
    target: Option<Target>,
}

fn read(visit: &Visit, saved: Option<&Saved>, fields: &Fields) -> Result<Read, Why> {
    let name = check_name(&fields.name).map_err(Why::Account)?.to_owned();
    let target = match (fields.url.trim(), saved) {
        ("", Some(_)) => None,
        ("", None) => return Err(Why::AddressMissing),
        (url, _) => Some(Target::parse(url)?),
    };
    let format = Format::from_word(&fields.format).ok_or(Why::ChooseFormat)?;
    let has_secret = saved.is_some_and(|saved| saved.sealed.secret.is_some());
    if format == Format::Json
        && !(fields.secret.is_empty() && has_secret)
        && fields.secret.len() < MIN_SECRET
    {
        return Err(Why::SecretShort);
    }
    let hour = fields.hour.parse().unwrap_or_default();
    let zone = if fields.zone.is_empty() { visit.preferences.zone_name() } else { &fields.zone };
    if preferences::zone(zone).is_none() {
        return Err(Why::NoZone(zone.to_owned()));
    }
    let schedule = Schedule::read(&fields.every, hour, zone).ok_or(Why::ChooseInterval)?;
    let search = digests::read_filter(&fields.changes).ok_or(Why::NoActivityFilter)?;
    digests::filter(&search)?;
    let query = search.query();
    if query.len() > MAX_FILTER {
        return Err(Why::FilterLong);
    }
    let sends_empty = !fields.empty.is_empty();
    let details = Details { name, format, schedule, query, sends_empty };
    Ok(Read { details, search, target })
}

/// What may be kept: what was typed is sealed, the rest stays.
fn seal(
    state: &AppState,
    id: &str,
    saved: Option<&Saved>,
    read: &Read,
    fields: &Fields,
) -> Option<Sealed> {
    let keys = &state.connections.keys;
    let (url, shown_url) = match (&read.target, saved) {
        (Some(target), _) => (Secret::Url.seal(keys, id, fields.url.trim())?, target.masked()),
        (None, saved) => {
            let kept = &saved?.sealed;
            (kept.url.clone(), kept.shown_url.clone())
        }
    };
    let secret = if fields.secret.is_empty() {
        saved.and_then(|saved| saved.sealed.secret.clone())
    } else {
        Some(Secret::Signature.seal(keys, id, &fields.secret)?)
    };
    Some(Sealed { url, shown_url, secret })
}

/// Where a digest begins: here and now, if the database knows what the filter names.
async fn start(shown: &Shown, search: &Search) -> Result<Reached, AppError> {
    let filter = digests::filter(search).map_err(AppError::Unsearchable)?;
    let reader = Reader::with(shown, Rules::default()).await?;
    let (bookmark, at) = bookmark(&reader).await?;
    reader.summary(&filter, &bookmark).await?;
    Ok(Reached { bookmark, at })
}

/// Why none can be added here.
async fn why_not(state: &AppState, shown: &Shown) -> Result<Option<Why>, AppError> {
    if state.connections.keys.is_empty() {
        return Ok(Some(Why::NoKeyForDigests));
    }
    let slug = &shown.info.slug;
    if matches!(state.connections.find_unattended(slug).await?, Found::Locked(_)) {
        return Ok(Some(Why::PasswordAsked));
    }
    let digests = store::list(&*state.database.read().await?, slug).await?;
    Ok((digests.len() >= MOST).then_some(Why::DigestsFull))
}

fn refuse(
    state: &AppState,
    visit: &Visit,
    saved: Option<&Saved>,
    fields: &Fields,
    why: Why,
) -> Response {
    let refusal = Some(Text::CannotBeUsed(why));
    let page = form_page(visit, &Editor { refusal, ..editor(state, saved, Some(fields), "") });
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

fn editor<'a>(
    state: &AppState,
    saved: Option<&'a Saved>,
    fields: Option<&'a Fields>,
    changes: &'a str,
) -> Editor<'a> {
    let has_links = state.public_url.is_some();
    Editor { saved, fields, changes, refusal: None, why_not: None, has_links }
}

async fn known(state: &AppState, shown: &Shown, id: &str) -> Result<Saved, AppError> {
    let found = store::find(&*state.database.read().await?, &shown.info.slug, id).await?;
    found.ok_or_else(|| AppError::NotFound(Text::NoDigest))
}

async fn note(
    state: &AppState,
    visit: &Visit,
    person: &SignedIn,
    action: Action,
    digest: &Saved,
    outcome: Option<&str>,
) -> Result<(), AppError> {
    let subject = format!("{}: {}", digest.details.name, digest.sealed.shown_url);
    let entry = Entry {
        connection: Some(&digest.connection),
        subject: Some(&subject),
        outcome,
        ..Entry::new(action, &person.account.name, &visit.client_addr)
    };
    Ok(audit::add(&*state.database.write().await?, entry).await?)
}
