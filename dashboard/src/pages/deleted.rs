//! `/c/{connection}/tables/{table}/deleted`: the rows that can be restored.

use pgtrack_tracker::{columns, history};
use serde::Deserialize;

use super::{Page, known_table};
use crate::connections::Shown;
use crate::extract::Path;
use crate::view::deleted::{Deleted, page};
use crate::visit::Visit;

const MOST_ROWS: i32 = 200;

#[derive(Deserialize)]
pub(crate) struct Named {
    table: String,
}

pub(crate) async fn get(shown: Shown, visit: Visit, Path(named): Path<Named>) -> Page {
    let client = shown.database.read().await?;
    let table = known_table(&client, &named.table).await?;
    let (rows, order) = tokio::try_join!(
        history::deleted(&client, &table.name, MOST_ROWS),
        columns(&client, &table.name)
    )?;
    let is_cut = i32::try_from(rows.len()).is_ok_and(|shown| shown >= MOST_ROWS);
    Ok(page(&visit, &Deleted { table: &table, order: &order, rows: &rows, is_cut }))
}
