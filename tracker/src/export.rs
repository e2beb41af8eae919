//! Everything that is recorded of a table, or all its rows at a point, row by row: memory does not grow with them.

use std::pin::Pin;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, RowStream};

use crate::Error;
use crate::history;
use crate::model::{Version, object};
use crate::table::TableName;
use crate::texts::CHANGE;

/// Rows as the server sends them.
pub struct Rows {
    stream: Pin<Box<RowStream>>,
    action: String,
}

impl Rows {
    async fn open(
        client: &Client,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
        action: String,
    ) -> Result<Self, Error> {
        let parameters = parameters.iter().copied();
        let stream =
            client.query_raw(query, parameters).await.map_err(Error::query(action.clone()))?;
        Ok(Self { stream: Box::pin(stream), action })
    }

    async fn next(&mut self) -> Result<Option<tokio_postgres::Row>, Error> {
        self.stream.try_next().await.map_err(Error::query(self.action.clone()))
    }

    /// The next row change, of what [`changes`] gave.
    ///
    /// # Errors
    /// When the server cannot go on.
    pub async fn next_change(&mut self) -> Result<Option<Version>, Error> {
        Ok(self.next().await?.as_ref().and_then(history::read))
    }

    /// The next row image, of what [`table_at`] gave.
    ///
    /// # Errors
    /// When the server cannot go on.
    pub async fn next_image(&mut self) -> Result<Option<Map<String, Value>>, Error> {
        Ok(self.next().await?.and_then(|row| object(row.get(0))))
    }
}

/// Every recorded row change of a table in a time, newest first.
///
/// # Errors
/// When the table is not tracked or we may not read it.
pub async fn changes(
    client: &Client,
    table: &TableName,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Rows, Error> {
    let query = format!(
        "SELECT $1::text AS \"table\", {CHANGE} FROM pgtrack.changes($1, 2147483647) a
         WHERE ($2::timestamptz IS NULL OR a.changed_at >= $2) AND ($3::timestamptz IS NULL OR a.changed_at < $3)"
    );
    let action = format!("export the changes of {table}");
    Rows::open(client, &query, &[&table.to_string(), &since, &until], action).await
}

/// All rows of a table as they were at a point.
///
/// # Errors
/// When there is no such point, the history does not reach back to it, or we may not read the table.
pub async fn table_at(client: &Client, table: &TableName, point: &str) -> Result<Rows, Error> {
    let query = format!("SELECT to_jsonb(t) FROM pgtrack.as_of(NULL::{table}, $1::text) t");
    Rows::open(client, &query, &[&point], format!("export {table} as of {point}")).await
}
