//! Tables as they were at a point: a tag, a timestamp, `xid:N`, or `now`.

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio_postgres::Client;

use crate::Error;
use crate::model::{Operation, RowKey, object};
use crate::table::TableName;

/// A named point in time.
#[derive(Debug, Clone)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub who: String,
    /// Why.
    pub message: Option<String>,
}

/// A row that differs between two points.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The row.
    pub key: RowKey,
    /// What leads from the first point to the second.
    pub operation: Operation,
    /// The row at the first point.
    pub before: Option<Map<String, Value>>,
    /// The row at the second point.
    pub after: Option<Map<String, Value>>,
}

/// All tags, newest first.
///
/// # Errors
/// When they cannot be read.
pub async fn tags(client: &Client) -> Result<Vec<Tag>, Error> {
    let rows = client
        .query("SELECT name, at, left(who, 256) AS who, left(message, 1000) AS message FROM pgtrack.tags()", &[])
        .await
        .map_err(Error::query("list the tags"))?;
    let read = |row: &tokio_postgres::Row| Tag {
        name: row.get("name"),
        at: row.get("at"),
        who: row.get("who"),
        message: row.get("message"),
    };
    Ok(rows.iter().map(read).collect())
}

/// Names this moment.
///
/// # Errors
/// When the name is taken or cannot be used, or we may not make tags.
pub async fn tag(client: &Client, name: &str, message: Option<&str>) -> Result<(), Error> {
    client
        .execute("SELECT pgtrack.tag($1, $2)", &[&name, &message])
        .await
        .map_err(Error::query("make a tag"))?;
    Ok(())
}

/// Removes a tag.
///
/// # Errors
/// When there is none of this name, or we may not remove it.
pub async fn untag(client: &Client, name: &str) -> Result<(), Error> {
    client
        .execute("SELECT pgtrack.untag($1)", &[&name])
        .await
        .map_err(Error::query("remove a tag"))?;
    Ok(())
}

/// The moment that a person means: as PostgreSQL reads a timestamp, or `10 minutes ago`.
///
/// # Errors
/// When it is none.
pub async fn moment(client: &Client, text: &str) -> Result<Timestamp, Error> {
    let query = "SELECT CASE WHEN $1::text LIKE '% ago' THEN now() - left($1, -4)::interval ELSE $1::timestamptz END";
    let row = client
        .query_one(query, &[&text])
        .await
        .map_err(Error::query(format!("understand the time `{text}`")))?;
    Ok(row.get(0))
}

/// Rows of a table with a primary key as they were at a point, in the order of the key.
///
/// # Errors
/// When there is no such point, the history does not reach back to it, or we may not read the table.
pub async fn rows(
    client: &Client,
    table: &TableName,
    key_columns: &[String],
    point: &str,
    max: i64,
    skip: i64,
) -> Result<Vec<Map<String, Value>>, Error> {
    let order: Vec<String> =
        key_columns.iter().map(|name| format!("t.\"{}\"", name.replace('"', "\"\""))).collect();
    // Values as they are stored: to_jsonb of the row itself would call casts of the application's.
    let columns: String = client
        .query_one(
            "SELECT coalesce(string_agg(format('%s AS %I', pgtrack._json_sql(pgtrack._output_sql(format('t.%I', a.attname), a.atttypid), b.type),
                                               a.attname), ', ' ORDER BY a.attnum), '')
             FROM pg_attribute a CROSS JOIN LATERAL pgtrack._base_type(a.atttypid, -1) b
             WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped",
            &[&table.to_string()],
        )
        .await
        .map_err(Error::query(format!("look up the columns of {table}")))?
        .get(0);
    let query = format!(
        "SELECT to_jsonb(x.*) FROM (SELECT {columns} FROM pgtrack.as_of(NULL::{table}, $1::text) t ORDER BY {} LIMIT $2 OFFSET $3) x",
        order.join(", ")
    );
    let rows = client
        .query(&query, &[&point, &max, &skip])
        .await
        .map_err(Error::query(format!("read {table} as of {point}")))?;
    Ok(rows.iter().filter_map(|row| object(row.get(0))).collect())
}

/// The rows of a table that differ between two points, at most `max`.
///
/// # Errors
/// As [`rows`].
pub async fn diff(
    client: &Client,
    table: &TableName,
    from: &str,
    to: &str,
    max: i64,
) -> Result<Vec<Difference>, Error> {
    let rows = client
        .query(
            "SELECT d.* FROM pgtrack.diff($1, $2, $3) d LIMIT $4",
            &[&table.to_string(), &from, &to, &max],
        )
        .await
        .map_err(Error::query(format!("compare {table} between two points")))?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            Some(Difference {
                key: RowKey(object(row.get("row_pk"))?),
                operation: Operation::from_word(row.get("op"))?,
                before: object(row.get("before")),
                after: object(row.get("after")),
            })
        })
        .collect())
}

/// How many rows of a table differ between two points, by what leads from the first to the second.
///
/// # Errors
/// As [`rows`].
pub async fn diff_counts(
    client: &Client,
    table: &TableName,
    from: &str,
    to: &str,
) -> Result<Vec<(Operation, i64)>, Error> {
    let query = "SELECT d.op, count(*) FROM pgtrack.diff($1, $2, $3) d GROUP BY 1 ORDER BY 1";
    let rows = client
        .query(query, &[&table.to_string(), &from, &to])
        .await
        .map_err(Error::query(format!("compare {table} between two points")))?;
    Ok(rows
        .iter()
        .filter_map(|row| Some((Operation::from_word(row.get(0))?, row.get(1))))
        .collect())
}
