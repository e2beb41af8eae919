//! The recorded statements, filtered and page by page, newest first.
//!
//! A page is found by walking the statements' numbers backwards, table by table. A filter that few statements pass
//! would have to look at all of them; it looks at so many and says where it stopped.

mod counts;
mod filter;
mod quiet;
mod summary;

use std::collections::BTreeSet;

use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use crate::Error;
use crate::model::{Operation, Reverts};
use crate::texts::STATEMENT;

pub use counts::{Count, counts};
pub use filter::{Filter, FilterFault, RowFilter};
pub use quiet::{IsIgnored, quiet_statements, quiet_transactions};
pub use summary::{Bookmark, Ranking, Share, Summary, bookmark, summary};

use filter::Condition;

/// How many statements are looked at for one page: few at first, which is enough unless the filter is narrow.
const SPANS: [i64; 2] = [2_000, 100_000];
/// How many statements of new transactions are told of.
const MOST_AMONG: usize = 50;

/// One statement and what it did to one table.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The statement's number; later changes of the same row have higher ones.
    pub id: i64,
    /// The transaction.
    pub xid: i64,
    /// When it had made its changes.
    pub at: Timestamp,
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// What was done.
    pub operation: Operation,
    /// To how many rows.
    pub rows: i64,
    /// The actor if the application named one, else the session user.
    pub who: String,
    /// The session user.
    pub user_name: String,
    /// `application_name`.
    pub application: Option<String>,
    /// The client's address; through the proxy the real client's.
    pub client_addr: Option<String>,
    /// Whether the session said that it came through the proxy.
    pub through_proxy: bool,
    /// The reason that was given.
    pub message: Option<String>,
    /// For a revert: what it undoes.
    pub reverts: Option<Reverts>,
    /// The beginning of the query text.
    pub query: Option<String>,
}

/// Some of the statements or transactions that pass a filter.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// How to go on.
    pub rest: Rest,
}

/// What comes after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing.
    None,
    /// The next page begins below this statement.
    Older(i64),
    /// The search was given up at this statement; there may be more below it.
    Unknown(i64),
}

/// The statements that pass a filter, from below the statement `before` on.
///
/// # Errors
/// When the filter names a table or column that is not recorded, or the history cannot be read.
pub async fn statements(
    client: &Client,
    filter: &Filter,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<Statement>, Error> {
    let condition = filter.condition(client).await?;
    let Some(range) = range(client, filter, &condition, before).await? else {
        return Ok(Page { items: Vec::new(), rest: Rest::None });
    };
    let wanted = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    let query = format!(
        "WITH picked AS MATERIALIZED (
           SELECT p.relation_id, p.statement_id
           FROM unnest($1::integer[]) AS r (id)
           CROSS JOIN LATERAL (
             SELECT s.relation_id, s.statement_id FROM pgtrack.statement s
             WHERE s.relation_id = r.id AND s.statement_id < $2 AND s.statement_id >= $3 AND {}
             ORDER BY s.statement_id DESC LIMIT $4) p
           ORDER BY p.statement_id DESC LIMIT $4)
         SELECT {STATEMENT} FROM picked p JOIN pgtrack.activity a USING (relation_id, statement_id)
         ORDER BY a.statement_id DESC",
        condition.sql(5)
    );
    // Without a condition the walk ends by itself as soon as the page is full.
    let spans: &[i64] = if condition.is_open() { &[i64::MAX] } else { &SPANS };
    let mut found = Vec::new();
    let mut floor = range.top;
    for span in spans {
        floor = range.top.saturating_sub(*span).max(range.bottom);
        let rows = client
            .query(
                &query,
                &condition.parameters(&[&condition.relations, &range.top, &floor, &wanted]),
            )
            .await
            .map_err(Error::query("read the changes"))?;
        found = rows.iter().filter_map(read).collect();
        if found.len() > limit || floor == range.bottom {
            break;
        }
    }
    let rest = rest(found.len() > limit, found.get(limit - 1).map(|last| last.id), floor, &range);
    found.truncate(limit);
    Ok(Page { items: found, rest })
}

/// The transactions with a statement that passes a filter, from below the statement `before` on.
///
/// # Errors
/// As [`statements`].
pub async fn transactions(
    client: &Client,
    filter: &Filter,
    before: Option<i64>,
    limit: usize,
) -> Result<Page<i64>, Error> {
    let condition = filter.condition(client).await?;
    let Some(range) = range(client, filter, &condition, before).await? else {
        return Ok(Page { items: Vec::new(), rest: Rest::None });
    };
    let wanted = i64::try_from(limit + 1).unwrap_or(i64::MAX);
    // A transaction whose latest statement was on the page before has been shown there.
    let query = format!(
        "WITH hit AS MATERIALIZED (
           SELECT s.xid, max(s.statement_id) AS last
           FROM pgtrack.statement s
           WHERE s.relation_id = ANY ($1::integer[]) AND s.statement_id < $2 AND s.statement_id >= $3 AND {0}
           GROUP BY s.xid ORDER BY 2 DESC LIMIT $4)
         SELECT h.xid::text::bigint, h.last,
                $5 AND EXISTS (SELECT FROM pgtrack.statement s
                               WHERE s.xid = h.xid AND s.statement_id >= $2
                                 AND s.relation_id = ANY ($1::integer[]) AND {0}) AS is_shown
         FROM hit h ORDER BY h.last DESC",
        condition.sql(6)
    );
    let mut found: Vec<(i64, i64, bool)> = Vec::new();
    let mut floor = range.top;
    let is_later = before.is_some();
    for span in SPANS {
        floor = range.top.saturating_sub(span).max(range.bottom);
        let fixed: [&(dyn ToSql + Sync); 5] =
            [&condition.relations, &range.top, &floor, &wanted, &is_later];
        let rows = client
            .query(&query, &condition.parameters(&fixed))
            .await
            .map_err(Error::query("read the transactions"))?;
        found = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        if found.len() > limit || floor == range.bottom {
            break;
        }
    }
    let rest = rest(found.len() > limit, found.get(limit - 1).map(|last| last.1), floor, &range);
    found.truncate(limit);
    let items = found.into_iter().filter(|hit| !hit.2).map(|hit| hit.0).collect();
    Ok(Page { items, rest })
}

/// The first statements of these transactions that pass a filter, oldest first; no more than 50 of them.
///
/// # Errors
/// As [`statements`].
pub async fn among(
    client: &Client,
    filter: &Filter,
    xids: &[i64],
) -> Result<Vec<Statement>, Error> {
    let condition = filter.condition(client).await?;
    let xids: Vec<String> = xids.iter().map(i64::to_string).collect();
    let query = format!(
        "SELECT {STATEMENT} FROM pgtrack.statement s JOIN pgtrack.activity a USING (relation_id, statement_id)
         WHERE s.xid = ANY ($2::text[]::xid8[]) AND s.relation_id = ANY ($1::integer[]) AND {}
         ORDER BY a.statement_id LIMIT {MOST_AMONG}",
        condition.sql(3)
    );
    let rows = client
        .query(&query, &condition.parameters(&[&condition.relations, &xids]))
        .await
        .map_err(Error::query("read the latest changes"))?;
    Ok(rows.iter().filter_map(read).collect())
}

/// One statement, and the tables that it changed; empty if there is none of this number that we may read.
///
/// # Errors
/// When the history cannot be read.
pub async fn statement(client: &Client, id: i64) -> Result<Option<Statement>, Error> {
    let query = format!(
        "SELECT {STATEMENT} FROM pgtrack.relation r JOIN pgtrack.activity a USING (relation_id)
         WHERE a.statement_id = $1"
    );
    let rows = client.query(&query, &[&id]).await.map_err(Error::query("read a statement"))?;
    Ok(rows.iter().find_map(read))
}

/// The statements to look at: from below `top` down to `bottom`.
struct Range {
    top: i64,
    bottom: i64,
}

fn rest(is_full: bool, last: Option<i64>, floor: i64, range: &Range) -> Rest {
    match last {
        Some(last) if is_full => Rest::Older(last),
        _ if floor > range.bottom => Rest::Unknown(floor),
        _ => Rest::None,
    }
}

/// Where the statements of these tables and this time begin and end; `None` if there are none.
async fn range(
    client: &Client,
    filter: &Filter,
    condition: &Condition,
    before: Option<i64>,
) -> Result<Option<Range>, Error> {
    let query = "SELECT min(b.first), max(b.last) FROM unnest($1::integer[]) AS r (id)
                 CROSS JOIN LATERAL (
                   SELECT (SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = r.id
                           ORDER BY s.statement_id LIMIT 1) AS first,
                          (SELECT s.statement_id FROM pgtrack.statement s WHERE s.relation_id = r.id
                           ORDER BY s.statement_id DESC LIMIT 1) AS last) b";
    let row = client
        .query_one(query, &[&condition.relations])
        .await
        .map_err(Error::query("look for changes"))?;
    let (Some(mut bottom), Some(last)) =
        (row.get::<_, Option<i64>>(0), row.get::<_, Option<i64>>(1))
    else {
        return Ok(None);
    };
    let mut top = before.unwrap_or(i64::MAX).min(last + 1);
    if let Some(until) = filter.until
        && before.is_none()
        && let Some(id) = nearest(client, until, Side::Before).await?
    {
        top = top.min(id + 1);
    }
    if let Some(since) = filter.since {
        match nearest(client, since, Side::After).await? {
            Some(id) => bottom = bottom.max(id),
            None => return Ok(None),
        }
    }
    Ok((top > bottom).then_some(Range { top, bottom }))
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

/// The last statement before a moment, or the first one from it on. The index on time is coarse: small windows first.
async fn nearest(client: &Client, at: Timestamp, side: Side) -> Result<Option<i64>, Error> {
    let query = match side {
        Side::Before => {
            "SELECT max(s.statement_id) FROM pgtrack.statement s
             WHERE s.at < $1 AND s.at >= $1 - make_interval(secs => $2)"
        }
        Side::After => {
            "SELECT min(s.statement_id) FROM pgtrack.statement s
             WHERE s.at >= $1 AND s.at < $1 + make_interval(secs => $2)"
        }
    };
    for seconds in [60.0, 3600.0, 86_400.0, 2_592_000.0, 1e10_f64] {
        let row = client
            .query_one(query, &[&at, &seconds])
            .await
            .map_err(Error::query("look for changes of a time"))?;
        if let Some(id) = row.get(0) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// The distinct transactions of some statements, in their order.
pub fn xids(statements: &[Statement]) -> Vec<i64> {
    let mut seen = BTreeSet::new();
    statements.iter().map(|one| one.xid).filter(|xid| seen.insert(*xid)).collect()
}

fn read(row: &Row) -> Option<Statement> {
    Some(Statement {
        id: row.get("statement_id"),
        xid: row.get("xid"),
        at: row.get("at"),
        table: row.get("table_name"),
        operation: Operation::from_word(row.get("operation"))?,
        rows: row.get("row_count"),
        who: row.get("who"),
        user_name: row.get("user_name"),
        application: row.get("application"),
        client_addr: row.get("client_addr"),
        through_proxy: row.get("through_proxy"),
        message: row.get("message"),
        reverts: Reverts::read(row.get("reverts"), row.get("reverts_xid")),
        query: row.get("query"),
    })
}
