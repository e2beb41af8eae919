//! `/c/{connection}/tables/{table}/rows/{key}`: the history of one row. The key is a JSON object.

use pgtrack_tracker::{RowKey, column_order, history};
use serde::Deserialize;

use super::{Page, State, known_table};
use crate::app_error::AppError;
use crate::extract::Path;
use crate::view::row::{RowHistory, page};
use crate::visit::Visit;

const MOST_VERSIONS: usize = 200;

#[derive(Deserialize)]
pub(crate) struct Named {
    table: String,
    key: String,
}

pub(crate) async fn get(state: State, visit: Visit, Path(named): Path<Named>) -> Page {
    let client = state.database.read().await?;
    let table = known_table(&client, &named.table).await?;
    let key = RowKey::from_json(&named.key).ok_or_else(|| {
        let example = r#"{"id": 1}"#;
        AppError::BadRequest(format!("{} is no key; a key looks like {example}.", named.key))
    })?;
    let (mut versions, order) = tokio::try_join!(
        history::row(&client, &table.name, &key),
        column_order(&client, &table.name)
    )?;
    if versions.is_empty() {
        let what = format!("No change of {} ({key}) is recorded.", table.display_name);
        return Err(AppError::NotFound(what));
    }
    let total = versions.len();
    versions.reverse();
    versions.truncate(MOST_VERSIONS);
    let history = RowHistory {
        table: &table.display_name,
        key: &key,
        order: &order,
        versions: &versions,
        total,
    };
    Ok(page(&visit, &history))
}
