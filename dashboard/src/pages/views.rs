//! `POST /c/{connection}/views`: saves a search under a name; `…/views/remove` forgets it.

use axum::response::Redirect;
use serde::Deserialize;

use super::State;
use crate::app_error::AppError;
use crate::auth::check_name;
use crate::connections::Shown;
use crate::extract::Form;
use crate::search::Search;
use crate::store::views;
use crate::visit::{SignedIn, Visit};
use crate::words::Why;
use crate::words::problem::Text;

const MOST_QUERY: usize = 2000;

#[derive(Deserialize)]
pub(crate) struct Save {
    name: String,
    query: String,
}

#[derive(Deserialize)]
pub(crate) struct Remove {
    name: String,
}

pub(crate) async fn save(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Form(form): Form<Save>,
) -> Result<Redirect, AppError> {
    let name = check_name(&form.name)
        .map_err(|error| AppError::BadRequest(Text::Only(Why::Account(error))))?;
    let search = Search::parse(&form.query)
        .map(|search| search.newest())
        .filter(|search| !search.is_open() && search.query().len() <= MOST_QUERY)
        .ok_or(AppError::BadRequest(Text::NoFilter))?;
    let client = state.database.write().await?;
    views::save(&client, person.account.id, &shown.info.slug, name, &search.query()).await?;
    Ok(Redirect::to(&visit.links().changes(&search)))
}

pub(crate) async fn remove(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Form(form): Form<Remove>,
) -> Result<Redirect, AppError> {
    let client = state.database.write().await?;
    views::remove(&client, person.account.id, &shown.info.slug, &form.name).await?;
    Ok(Redirect::to(&visit.links().changes(&Search::default())))
}
