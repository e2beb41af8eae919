//! The stream of transactions, newest or next.
//!
//! A position in it is a snapshot, not a number or a time: a transaction that was still running when others
//! with higher numbers had committed is delivered when it commits, once.

use serde_json::Value;
use tokio_postgres::{Client, Row};

use crate::Error;
use crate::model::{Effect, Operation, Reverts, Transaction};

/// A position in the feed: everything that its snapshot sees has been delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Reads a cursor that was written with [`as_str`](Self::as_str); `None` if the text is none.
    ///
    /// The form is `pg_snapshot`'s: `xmin:xmax:xip,xip` (manual section "Transaction ID and Snapshot Information").
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let xmin: u64 = parts.next()?.parse().ok()?;
        let xmax: u64 = parts.next()?.parse().ok()?;
        let running = parts.next()?;
        let is_list =
            running.is_empty() || running.split(',').all(|xid| xid.parse::<u64>().is_ok());
        (parts.next().is_none() && xmin <= xmax && is_list).then(|| Self(text.to_owned()))
    }

    /// The cursor as text, for a client to keep.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The lowest number that no transaction had been given yet.
    pub(crate) fn next(&self) -> u64 {
        self.0.split(':').nth(1).and_then(|xmax| xmax.parse().ok()).unwrap_or_default()
    }
}

const TRANSACTION: &str = "
    SELECT a.xid, max(a.at) AS at, min(left(a.who, 256)) AS who, min(a.user_name) AS user_name,
           min(a.application) AS application, min(a.client_addr) AS client_addr,
           bool_or(a.through_proxy) AS through_proxy, max(left(a.message, 1000)) AS message,
           max(left(a.reverts, 256)) AS reverts, max(a.reverts_xid) AS reverts_xid,
           (SELECT left(f.query, 4000) FROM pgtrack.activity f
            WHERE f.relation_id = (array_agg(a.relation_id ORDER BY a.statement_id))[1]
              AND f.statement_id = min(a.statement_id)) AS query,
           (SELECT jsonb_agg(jsonb_build_array(e.table_name, e.operation, e.rows) ORDER BY e.first)
            FROM (SELECT b.table_name, b.operation, sum(b.row_count) AS rows, min(b.statement_id) AS first
                  FROM unnest(array_agg(a.table_name), array_agg(a.operation), array_agg(a.row_count),
                              array_agg(a.statement_id)) AS b (table_name, operation, row_count, statement_id)
                  GROUP BY b.table_name, b.operation) e) AS effects
    FROM pgtrack.activity a
    WHERE (a.relation_id, a.statement_id) IN (
      SELECT s.relation_id, s.statement_id FROM pgtrack.statement s WHERE s.xid = x.xid)
    GROUP BY a.xid";

/// Statements of this cluster: those that came with a dump of another one have transaction numbers that mean nothing here.
pub(crate) const IS_HERE: &str = "
    s.statement_id >= coalesce((SELECT max(e.first_statement_id) FROM pgtrack.epoch e, pg_control_system() c
                                WHERE e.system_identifier = c.system_identifier), 9223372036854775807)";

/// Where the feed is now.
///
/// # Errors
/// When the database cannot be asked.
pub async fn now(client: &Client) -> Result<Cursor, Error> {
    let row = client
        .query_one("SELECT pg_current_snapshot()::text", &[])
        .await
        .map_err(Error::query("ask where the feed is"))?;
    Ok(Cursor(row.get(0)))
}

/// The newest transactions, newest first, older than `before` if given; and the cursor to go on from.
///
/// # Errors
/// When the history cannot be read.
pub async fn newest(
    client: &Client,
    limit: i64,
    before: Option<i64>,
) -> Result<(Vec<Transaction>, Cursor), Error> {
    let before = before.map(|xid| xid.to_string());
    let query = format!(
        "SELECT n.snapshot::text, t.*
         FROM (SELECT pg_current_snapshot() AS snapshot) n
         LEFT JOIN LATERAL (SELECT DISTINCT s.xid FROM pgtrack.statement s
                            WHERE ($2::text IS NULL OR s.xid < $2::text::xid8) AND {IS_HERE}
                            ORDER BY s.xid DESC LIMIT $1) x ON true
         LEFT JOIN LATERAL ({TRANSACTION}) t ON true
         ORDER BY t.xid DESC"
    );
    let rows = client
        .query(&query, &[&limit, &before])
        .await
        .map_err(Error::query("read the newest transactions"))?;
    Ok(read_all(&rows))
}

/// The transactions that committed after `cursor`, oldest first, and the cursor to go on from.
/// With more than `limit` of them, the newest are returned; `None` says so.
///
/// # Errors
/// When the history cannot be read.
pub async fn since(
    client: &Client,
    cursor: &Cursor,
    limit: i64,
) -> Result<(Option<Vec<Transaction>>, Cursor), Error> {
    let query = format!(
        "SELECT n.snapshot::text, t.*
         FROM (SELECT pg_current_snapshot() AS snapshot) n
         LEFT JOIN LATERAL (SELECT DISTINCT s.xid FROM pgtrack.statement s
                            WHERE s.xid >= pg_snapshot_xmin($1::text::pg_snapshot) -- for the index
                              AND (s.xid >= pg_snapshot_xmax($1::text::pg_snapshot)
                                   OR s.xid IN (SELECT pg_snapshot_xip($1::text::pg_snapshot))) AND {IS_HERE}
                            ORDER BY s.xid LIMIT $2::bigint + 1) x ON true
         LEFT JOIN LATERAL ({TRANSACTION}) t ON true
         ORDER BY t.xid"
    );
    let rows = client
        .query(&query, &[&cursor.0, &limit])
        .await
        .map_err(Error::query("read the latest transactions"))?;
    let (transactions, next) = read_all(&rows);
    let is_complete = i64::try_from(transactions.len()).is_ok_and(|count| count <= limit);
    Ok((is_complete.then_some(transactions), next))
}

/// One transaction; `None` if it changed no table that we may read.
///
/// # Errors
/// When the history cannot be read.
pub async fn transaction(client: &Client, xid: i64) -> Result<Option<Transaction>, Error> {
    let query = format!(
        "SELECT pg_current_snapshot()::text, t.*
         FROM (SELECT $1::text::xid8 AS xid) x LEFT JOIN LATERAL ({TRANSACTION}) t ON true"
    );
    let rows = client
        .query(&query, &[&xid.to_string()])
        .await
        .map_err(Error::query(format!("read transaction {xid}")))?;
    Ok(read_all(&rows).0.pop())
}

/// These transactions, in this order; those that we may not read are left out.
///
/// # Errors
/// When the history cannot be read.
pub async fn transactions(client: &Client, xids: &[i64]) -> Result<Vec<Transaction>, Error> {
    let xids: Vec<String> = xids.iter().map(i64::to_string).collect();
    let query = format!(
        "SELECT pg_current_snapshot()::text, t.*
         FROM unnest($1::text[]::xid8[]) WITH ORDINALITY AS x (xid, position)
         LEFT JOIN LATERAL ({TRANSACTION}) t ON true
         ORDER BY x.position"
    );
    let rows = client.query(&query, &[&xids]).await.map_err(Error::query("read transactions"))?;
    Ok(read_all(&rows).0)
}

/// Every row carries the snapshot; a single row without a transaction says that there is none.
fn read_all(rows: &[Row]) -> (Vec<Transaction>, Cursor) {
    let cursor = rows.first().map_or_else(String::new, |row| row.get(0));
    let transactions = rows.iter().filter_map(read).collect();
    (transactions, Cursor(cursor))
}

fn read(row: &Row) -> Option<Transaction> {
    let xid: Option<i64> = row.get("xid");
    let effects: Option<Value> = row.get("effects");
    Some(Transaction {
        xid: xid?,
        at: row.get("at"),
        who: row.get("who"),
        user_name: row.get("user_name"),
        application: row.get("application"),
        client_addr: row.get("client_addr"),
        through_proxy: row.get("through_proxy"),
        message: row.get("message"),
        reverts: Reverts::read(row.get("reverts"), row.get("reverts_xid")),
        query: row.get("query"),
        effects: effects?.as_array()?.iter().filter_map(read_effect).collect(),
    })
}

fn read_effect(value: &Value) -> Option<Effect> {
    let [table, operation, rows] = value.as_array()?.as_slice() else { return None };
    Some(Effect {
        table: table.as_str()?.to_owned(),
        operation: Operation::from_word(operation.as_str()?)?,
        rows: rows.as_i64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn only_snapshots_are_cursors() {
        for good in ["1:1:", "10:20:", "10:20:12,15"] {
            assert_eq!(
                Cursor::parse(good).map(|cursor| cursor.as_str().to_owned()),
                Some(good.to_owned())
            );
        }
        for bad in
            ["", "1", "1:2", "2:1:", "1:2:x", "1:2:,", "1:2:3:4", "-1:2:", "1:2:'; DROP TABLE x"]
        {
            assert_eq!(Cursor::parse(bad), None, "{bad:?}");
        }
    }
}
