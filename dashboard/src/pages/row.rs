//! `/c/{connection}/tables/{table}/rows/{key}`: the history of one row. The key is a JSON object.
//! `?from=v1&to=current` compares two versions, `?column=` shows the history of one column, `?at=` the row at a moment.

use pgtrack_tracker::{RowKey, Version, columns};
use serde::Deserialize;

use super::{Page, known_table};
use crate::app_error::AppError;
use crate::comparison::Image;
use crate::connections::Shown;
use crate::extract::{Path, Query};
use crate::reading::Reader;
use crate::view::row::{Compared, RowHistory, page};
use crate::visit::Visit;
use crate::words::problem::Text;

#[derive(Deserialize)]
pub(crate) struct Named {
    table: String,
    key: String,
}

#[derive(Deserialize)]
pub(crate) struct Look {
    from: Option<String>,
    to: Option<String>,
    column: Option<String>,
    at: Option<String>,
}

pub(crate) async fn get(
    shown: Shown,
    visit: Visit,
    Path(named): Path<Named>,
    Query(look): Query<Look>,
) -> Page {
    let reader = Reader::open(&shown, &visit).await?;
    let table = known_table(&reader, &named.table).await?;
    let key = RowKey::from_json(&named.key)
        .ok_or_else(|| AppError::BadRequest(Text::NoKey(named.key.clone())))?;
    let mut versions = reader.row(&table.name, &key).await?;
    let order = columns(&reader, &table.name).await?;
    if versions.is_empty() {
        let (table, key) = (table.display_name, key.to_string());
        return Err(AppError::NotFound(Text::NoChangeOfRow { table, key }));
    }
    versions.reverse();
    let compared = match (look.from, look.to) {
        (None, None) => None,
        (from, to) => {
            let (from, to) =
                (from.unwrap_or_else(|| "v1".into()), to.unwrap_or_else(|| "current".into()));
            let (before, after) = (state(&versions, &from)?, state(&versions, &to)?);
            Some(Compared { from: (from, before), to: (to, after) })
        }
    };
    let at = look.at.as_deref().filter(|text| !text.is_empty());
    let history = RowHistory {
        table: &table,
        key: &key,
        order: &order,
        versions: &versions,
        compared,
        column: look.column.as_deref(),
        at: at.map(|text| (text, visit.clock.read(text))),
    };
    Ok(page(&visit, &history))
}

/// The row right after a version, before the first one, or now.
fn state<'a>(versions: &'a [Version], name: &str) -> Result<Option<&'a Image>, AppError> {
    let unknown = || AppError::NotFound(Text::NoVersion(name.to_owned()));
    if name == "current" {
        return Ok(versions.first().and_then(|latest| latest.after.as_ref()));
    }
    let number: i32 =
        name.strip_prefix('v').and_then(|text| text.parse().ok()).ok_or_else(unknown)?;
    if number == 0 {
        return Ok(versions.last().and_then(|first| first.before.as_ref()));
    }
    let version = versions.iter().find(|one| one.number == Some(number)).ok_or_else(unknown)?;
    Ok(version.after.as_ref())
}
