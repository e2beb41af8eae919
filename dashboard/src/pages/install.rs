//! `/c/{connection}/install`: installs or upgrades pg_track in a database, after showing the SQL.

use axum::response::{IntoResponse, Redirect, Response};
use pgtrack_tracker::{install, installed, script};

use super::{Page, State};
use crate::app_error::AppError;
use crate::connections::Shown;
use crate::store::audit::{self, Action, Entry};
use crate::view::install::{Install, page};
use crate::visit::{SignedIn, Visit};

pub(crate) async fn get(shown: Shown, visit: Visit) -> Page {
    let client = shown.database.any().await?;
    let found = installed(&client).await?;
    Ok(page(&visit, &Install { found: &found, script: script() }))
}

pub(crate) async fn post(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
) -> Result<Response, AppError> {
    shown.require_writable()?;
    let mut client = shown.database.any().await?;
    install(&mut client).await.map_err(AppError::Install)?;
    let entry = Entry {
        connection: Some(&shown.info.slug),
        ..Entry::new(Action::Installed, &person.account.name, &visit.client_addr)
    };
    audit::add(&*state.database.write().await?, entry).await?;
    Ok(Redirect::to(&visit.links().overview()).into_response())
}
