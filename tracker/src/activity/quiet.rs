//! Statements that changed nothing but columns that nobody wants to hear of.
//!
//! It is worked out for statements that are given, never looked for: each one costs a look at its few rows and at
//! their next images. What cannot be told cheaply is not quiet: many rows, rows without a key or with another one
//! since, tables whose columns have changed since.

use std::collections::HashSet;

use tokio_postgres::{Client, Row};

use super::Statement;
use super::filter::quote;
use crate::Error;
use crate::model::Operation;
use crate::table::TableName;

/// Statements with more rows are not looked at.
const MOST_ROWS: i64 = 20;
/// Transactions with more statements are not looked into.
const MOST_STATEMENTS: usize = 20;
/// Statements this far apart, of all tables, are looked up together.
const WINDOW: i64 = 500;
/// No more places of the history of a table than this are looked at.
const MOST_WINDOWS: usize = 20;
/// Nor those with more changed rows than this.
const MOST_READ: i64 = 5_000;
/// Rows with more images than this are not followed.
const MOST_IMAGES: i64 = 500;

/// Tells which columns do not count.
pub type IsIgnored<'a> = &'a (dyn Fn(&TableName, &str) -> bool + Sync);

/// Which of these statements changed nothing but ignored columns: the table and the number.
///
/// # Errors
/// When the history cannot be read.
pub async fn quiet_statements(
    client: &Client,
    statements: &[Statement],
    is_ignored: IsIgnored<'_>,
) -> Result<HashSet<(String, i64)>, Error> {
    let candidates = statements.iter().filter(|one| may_be_quiet(one.operation, one.rows));
    let candidates: Vec<_> = candidates.map(|one| (one.table.clone(), one.id)).collect();
    quiet(client, &candidates, is_ignored).await
}

/// Which of these transactions changed nothing but ignored columns.
///
/// # Errors
/// When the history cannot be read.
pub async fn quiet_transactions(
    client: &Client,
    xids: &[i64],
    is_ignored: IsIgnored<'_>,
) -> Result<HashSet<i64>, Error> {
    let texts: Vec<String> = xids.iter().map(i64::to_string).collect();
    let query =
        "SELECT s.xid::text::bigint, format('%I.%I', r.schema_name, r.table_name), s.statement_id,
                        pgtrack._operation(s.operation), s.row_count
                 FROM pgtrack.statement s JOIN pgtrack.relation r USING (relation_id)
                 WHERE s.xid = ANY ($1::text[]::xid8[])";
    let rows = client
        .query(query, &[&texts])
        .await
        .map_err(Error::query("read the statements of transactions"))?;
    let mut loud: HashSet<i64> = HashSet::new();
    let mut candidates: Vec<(i64, (String, i64))> = Vec::new();
    for row in &rows {
        let operation = Operation::from_word(row.get(3));
        if operation.is_some_and(|operation| may_be_quiet(operation, row.get(4))) {
            candidates.push((row.get(0), (row.get(1), row.get(2))));
        } else {
            loud.insert(row.get(0));
        }
    }
    loud.extend(xids.iter().filter(|xid| {
        let statements = candidates.iter().filter(|one| one.0 == **xid).count();
        statements == 0 || statements > MOST_STATEMENTS
    }));
    candidates.retain(|one| !loud.contains(&one.0));
    let statements: Vec<_> = candidates.iter().map(|one| one.1.clone()).collect();
    let quiet = quiet(client, &statements, is_ignored).await?;
    loud.extend(candidates.iter().filter(|one| !quiet.contains(&one.1)).map(|one| one.0));
    Ok(xids.iter().copied().filter(|xid| !loud.contains(xid)).collect())
}

fn may_be_quiet(operation: Operation, rows: i64) -> bool {
    operation == Operation::Update && rows <= MOST_ROWS
}

async fn quiet(
    client: &Client,
    candidates: &[(String, i64)],
    is_ignored: IsIgnored<'_>,
) -> Result<HashSet<(String, i64)>, Error> {
    let mut quiet = HashSet::new();
    for table in tables(client, candidates, is_ignored).await? {
        let ids = candidates.iter().filter(|one| one.0 == table.display_name).map(|one| one.1);
        let ids: Vec<i64> = ids.filter(|id| *id > table.since).collect();
        let (from, to) = windows(client, &table, &ids).await?;
        let rows = client
            .query(&table.query, &[&ids, &from, &to])
            .await
            .map_err(Error::query("look for what does not count"))?;
        quiet.extend(rows.iter().map(|row| (table.display_name.clone(), row.get(0))));
    }
    Ok(quiet)
}

/// The parts of the history that hold these statements, each short enough to be read whole. The last one goes on to
/// the end if nothing follows. What is in none of them is not looked at.
async fn windows(
    client: &Client,
    table: &Table,
    ids: &[i64],
) -> Result<(Vec<i64>, Vec<i64>), Error> {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable_by(|one, other| other.cmp(one));
    let mut windows: Vec<(i64, i64)> = Vec::new();
    for id in sorted {
        match windows.last_mut() {
            Some(window) if window.0 - id <= WINDOW => window.0 = id,
            _ => windows.push((id, id.saturating_add(WINDOW))),
        }
    }
    windows.truncate(MOST_WINDOWS);
    let (from, to): (Vec<i64>, Vec<i64>) = windows.into_iter().unzip();
    let query = "SELECT w.first, CASE WHEN w.last >= t.last THEN 9223372036854775807 ELSE w.last END
                 FROM (SELECT max(s.statement_id) AS last FROM pgtrack.statement s WHERE s.relation_id = $1) t,
                      unnest($2::bigint[], $3::bigint[]) AS w (first, last)
                 WHERE (SELECT coalesce(sum(s.row_count), 0) FROM pgtrack.statement s
                        WHERE s.relation_id = $1 AND s.statement_id BETWEEN w.first AND w.last) <= $4::bigint";
    let rows = client
        .query(query, &[&table.relation, &from, &to, &MOST_READ])
        .await
        .map_err(Error::query("look how much there is to read"))?;
    Ok(rows.iter().map(|row| (row.get::<_, i64>(0), row.get::<_, i64>(1))).unzip())
}

/// A table of which some columns do not count.
struct Table {
    relation: i32,
    display_name: String,
    /// Its columns are what they are since this statement.
    since: i64,
    query: String,
}

async fn tables(
    client: &Client,
    candidates: &[(String, i64)],
    is_ignored: IsIgnored<'_>,
) -> Result<Vec<Table>, Error> {
    let names: HashSet<&str> = candidates.iter().map(|one| &*one.0).collect();
    let names: Vec<&str> = names.into_iter().collect();
    // Live values as they are stored, so that no cast of the application's is called.
    let query = "SELECT format('%I.%I', r.schema_name, r.table_name), r.schema_name::text, r.table_name::text,
                        format('pgtrack_history.%I', r.history_table), r.key_columns::text[], r.relation_id,
                        array_agg(c.column_name::text ORDER BY c.attnum) AS columns,
                        array_agg(c.history_column::text ORDER BY c.attnum) AS history_columns,
                        array_agg(pgtrack._output_sql(format('t.%I', a.attname), a.atttypid) ORDER BY c.attnum) AS live_values,
                        (SELECT string_agg(pgtrack._stored_is_sql(k.kind, k.operator, k.equality, format('n.%I', k.history_column),
                                                                  format('h.%I', k.history_column)), ' AND ')
                         FROM pgtrack._key_parts(r.relation_id) k) AS later,
                        (SELECT string_agg(pgtrack._live_is_sql(format('t.%I', k.column_name), k.type, format('h.%I', k.history_column),
                                                                k.operator, k.equality), ' AND ')
                         FROM pgtrack._key_parts(r.relation_id) k) AS live,
                        (SELECT coalesce(max(greatest(g.since, g.until)), 0) FROM pgtrack.relation_column g
                         WHERE g.relation_id = r.relation_id) AS since
                 FROM pgtrack.relation r JOIN pgtrack.relation_column c USING (relation_id)
                 JOIN pg_class l ON l.oid = r.relid AND l.relkind IN ('r', 'p')
                 JOIN pg_attribute a ON a.attrelid = r.relid AND a.attname = c.column_name
                 WHERE r.tracked_until IS NULL AND format('%I.%I', r.schema_name, r.table_name) = ANY ($1)
                   AND c.attnum IS NOT NULL AND cardinality(r.key_columns) > 0
                 GROUP BY r.relation_id";
    let rows = client
        .query(query, &[&names])
        .await
        .map_err(Error::query("look up the columns that count"))?;
    let mut tables = Vec::new();
    for row in &rows {
        let name = TableName { schema: row.get(1), name: row.get(2) };
        let columns: Vec<String> = row.get("columns");
        if !columns.iter().any(|column| is_ignored(&name, column)) {
            continue;
        }
        let relation: i32 = row.get(5);
        let query = quiet_sql(&name, row, is_ignored);
        tables.push(Table { relation, display_name: row.get(0), since: row.get("since"), query });
    }
    Ok(tables)
}

/// Of the statements $1, those that changed nothing that counts. What a row was made is in its next image: in the
/// same window $2 to $3, else, unless the row has very many, anywhere, or it is the live row.
fn quiet_sql(name: &TableName, row: &Row, is_ignored: IsIgnored<'_>) -> String {
    let history: String = row.get(3);
    let keys: Vec<String> = row.get(4);
    let relation: i32 = row.get(5);
    let (later, live): (String, String) = (row.get("later"), row.get("live"));
    let columns: Vec<String> = row.get("columns");
    let recorded: Vec<String> = row.get("history_columns");
    let live_values: Vec<String> = row.get("live_values");
    let is_counted: Vec<bool> = columns.iter().map(|column| !is_ignored(name, column)).collect();
    let counted = |values: Vec<String>| {
        let counted = values.into_iter().zip(&is_counted).filter(|(_, counts)| **counts);
        let values: Vec<_> = counted.map(|(value, _)| format!("({value})::text")).collect();
        format!("ARRAY[{}]::text[]", values.join(", "))
    };
    let image = |of: &str| {
        counted(recorded.iter().map(|column| format!("{of}.{}", quote(column))).collect())
    };
    let key: Vec<_> = columns
        .iter()
        .zip(&recorded)
        .filter(|(column, _)| keys.contains(column))
        .map(|(_, recorded)| format!("h.{}", quote(recorded)))
        .collect();
    format!(
        "WITH image AS MATERIALIZED (
           SELECT h.*, w.last, {now} AS now,
                  lead({now}) OVER (PARTITION BY w.first, {key} ORDER BY h.pgtrack_statement_id, h.ctid) AS next
           FROM unnest($2::bigint[], $3::bigint[]) AS w (first, last)
           JOIN {history} h ON h.pgtrack_statement_id BETWEEN w.first AND w.last
         ), compared AS MATERIALIZED (
           SELECT h.pgtrack_statement_id AS id,
                  h.now IS DISTINCT FROM CASE
                    WHEN h.next IS NOT NULL THEN h.next
                    WHEN h.last = 9223372036854775807 THEN (SELECT {after} FROM {name} t WHERE {live})
                    WHEN (SELECT count(*) FROM (SELECT FROM {history} n WHERE {later} LIMIT {MOST_IMAGES}) x) < {MOST_IMAGES} THEN
                      -- By the key alone: the index by statement is a coarse one.
                      coalesce((SELECT {then} FROM {history} n WHERE {later} AND n.pgtrack_statement_id + 0 > h.last
                                ORDER BY n.pgtrack_statement_id LIMIT 1),
                               (SELECT {after} FROM {name} t WHERE {live})) END AS counts
           FROM image h WHERE h.pgtrack_statement_id = ANY ($1::bigint[])
         )
         SELECT c.id FROM compared c
         WHERE NOT EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = {relation} AND k.statement_id = c.id)
         GROUP BY c.id HAVING NOT bool_or(c.counts)",
        now = image("h"),
        then = image("n"),
        after = counted(live_values),
        key = key.join(", "),
    )
}
