//! `/c/{connection}/tables/{table}/deleted`: the rows that can be restored.

use pgtrack_tracker::columns;
use serde::Deserialize;

use super::{Page, known_table};
use crate::connections::Shown;
use crate::extract::Path;
use crate::reading::Reader;
use crate::view::deleted::{Deleted, page};
use crate::visit::Visit;

const MOST_ROWS: i32 = 200;

#[derive(Deserialize)]
pub(crate) struct Named {
    table: String,
}

pub(crate) async fn get(shown: Shown, visit: Visit, Path(named): Path<Named>) -> Page {
    let reader = Reader::open(&shown, &visit).await?;
    let table = known_table(&reader, &named.table).await?;
    let rows = reader.deleted(&table, MOST_ROWS).await?;
    let order = columns(&reader, &table.name).await?;
    let is_cut = i32::try_from(rows.len()).is_ok_and(|shown| shown >= MOST_ROWS);
    Ok(page(&visit, &Deleted { table: &table, order: &order, rows: &rows, is_cut }))
}
