//! `/c/{connection}/tables/{table}`: the latest changes of one table.

use pgtrack_tracker::columns;
use serde::Deserialize;

use super::{Page, known_table};
use crate::connections::Shown;
use crate::extract::{Path, Query};
use crate::reading::Reader;
use crate::search::SHOW;
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
    /// `show`: also those of ignored columns alone.
    ignored: Option<String>,
}

pub(crate) async fn get(
    shown: Shown,
    visit: Visit,
    Path(named): Path<Named>,
    Query(size): Query<Size>,
) -> Page {
    let reader = Reader::open(&shown, &visit).await?;
    let table = known_table(&reader, &named.table).await?;
    let max = size.max.filter(|max| STEPS.contains(max)).unwrap_or(STEPS[0]);
    let shows_ignored = size.ignored.as_deref() == Some(SHOW);
    let (versions, ignored) = reader.changes_of_table(&table.name, max, shows_ignored).await?;
    let order = columns(&reader, &table.name).await?;
    let is_full = i32::try_from(versions.len() + ignored).is_ok_and(|shown| shown >= max);
    let more = STEPS.into_iter().find(|step| is_full && *step > max);
    let latest =
        Latest { table: &table, order: &order, versions: &versions, more, ignored, shows_ignored };
    Ok(page(&visit, &latest))
}
