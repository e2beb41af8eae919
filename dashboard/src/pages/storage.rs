//! `/c/{connection}/storage`: what the history takes up, and removing what is old.

use axum::response::{IntoResponse, Redirect, Response};
use jiff::SignedDuration;
use pgtrack_tracker::care::{plan_purge, purge, statement_bytes, storage};
use serde::Deserialize;

use super::{Page, State};
use crate::app_error::AppError;
use crate::auth::Role;
use crate::connections::Shown;
use crate::extract::{Form, Query};
use crate::store::audit::{self, Action, Entry};
use crate::view::storage::{Purge, Storage, page};
use crate::visit::{SignedIn, Visit};
use crate::words::problem::Text;

/// A hundred years.
const MOST_DAYS: u32 = 36_500;

#[derive(Deserialize)]
pub(crate) struct Look {
    /// Days whose history would be kept.
    keep: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Confirmed {
    keep: String,
}

pub(crate) async fn get(shown: Shown, visit: Visit, Query(look): Query<Look>) -> Page {
    let client = shown.database.read().await?;
    let (tables, statement_bytes) = tokio::try_join!(storage(&client), statement_bytes(&client))?;
    let purge = match look.keep.as_deref().filter(|_| visit.is(Role::Admin)) {
        None => None,
        Some(text) => {
            let days = read_days(text)?;
            let tables = plan_purge(&client, age(days)).await?;
            Some(Purge { days, tables })
        }
    };
    Ok(page(&visit, &Storage { tables: &tables, statement_bytes, purge }))
}

pub(crate) async fn post(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Form(confirmed): Form<Confirmed>,
) -> Result<Response, AppError> {
    let days = read_days(&confirmed.keep)?;
    shown.require_writable()?;
    let client = shown.database.write().await?;
    let removed = purge(&client, age(days)).await?;
    let changes: i64 = removed.iter().map(|one| one.changes).sum();
    let subject = format!("{changes} changes older than {days} days");
    let entry = Entry {
        connection: Some(&shown.info.slug),
        subject: Some(&subject),
        ..Entry::new(Action::Purged, &person.account.name, &visit.client_addr)
    };
    audit::add(&*state.database.write().await?, entry).await?;
    Ok(Redirect::to(&visit.links().storage()).into_response())
}

fn read_days(text: &str) -> Result<u32, AppError> {
    let days = text.trim().parse().ok().filter(|days| (1..=MOST_DAYS).contains(days));
    days.ok_or_else(|| AppError::BadRequest(Text::NoDays(text.to_owned())))
}

fn age(days: u32) -> SignedDuration {
    SignedDuration::from_hours(24 * i64::from(days))
}
