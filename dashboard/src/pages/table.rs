//! `/c/{connection}/tables/{table}`: the latest changes of one table.

use pgtrack_tracker::{columns, history};
use serde::Deserialize;

use super::{Page, known_table};
use crate::connections::Shown;
use crate::extract::{Path, Query};
use crate::view::table::{Latest, page};
use crate::visit::Visit;

/// How many changes may be shown at once.
const STEPS: [i32; 3] = [50, 200, 500];

#[derive(Deserialize)]
pub(crate) struct Named {
    table: String,
}

#[derive(Deserialize)]
pub(crate) struct Size {
    max: Option<i32>,
}

pub(crate) async fn get(
    shown: Shown,
    visit: Visit,
    Path(named): Path<Named>,
    Query(size): Query<Size>,
) -> Page {
    let client = shown.database.read().await?;
    let table = known_table(&client, &named.table).await?;
    let max = size.max.filter(|max| STEPS.contains(max)).unwrap_or(STEPS[0]);
    let (versions, order) =
        tokio::try_join!(history::table(&client, &table.name, max), columns(&client, &table.name))?;
    let is_full = i32::try_from(versions.len()).is_ok_and(|shown| shown >= max);
    let more = STEPS.into_iter().find(|step| is_full && *step > max);
    Ok(page(&visit, &Latest { table: &table, order: &order, versions: &versions, more }))
}
