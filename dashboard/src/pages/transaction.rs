//! `/c/{connection}/tx/{xid}`: one transaction with all its row changes.

use pgtrack_tracker::{Version, columns};
use serde::Deserialize;
use tokio_postgres::Client;

use super::Page;
use crate::app_error::AppError;
use crate::connections::Shown;
use crate::extract::Path;
use crate::reading::Reader;
use crate::table_name;
use crate::view::transaction::{Changes, TableChanges, page};
use crate::visit::Visit;
use crate::words::problem::Text;

const MOST_ROWS: usize = 200;

#[derive(Deserialize)]
pub(crate) struct Named {
    xid: i64,
}

pub(crate) async fn get(shown: Shown, visit: Visit, Path(named): Path<Named>) -> Page {
    let reader = Reader::open(&shown, &visit).await?;
    let transaction = reader
        .transaction(named.xid)
        .await?
        .ok_or_else(|| AppError::NotFound(Text::NoTransaction(named.xid)))?;
    let limit = i64::try_from(MOST_ROWS + 1).unwrap_or(i64::MAX);
    let mut versions = reader.changes_of_transaction(named.xid, limit).await?;
    let is_cut = versions.len() > MOST_ROWS;
    versions.truncate(MOST_ROWS);
    let tables = by_table(&reader, &versions).await?;
    let shown = is_cut.then_some(MOST_ROWS);
    Ok(page(&visit, &Changes { transaction: &transaction, tables, shown }))
}

async fn by_table<'a>(
    client: &Client,
    versions: &'a [Version],
) -> Result<Vec<TableChanges<'a>>, AppError> {
    let mut tables: Vec<TableChanges<'a>> = Vec::new();
    for version in versions {
        if let Some(changes) = tables.iter_mut().find(|changes| changes.table == version.table) {
            changes.versions.push(version);
            continue;
        }
        let order = match table_name::parse(&version.table) {
            Some(name) => columns(client, &name).await?,
            None => Vec::new(),
        };
        tables.push(TableChanges { table: &version.table, order, versions: vec![version] });
    }
    Ok(tables)
}
