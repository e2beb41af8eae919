//! `/audit`: what was done through the dashboard, and what was refused. For admins.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::{Page, State};
use crate::app_error::AppError;
use crate::extract::Query;
use crate::store::audit::{self, Wanted};
use crate::view::audit::{Log, page};
use crate::visit::Visit;

const PAGE: i64 = 100;
/// The file has no more lines than this.
const MOST: i64 = 100_000;

#[derive(Deserialize)]
pub(crate) struct Look {
    #[serde(default)]
    name: String,
    #[serde(default)]
    action: String,
    before: Option<i64>,
}

impl Look {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            name: Some(self.name.trim()).filter(|name| !name.is_empty()),
            action: Some(self.action.trim()).filter(|action| !action.is_empty()),
            before: self.before,
        }
    }
}

pub(crate) async fn get(state: State, visit: Visit, Query(look): Query<Look>) -> Page {
    let client = state.database.read().await?;
    let mut lines = audit::list(&client, look.wanted(), PAGE + 1).await?;
    let shown = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let next = if lines.len() > shown { lines.get(shown - 1).map(|line| line.id) } else { None };
    lines.truncate(shown);
    let actions = audit::actions();
    let log =
        Log { lines: &lines, name: &look.name, action: &look.action, actions: &actions, next };
    Ok(page(&visit, &log))
}

/// The same as a file, one JSON object on each line.
pub(crate) async fn jsonl(state: State, Query(look): Query<Look>) -> Result<Response, AppError> {
    let client = state.database.read().await?;
    let lines = audit::list(&client, look.wanted(), MOST).await?;
    let text: String =
        lines.iter().map(|line| serde_json::to_string(line).unwrap_or_default() + "\n").collect();
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"pgtrack-audit.jsonl\""),
    ];
    Ok((headers, text).into_response())
}
