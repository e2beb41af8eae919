//! What was committed since a place in the history, in sums.
//!
//! As in the feed, a place is a snapshot: what was still running when somebody looked is counted by the next look, once.

use std::fmt;

use jiff::Timestamp;
use tokio_postgres::{Client, Row};

use super::{Filter, FilterFault};
use crate::Error;
use crate::feed::{Cursor, IS_HERE};
use crate::model::Operation;

/// How many tables and people are named.
const MOST: i64 = 10;

/// A place in the history of one database, at which somebody goes on later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    /// The cluster and the database, in its own numbers.
    database: String,
    cursor: Cursor,
}

impl Bookmark {
    /// Reads what [`Display`](fmt::Display) writes; `None` if the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (database, cursor) = text.rsplit_once('/')?;
        Some(Self { database: database.to_owned(), cursor: Cursor::parse(cursor)? })
    }
}

impl fmt::Display for Bookmark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.database, self.cursor.as_str())
    }
}

/// Sums of the statements that pass a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Where to go on.
    pub next: Bookmark,
    /// The database's clock at that place.
    pub at: Timestamp,
    /// When the first of the statements had made its changes; none without one.
    pub first_at: Option<Timestamp>,
    /// How many statements there were; one that changed several tables counts for each.
    pub statements: i64,
    /// How many of them undid something.
    pub reverts: i64,
    /// The rows that each operation changed.
    pub operations: Vec<(Operation, i64)>,
    /// The tables of which most rows were changed.
    pub tables: Ranking,
    /// Who changed most rows.
    pub people: Ranking,
}

/// The first of a list, and how long all of it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranking {
    /// The most first.
    pub first: Vec<Share>,
    /// How many there are altogether.
    pub all: i64,
}

/// A part of a sum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The table with its schema, quoted where necessary; or the actor, else the session user.
    pub name: String,
    /// How many statements.
    pub statements: i64,
    /// How many rows.
    pub rows: i64,
}

/// The place where the history is now, and the database's clock.
///
/// # Errors
/// When the database cannot be asked.
pub async fn bookmark(client: &Client) -> Result<(Bookmark, Timestamp), Error> {
    let query = "SELECT format('%s/%s', c.system_identifier, d.oid), pg_current_snapshot()::text, clock_timestamp()
                 FROM pg_control_system() c, pg_database d WHERE d.datname = current_database()";
    let row = client
        .query_one(query, &[])
        .await
        .map_err(Error::query("ask for a place in the history"))?;
    let mark = Bookmark::parse(&format!("{}/{}", row.get::<_, &str>(0), row.get::<_, &str>(1)))
        .ok_or(Error::Filter { fault: FilterFault::NoPlace })?;
    Ok((mark, row.get(2)))
}

/// Sums what passes a filter and was committed after a place; `None` if that is no place of this database, because it
/// is another one, or was put back to an earlier state.
///
/// # Errors
/// As [`statements`](super::statements); also when the session's `statement_timeout` ends it.
pub async fn summary(
    client: &Client,
    filter: &Filter,
    after: &Bookmark,
) -> Result<Option<Summary>, Error> {
    let (here, _) = bookmark(client).await?;
    if here.database != after.database || here.cursor.next() < after.cursor.next() {
        return Ok(None);
    }
    let condition = filter.condition(client).await?;
    // One statement, so one snapshot: it sums what that sees. What the old one does not see has no lower number than
    // the first transaction that was running then. OFFSET keeps the planner from reading the index of the tables, too,
    // in which all of the history is.
    let query = format!(
        "WITH here AS MATERIALIZED (SELECT pg_current_snapshot()::text AS snapshot, clock_timestamp() AS at),
         counted AS (
           SELECT grouping(s.operation, s.relation_id, s.who) AS kind, s.operation, s.relation_id, s.who,
                  count(*) AS statements, coalesce(sum(s.row_count), 0)::bigint AS rows,
                  count(*) FILTER (WHERE s.reverts <> '') AS reverts, min(s.at) AS first_at
           FROM (SELECT s.operation, s.relation_id, left(coalesce(nullif(s.actor, ''), s.user_name), 256) AS who,
                        s.row_count, s.reverts, s.at
                 FROM (SELECT n.statement_id, n.xid, n.at, n.relation_id, n.operation, n.row_count, n.user_name, n.role_name,
                              n.application, n.actor, n.reverts FROM pgtrack.statement n
                       WHERE n.xid >= pg_snapshot_xmin($2::text::pg_snapshot)
                         AND NOT pg_visible_in_snapshot(n.xid, $2::text::pg_snapshot) OFFSET 0) s
                 WHERE s.relation_id = ANY ($1::integer[]) AND {IS_HERE} AND {}) s
           GROUP BY GROUPING SETS ((s.operation), (s.relation_id), (s.who), ())),
         ranked AS (
           SELECT c.*, count(*) OVER kind AS length,
                  row_number() OVER (kind ORDER BY c.rows DESC, c.statements DESC, c.relation_id, c.who) AS rank
           FROM counted c WINDOW kind AS (PARTITION BY c.kind))
         SELECT h.snapshot, h.at, c.kind, pgtrack._operation(c.operation) AS operation,
                CASE WHEN r.relation_id IS NULL THEN c.who ELSE format('%I.%I', r.schema_name, r.table_name) END AS name,
                c.statements, c.rows, c.reverts, c.first_at, c.length
         FROM here h CROSS JOIN ranked c LEFT JOIN pgtrack.relation r USING (relation_id)
         WHERE c.rank <= $3 ORDER BY c.kind, c.rank",
        condition.sql(4)
    );
    let after = after.cursor.as_str();
    let rows = client
        .query(&query, &condition.parameters(&[&condition.relations, &after, &MOST]))
        .await
        .map_err(Error::query("sum up the changes"))?;
    Ok(read(&rows, here.database))
}

/// Which of the grouping sets a row is of, as the database numbers them: a bit for each column that is not grouped by.
const OPERATIONS: i32 = 0b011;
const TABLES: i32 = 0b101;
const PEOPLE: i32 = 0b110;
const ALL: i32 = 0b111;

fn read(rows: &[Row], database: String) -> Option<Summary> {
    let of = |kind: i32| rows.iter().filter(move |row| row.get::<_, i32>("kind") == kind);
    let total = of(ALL).next()?;
    let ranking = |kind| Ranking {
        first: of(kind)
            .map(|row| Share {
                name: row.get("name"),
                statements: row.get("statements"),
                rows: row.get("rows"),
            })
            .collect(),
        all: of(kind).next().map_or(0, |row| row.get("length")),
    };
    Some(Summary {
        next: Bookmark { database, cursor: Cursor::parse(total.get("snapshot"))? },
        at: total.get("at"),
        first_at: total.get("first_at"),
        statements: total.get("statements"),
        reverts: total.get("reverts"),
        operations: of(OPERATIONS)
            .filter_map(|row| Some((Operation::from_word(row.get("operation"))?, row.get("rows"))))
            .collect(),
        tables: ranking(TABLES),
        people: ranking(PEOPLE),
    })
}

#[cfg(test)]
mod tests {
    use super::Bookmark;

    #[test]
    fn a_bookmark_reads_back_as_it_was_written() {
        let text = "7421/16384/10:20:12,15";
        assert_eq!(Bookmark::parse(text).unwrap().to_string(), text);
        for bad in ["", "10:20:", "7421/16384/", "7421/16384/20:10:"] {
            assert_eq!(Bookmark::parse(bad), None, "{bad:?}");
        }
    }
}
