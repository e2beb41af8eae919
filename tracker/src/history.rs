//! What happened to rows.

use serde_json::Value;
use tokio_postgres::{Client, Row};

use crate::Error;
use crate::model::{Operation, RowKey, Version, object};
use crate::table::TableName;
use crate::texts::{CHANGE, TEXTS};

/// A row that was deleted and is still missing.
#[derive(Debug, Clone)]
pub struct DeletedRow {
    /// Its key.
    pub key: RowKey,
    /// When it was deleted.
    pub deleted_at: jiff::Timestamp,
    /// By whom.
    pub who: String,
    /// The transaction that deleted it.
    pub xid: i64,
    /// What it looked like.
    pub data: serde_json::Map<String, Value>,
}

/// Every recorded change of one row, oldest first; empty if none is. Before them, without a number, those of other rows
/// that had its key.
///
/// # Errors
/// When the table is not tracked, the key does not fit it, or we may not read it.
pub async fn row(client: &Client, table: &TableName, key: &RowKey) -> Result<Vec<Version>, Error> {
    let query = format!(
        "SELECT $1::text AS \"table\", {CHANGE} FROM (SELECT NULL::jsonb AS row_pk, h.* FROM pgtrack.history_pk($1, $2) h) a"
    );
    let rows = client
        .query(&query, &[&table.to_string(), &key.to_json()])
        .await
        .map_err(Error::query(format!("read the history of {table} ({key})")))?;
    Ok(rows.iter().filter_map(read).collect())
}

/// The latest row changes of a table, newest first.
///
/// # Errors
/// When the table is not tracked or we may not read it.
pub async fn table(client: &Client, table: &TableName, max: i32) -> Result<Vec<Version>, Error> {
    let query = format!("SELECT $1::text AS \"table\", {CHANGE} FROM pgtrack.changes($1, $2) a");
    let rows = client
        .query(&query, &[&table.to_string(), &max])
        .await
        .map_err(Error::query(format!("read the changes of {table}")))?;
    Ok(rows.iter().filter_map(read).collect())
}

/// The row changes of one transaction, at most `max`, in the order in which they were made.
///
/// # Errors
/// When they cannot be read.
pub async fn transaction(client: &Client, xid: i64, max: i64) -> Result<Vec<Version>, Error> {
    let query = format!(
        "SELECT s.*, a.at AS changed_at, a.xid, a.application, a.client_addr, {TEXTS}
         FROM pgtrack.show($1, $2) WITH ORDINALITY s
         JOIN pgtrack.statement r ON r.xid = $1::bigint::text::xid8 AND r.statement_id = s.statement_id
         JOIN pgtrack.activity a ON a.relation_id = r.relation_id AND a.statement_id = r.statement_id
         ORDER BY s.ordinality LIMIT $2"
    );
    let rows = client
        .query(&query, &[&xid, &max])
        .await
        .map_err(Error::query(format!("read the changes of transaction {xid}")))?;
    Ok(rows.iter().filter_map(read).collect())
}

/// The row changes of one statement, at most `max` of them.
///
/// # Errors
/// When they cannot be read.
pub async fn statement(client: &Client, id: i64, max: i64) -> Result<Vec<Version>, Error> {
    let query = format!(
        "SELECT s.*, a.at AS changed_at, a.xid, a.application, a.client_addr, {TEXTS}
         FROM pgtrack.show_statement($1, $2) WITH ORDINALITY s
         CROSS JOIN (SELECT a.* FROM pgtrack.relation r JOIN pgtrack.activity a USING (relation_id)
                     WHERE a.statement_id = $1 LIMIT 1) a
         ORDER BY s.ordinality"
    );
    let rows = client
        .query(&query, &[&id, &max])
        .await
        .map_err(Error::query(format!("read the row changes of statement {id}")))?;
    Ok(rows.iter().filter_map(read).collect())
}

/// The rows of a table that were deleted and are still missing, newest first.
///
/// # Errors
/// When the table is not tracked, has no primary key, or we may not read it.
pub async fn deleted(
    client: &Client,
    table: &TableName,
    max: i32,
) -> Result<Vec<DeletedRow>, Error> {
    let rows = client
        .query("SELECT row_pk, deleted_at, left(who, 256) AS who, data, xid FROM pgtrack.deleted($1, $2)", &[&table.to_string(), &max])
        .await
        .map_err(Error::query(format!("read the deleted rows of {table}")))?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            Some(DeletedRow {
                key: RowKey(object(row.get("row_pk"))?),
                deleted_at: row.get("deleted_at"),
                who: row.get("who"),
                xid: row.get("xid"),
                data: object(row.get("data"))?,
            })
        })
        .collect())
}

/// Who last changed a column of a row.
#[derive(Debug, Clone)]
pub struct Blame {
    /// The column.
    pub column: String,
    /// Its value, now or before the row was deleted.
    pub value: Value,
    /// The version that gave it this value; `None` where that was before tracking began, also in what follows.
    pub version: Option<i32>,
    /// When.
    pub at: Option<jiff::Timestamp>,
    /// The actor if the application named one, else the session user.
    pub who: Option<String>,
    /// The transaction.
    pub xid: Option<i64>,
}

/// Who last changed each column of a row; empty if no change of it is recorded.
///
/// # Errors
/// As [`row`].
pub async fn blame(client: &Client, table: &TableName, key: &RowKey) -> Result<Vec<Blame>, Error> {
    let rows = client
        .query("SELECT \"column\", value, ver, changed_at, left(who, 256) AS who, xid FROM pgtrack.blame_pk($1, $2)", &[&table.to_string(), &key.to_json()])
        .await
        .map_err(Error::query(format!("read who changed {table} ({key})")))?;
    let read = |row: &Row| Blame {
        column: row.get("column"),
        value: row.get::<_, Option<Value>>("value").unwrap_or_default(),
        version: row.get("ver"),
        at: row.get("changed_at"),
        who: row.get("who"),
        xid: row.get("xid"),
    };
    Ok(rows.iter().map(read).collect())
}

/// The version that a row had at a moment; 0 is before its first recorded change.
///
/// # Errors
/// When the history does not reach back to it, or the row did not exist.
pub async fn version_at(
    client: &Client,
    table: &TableName,
    key: &RowKey,
    moment: jiff::Timestamp,
) -> Result<i32, Error> {
    let query = "SELECT pgtrack._version_at(pgtrack._table($1, NULL), $2, $3)";
    let row = client
        .query_one(query, &[&table.to_string(), &key.to_json(), &moment])
        .await
        .map_err(Error::query(format!("look for the version of {table} ({key}) at a moment")))?;
    Ok(row.get(0))
}

pub(crate) fn read(row: &Row) -> Option<Version> {
    let changed_columns: Option<Vec<String>> = row.get("what");
    Some(Version {
        table: row.get("table"),
        key: object(row.get("row_pk")).map(RowKey),
        number: row.get("ver"),
        operation: Operation::from_word(row.get("op"))?,
        at: row.get("changed_at"),
        who: row.get("who"),
        xid: row.get("xid"),
        application: row.get("application"),
        client_addr: row.get("client_addr"),
        message: row.get("message"),
        query: row.get("query"),
        changed_columns: changed_columns.unwrap_or_default(),
        before: object(row.get("before")),
        after: object(row.get("after")),
    })
}
