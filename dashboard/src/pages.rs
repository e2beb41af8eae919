//! The handlers, one file for each route: they read the request, ask the tracker or the store, and have a view
//! render the answer.

pub(crate) mod account;
pub(crate) mod activity;
pub(crate) mod as_of;
pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod change;
pub(crate) mod connections;
pub(crate) mod deleted;
pub(crate) mod digests;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod home;
pub(crate) mod install;
pub(crate) mod job;
pub(crate) mod live;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod not_found;
pub(crate) mod overview;
pub(crate) mod plan;
pub(crate) mod revert;
pub(crate) mod row;
pub(crate) mod rules;
pub(crate) mod settings;
pub(crate) mod setup;
pub(crate) mod storage;
pub(crate) mod table;
pub(crate) mod tables;
pub(crate) mod theme;
pub(crate) mod transaction;
pub(crate) mod users;
pub(crate) mod views;

use std::sync::Arc;

use axum::response::Html;
use pgtrack_tracker::{TrackedTable, tracked_table};
use tokio_postgres::Client;

use crate::app_error::AppError;
use crate::state::AppState;
use crate::table_name;
use crate::words::problem::Text;

type State = axum::extract::State<Arc<AppState>>;
type Page = Result<Html<String>, AppError>;

/// The tracked table that a URL names.
async fn known_table(client: &Client, text: &str) -> Result<TrackedTable, AppError> {
    let found = match table_name::parse(text) {
        Some(name) => tracked_table(client, &name).await?,
        None => None,
    };
    found.ok_or_else(|| AppError::NotFound(Text::NoTableTracked(text.to_owned())))
}
