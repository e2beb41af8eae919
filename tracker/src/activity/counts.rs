//! How much was changed: by time, table, operation and person.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Client;

use super::Filter;
use crate::Error;
use crate::model::Operation;

/// What one person did to one table in one interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The interval's beginning.
    pub at: Timestamp,
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// What was done.
    pub operation: Operation,
    /// By whom.
    pub who: String,
    /// How many statements did it.
    pub statements: i64,
    /// To how many rows.
    pub rows: i64,
}

/// Counts what passes a filter between two moments, in intervals of `width` that begin at `from`.
///
/// # Errors
/// As [`statements`](super::statements); also when the session's `statement_timeout` ends it.
pub async fn counts(
    client: &Client,
    filter: &Filter,
    from: Timestamp,
    to: Timestamp,
    width: SignedDuration,
) -> Result<Vec<Count>, Error> {
    let condition = filter.condition(client).await?;
    let query = format!(
        "SELECT c.at, format('%I.%I', r.schema_name, r.table_name) AS table_name, c.operation, c.who, c.statements, c.rows
         FROM (SELECT date_bin(make_interval(secs => $4), s.at, $2::timestamptz) AS at, s.relation_id,
                      pgtrack._operation(s.operation) AS operation, left(coalesce(nullif(s.actor, ''), s.user_name), 256) AS who,
                      count(*) AS statements, sum(s.row_count)::bigint AS rows
               FROM pgtrack.statement s
               WHERE s.at >= $2 AND s.at < $3 AND s.relation_id = ANY ($1::integer[]) AND {}
               GROUP BY 1, 2, 3, 4) c
         JOIN pgtrack.relation r USING (relation_id)
         ORDER BY c.at",
        condition.sql(5)
    );
    let seconds = width.as_secs_f64();
    let rows = client
        .query(&query, &condition.parameters(&[&condition.relations, &from, &to, &seconds]))
        .await
        .map_err(Error::query("count the changes"))?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            Some(Count {
                at: row.get("at"),
                table: row.get("table_name"),
                operation: Operation::from_word(row.get("operation"))?,
                who: row.get("who"),
                statements: row.get("statements"),
                rows: row.get("rows"),
            })
        })
        .collect())
}
