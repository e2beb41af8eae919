//! `/c/{connection}/changes/{id}`: one statement with its row changes.

use pgtrack_tracker::columns;
use serde::Deserialize;

use super::Page;
use crate::app_error::AppError;
use crate::connections::Shown;
use crate::extract::Path;
use crate::reading::Reader;
use crate::table_name;
use crate::view::statement::{Changes, page};
use crate::visit::Visit;
use crate::words::problem::Text;

const MOST_ROWS: usize = 200;

#[derive(Deserialize)]
pub(crate) struct Named {
    id: i64,
}

pub(crate) async fn get(shown: Shown, visit: Visit, Path(named): Path<Named>) -> Page {
    let reader = Reader::open(&shown, &visit).await?;
    let statement = reader
        .statement(named.id)
        .await?
        .ok_or_else(|| AppError::NotFound(Text::NoChange(named.id)))?;
    let limit = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX);
    let versions = reader.changes_of_statement(named.id, limit).await?;
    let order = match table_name::parse(&statement.table) {
        Some(name) => columns(&reader, &name).await?,
        None => Vec::new(),
    };
    let shown = (statement.rows > limit).then_some(MOST_ROWS);
    Ok(page(&visit, &Changes { statement: &statement, order: &order, versions: &versions, shown }))
}
