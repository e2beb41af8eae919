//! `/healthz`: whether the process answers. `/c/{connection}/health`: whether all that should be recorded is.

use axum::response::{IntoResponse, Redirect, Response};
use pgtrack_tracker::care::{set_tracking, standing, untracked, verify};
use pgtrack_tracker::tracked_tables;
use serde::Deserialize;

use super::{Page, State};
use crate::app_error::AppError;
use crate::connections::Shown;
use crate::extract::Form;
use crate::store::audit::{self, Action, Entry};
use crate::table_name;
use crate::view::health::{Health, page};
use crate::visit::{SignedIn, Visit};
use crate::words::problem::Text;

/// Says nothing about the database: restarting us would not help it.
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// Whether we can do our work: not without our database.
pub(crate) async fn ready(state: State) -> Result<&'static str, AppError> {
    drop(state.database.read().await?);
    Ok("ready\n")
}

pub(crate) async fn get(shown: Shown, visit: Visit) -> Page {
    let client = shown.database.read().await?;
    let (tracked, untracked, findings, standing) = tokio::try_join!(
        tracked_tables(&client),
        untracked(&client),
        verify(&client),
        standing(&client)
    )?;
    let health = Health {
        tracked: &tracked,
        untracked: &untracked,
        findings: &findings,
        standing: &standing,
    };
    Ok(page(&visit, &health))
}

#[derive(Deserialize)]
pub(crate) struct Tracking {
    table: String,
    /// `on` or `off`.
    tracking: String,
}

pub(crate) async fn track(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Form(form): Form<Tracking>,
) -> Result<Response, AppError> {
    let table = table_name::parse(&form.table)
        .ok_or_else(|| AppError::BadRequest(Text::NoTable(form.table.clone())))?;
    shown.require_writable()?;
    let client = shown.database.write().await?;
    let status = set_tracking(&client, &table, form.tracking == "on").await?;
    let subject = format!("{}: {status}", table_name::write(&table));
    let entry = Entry {
        connection: Some(&shown.info.slug),
        subject: Some(&subject),
        ..Entry::new(Action::Tracked, &person.account.name, &visit.client_addr)
    };
    audit::add(&*state.database.write().await?, entry).await?;
    if status.starts_with("skipped") {
        return Err(AppError::Refused(Text::Skipped { table: table_name::write(&table), status }));
    }
    Ok(Redirect::to(&visit.links().health()).into_response())
}
