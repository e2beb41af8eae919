//! `/c/{connection}/rules`: whose changes alone are not shown in lists, and whose values some roles do not see.
//! For admins. `?ignored=` shows what rules would leave out before they are saved.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use pgtrack_tracker::activity::{Filter, Rest};
use pgtrack_tracker::tracked_tables;
use serde::Deserialize;
use tokio_postgres::Client;

use super::{Page, State};
use crate::app_error::AppError;
use crate::connections::Shown;
use crate::extract::{Form, Query};
use crate::reading::{Listed, Reader};
use crate::rules::{Pattern, Purpose, Rule, Rules, parse_list};
use crate::store::audit::{self, Action, Entry};
use crate::store::rules as store;
use crate::view::rules::{Effect, RulesPage, page};
use crate::visit::{SignedIn, Visit};
use crate::words::Why;
use crate::words::problem::Text;

/// How many of the latest changes a preview looks at.
const MOST: usize = 1000;
/// How many are read at once.
const CHUNK: usize = 200;

#[derive(Deserialize)]
pub(crate) struct Look {
    /// Rules to try, one on each line.
    ignored: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Ignored {
    ignored: String,
}

#[derive(Deserialize)]
pub(crate) struct Hidden {
    from_viewers: String,
    from_operators: String,
}

pub(crate) async fn get(
    state: State,
    shown: Shown,
    visit: Visit,
    Query(look): Query<Look>,
) -> Result<Response, AppError> {
    let Some(text) = look.ignored else {
        return Ok(show(&state, &shown, &visit, None, None).await?.into_response());
    };
    let patterns = match parse_list(&text) {
        Ok(patterns) => patterns,
        Err(why) => return refuse(&state, &shown, &visit, text, why).await,
    };
    let effect = effect(&shown, patterns).await?;
    Ok(show(&state, &shown, &visit, Some(text), Some(Ok(effect))).await?.into_response())
}

pub(crate) async fn ignore(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Form(form): Form<Ignored>,
) -> Result<Response, AppError> {
    let patterns = match parse_list(&form.ignored) {
        Ok(patterns) => patterns,
        Err(why) => return refuse(&state, &shown, &visit, form.ignored, why).await,
    };
    let purpose = Purpose::Ignore;
    let rules: Vec<_> = patterns.into_iter().map(|pattern| Rule { purpose, pattern }).collect();
    save(&state, &shown, &visit, &person, &[purpose], &rules).await
}

pub(crate) async fn hide(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Form(form): Form<Hidden>,
) -> Result<Response, AppError> {
    let purposes = [Purpose::HideFromViewers, Purpose::HideFromOperators];
    let mut rules = Vec::new();
    for (purpose, text) in purposes.into_iter().zip([&form.from_viewers, &form.from_operators]) {
        let patterns =
            parse_list(text).map_err(|why| AppError::BadRequest(Text::CannotBeSaved(why)))?;
        rules.extend(patterns.into_iter().map(|pattern| Rule { purpose, pattern }));
    }
    save(&state, &shown, &visit, &person, &purposes, &rules).await
}

async fn save(
    state: &State,
    shown: &Shown,
    visit: &Visit,
    person: &SignedIn,
    purposes: &[Purpose],
    rules: &[Rule],
) -> Result<Response, AppError> {
    let client = state.database.write().await?;
    store::replace(&client, &shown.info.slug, purposes, rules).await?;
    // Those of other dashboards notice within seconds.
    state.streams.end_all();
    let words =
        rules.iter().map(|rule| format!("{}: {}", rule.purpose.word(), rule.pattern.as_str()));
    let subject = words.collect::<Vec<_>>().join(", ");
    let entry = Entry {
        connection: Some(&shown.info.slug),
        subject: Some(if rules.is_empty() { "none" } else { &subject }),
        ..Entry::new(Action::RulesChanged, &person.account.name, &visit.client_addr)
    };
    audit::add(&client, entry).await?;
    Ok(Redirect::to(&format!("{}?saved=yes", visit.links().rules())).into_response())
}

async fn refuse(
    state: &State,
    shown: &Shown,
    visit: &Visit,
    text: String,
    why: Why,
) -> Result<Response, AppError> {
    let page = show(state, shown, visit, Some(text), Some(Err(why))).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// The page; with rules that were typed and not saved, and what they would do.
async fn show(
    state: &State,
    shown: &Shown,
    visit: &Visit,
    typed: Option<String>,
    effect: Option<Result<Effect, Why>>,
) -> Page {
    let rules = store::list(&*state.database.read().await?, &shown.info.slug).await?;
    let client = shown.database.read().await?;
    let keys = hidden_keys(&client, &rules).await?;
    Ok(page(visit, &RulesPage { rules: &rules, typed: typed.as_deref(), effect, keys: &keys }))
}

/// What rules would leave out of the latest changes.
async fn effect(shown: &Shown, patterns: Vec<Pattern>) -> Result<Effect, AppError> {
    let reader = Reader::with(shown, Rules::ignoring(patterns)).await?;
    let mut effect = Effect { looked_at: 0, left_out: 0 };
    let mut before = None;
    while effect.looked_at < MOST {
        let filter = Filter::default();
        let Listed { items, rest, ignored } =
            reader.statements(&filter, before, CHUNK, false).await?;
        effect.looked_at += items.len() + ignored;
        effect.left_out += ignored;
        match rest {
            Rest::Older(next) | Rest::Unknown(next) => before = Some(next),
            Rest::None => break,
        }
    }
    Ok(effect)
}

/// The tables whose rows cannot be named by those from whom values are hidden.
async fn hidden_keys(client: &Client, rules: &[Rule]) -> Result<Vec<String>, AppError> {
    let hiding = |rule: &&Rule| rule.purpose != Purpose::Ignore;
    let tables = tracked_tables(client).await?.into_iter();
    let is_hidden = |table: &pgtrack_tracker::TrackedTable| {
        rules.iter().filter(hiding).any(|rule| {
            table.key_columns.iter().any(|column| rule.pattern.matches(&table.name, column))
        })
    };
    Ok(tables.filter(is_hidden).map(|table| table.display_name).collect())
}
