//! Tracked tables.

use std::fmt;

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::{Client, Row};

use crate::Error;
use crate::model::{RowKey, object};

/// A table's name with its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// The schema, not quoted.
    pub schema: String,
    /// The table, not quoted.
    pub name: String,
}

/// The name as SQL takes it, every part quoted.
impl fmt::Display for TableName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |part: &str| part.replace('"', "\"\"");
        write!(formatter, "\"{}\".\"{}\"", quote(&self.schema), quote(&self.name))
    }
}

/// A table whose changes are recorded.
#[derive(Debug, Clone)]
pub struct TrackedTable {
    /// Its name.
    pub name: TableName,
    /// The name for people: quoted only where necessary.
    pub display_name: String,
    /// The primary key's columns; empty when there is none.
    pub key_columns: Vec<String>,
    /// When tracking began.
    pub since: Timestamp,
    /// About how many row changes are recorded.
    pub estimated_changes: i64,
    /// The disk space of its history, in bytes.
    pub history_bytes: i64,
}

const COLUMNS: &str =
    "schema_name, name, table_name, key_columns, tracked_since, estimated_changes, history_bytes";

/// Lists the tables that are tracked now, by name.
///
/// # Errors
/// When the catalog cannot be read, for one because pg_track is not installed.
pub async fn tracked_tables(client: &Client) -> Result<Vec<TrackedTable>, Error> {
    let query = format!("SELECT {COLUMNS} FROM pgtrack.tracked_table ORDER BY schema_name, name");
    let rows = client.query(&query, &[]).await.map_err(Error::query("list the tracked tables"))?;
    Ok(rows.iter().map(read).collect())
}

/// Finds one tracked table; `None` if it is not tracked.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn tracked_table(
    client: &Client,
    name: &TableName,
) -> Result<Option<TrackedTable>, Error> {
    let query =
        format!("SELECT {COLUMNS} FROM pgtrack.tracked_table WHERE schema_name = $1 AND name = $2");
    let row = client
        .query_opt(&query, &[&name.schema, &name.name])
        .await
        .map_err(Error::query("look up a tracked table"))?;
    Ok(row.as_ref().map(read))
}

/// Finds the table that a person means, as a query would: through `search_path`, in lower case unless quoted.
///
/// # Errors
/// When there is none; the server suggests a similar one.
pub async fn resolve(client: &Client, text: &str) -> Result<TableName, Error> {
    let query = "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.oid = pgtrack._table($1, NULL)";
    let row = client
        .query_one(query, &[&text])
        .await
        .map_err(Error::query(format!("look up the table {text}")))?;
    Ok(TableName { schema: row.get(0), name: row.get(1) })
}

/// Finds the key that a person means: the value of a key of one column, or a JSON object.
///
/// # Errors
/// When it does not fit the table; the server shows how to write one.
pub async fn key(client: &Client, table: &TableName, text: &str) -> Result<RowKey, Error> {
    let given = RowKey::from_json(text).map_or_else(|| Value::from(text), |key| key.to_json());
    let query = "SELECT pgtrack._key(pgtrack._table($1, NULL), $2)";
    let row = client
        .query_one(query, &[&table.to_string(), &given])
        .await
        .map_err(Error::query(format!("look up a row of {}", table.name)))?;
    Ok(RowKey(object(row.get(0)).unwrap_or_default()))
}

/// A column of a tracked table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, such as `numeric(10,2)`.
    pub type_name: String,
    /// Whether a value can be given; the database makes those of others.
    pub can_be_set: bool,
}

/// The columns of a tracked table in their order, to show row images in.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn columns(client: &Client, name: &TableName) -> Result<Vec<Column>, Error> {
    let query = "SELECT c.column_name, format_type(a.atttypid, a.atttypmod), a.attgenerated = '' AND a.attidentity <> 'a'
                 FROM pgtrack.relation r
                 JOIN pgtrack.relation_column c USING (relation_id)
                 JOIN pg_attribute a ON a.attrelid = r.relid AND a.attnum = c.attnum
                 WHERE r.schema_name = $1 AND r.table_name = $2 AND r.tracked_until IS NULL
                 ORDER BY c.attnum";
    let rows = client
        .query(query, &[&name.schema, &name.name])
        .await
        .map_err(Error::query("read a table's columns"))?;
    let read =
        |row: &Row| Column { name: row.get(0), type_name: row.get(1), can_be_set: row.get(2) };
    Ok(rows.iter().map(read).collect())
}

/// Tracks every table of a schema; returns how many are tracked.
///
/// # Errors
/// When the schema does not exist or may not be tracked.
pub async fn track_schema(client: &Client, schema: &str) -> Result<u64, Error> {
    let quoted = format!("\"{}\"", schema.replace('"', "\"\""));
    client
        .execute("SELECT FROM pgtrack.track($1) WHERE status NOT LIKE 'skipped%'", &[&quoted])
        .await
        .map_err(Error::query(format!("track the tables of schema {quoted}")))
}

fn read(row: &Row) -> TrackedTable {
    TrackedTable {
        name: TableName { schema: row.get("schema_name"), name: row.get("name") },
        display_name: row.get("table_name"),
        key_columns: row.get("key_columns"),
        since: row.get("tracked_since"),
        estimated_changes: row.get("estimated_changes"),
        history_bytes: row.get("history_bytes"),
    }
}
