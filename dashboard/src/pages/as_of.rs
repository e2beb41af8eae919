//! `/c/{connection}/tables/{table}/as-of?point=`: a table as it was, and what differs from now.

use pgtrack_tracker::{columns, past};
use serde::Deserialize;

use super::{Page, known_table};
use crate::connections::Shown;
use crate::extract::{Path, Query};
use crate::reading::Reader;
use crate::view::as_of::{AsOf, Content, page};
use crate::visit::Visit;

const PAGE: i64 = 50;
const MOST_DIFFERENCES: i64 = 200;

#[derive(Deserialize)]
pub(crate) struct Named {
    table: String,
}

#[derive(Deserialize)]
pub(crate) struct Look {
    #[serde(default)]
    point: String,
    /// `rows` or, if nothing is said, `differences`.
    show: Option<String>,
    skip: Option<i64>,
}

pub(crate) async fn get(
    shown: Shown,
    visit: Visit,
    Path(named): Path<Named>,
    Query(look): Query<Look>,
) -> Page {
    let reader = Reader::open(&shown, &visit).await?;
    let table = known_table(&reader, &named.table).await?;
    let (order, tags) = tokio::try_join!(columns(&reader, &table.name), past::tags(&reader))?;
    let typed = look.point.trim();
    // A time without a zone is in the person's own; anything else is for pg_track to understand.
    let at = visit.clock.read(typed);
    let point = at.map_or_else(|| typed.to_owned(), |at| at.to_string());
    let skip = look.skip.unwrap_or(0).max(0);
    let content = if point.is_empty() || table.key_columns.is_empty() {
        Content::Nothing
    } else if look.show.as_deref() == Some("rows") {
        let mut rows = reader.rows_then(&table, &point, PAGE + 1, skip).await?;
        let shown = usize::try_from(PAGE).unwrap_or(usize::MAX);
        let next = (rows.len() > shown).then(|| skip.saturating_add(PAGE));
        rows.truncate(shown);
        Content::Rows { rows, next }
    } else {
        let most = usize::try_from(MOST_DIFFERENCES).unwrap_or(usize::MAX);
        let mut list = reader.differences(&table, &point, MOST_DIFFERENCES + 1).await?;
        let is_cut = list.len() > most;
        list.truncate(most);
        Content::Differences { list, is_cut }
    };
    Ok(page(
        &visit,
        &AsOf { table: &table, order: &order, tags: &tags, typed, point: &point, at, content },
    ))
}
