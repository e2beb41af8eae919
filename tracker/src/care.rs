//! Taking care of the history: what it takes up, what can be purged, and whether all that should be is recorded.

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Client;

use crate::Error;
use crate::model::RowKey;
use crate::table::TableName;

/// The history of one table, tracked now or before.
#[derive(Debug, Clone)]
pub struct Storage {
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// The disk space of the images, in bytes.
    pub heap_bytes: i64,
    /// The disk space of their indexes, in bytes.
    pub index_bytes: i64,
    /// About how many row changes are recorded, as the planner knows it.
    pub estimated_changes: i64,
    /// When the oldest one was made.
    pub oldest: Option<Timestamp>,
    /// Before this moment nothing is known any more.
    pub purged_until: Option<Timestamp>,
    /// Whether it is tracked now.
    pub is_tracked: bool,
}

/// The history of every table, largest first.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn storage(client: &Client) -> Result<Vec<Storage>, Error> {
    let query = "SELECT format('%I.%I', r.schema_name, r.table_name) AS table_name, z.heap AS heap_bytes,
                        z.indexes AS index_bytes, greatest(pg_stat_get_live_tuples(c.oid), c.reltuples)::bigint AS estimated_changes,
                        (SELECT s.at FROM pgtrack.statement s WHERE s.relation_id = r.relation_id
                         ORDER BY s.statement_id LIMIT 1) AS oldest,
                        r.purged_until, r.tracked_until IS NULL AS is_tracked
                 FROM pgtrack.relation r
                 JOIN pg_class c ON c.relname = r.history_table AND c.relnamespace = 'pgtrack_history'::regnamespace
                 CROSS JOIN LATERAL pgtrack._sizes(c.oid) z
                 ORDER BY z.heap + z.indexes DESC, 1";
    let rows = client.query(query, &[]).await.map_err(Error::query("measure the history"))?;
    Ok(rows
        .iter()
        .map(|row| Storage {
            table: row.get("table_name"),
            heap_bytes: row.get("heap_bytes"),
            index_bytes: row.get("index_bytes"),
            estimated_changes: row.get("estimated_changes"),
            oldest: row.get("oldest"),
            purged_until: row.get("purged_until"),
            is_tracked: row.get("is_tracked"),
        })
        .collect())
}

/// The disk space of what is recorded about statements, in bytes.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn statement_bytes(client: &Client) -> Result<i64, Error> {
    let query = "SELECT pg_total_relation_size('pgtrack.statement')";
    let row = client.query_one(query, &[]).await.map_err(Error::query("measure the history"))?;
    Ok(row.get(0))
}

/// What a purge removes, or would remove, of one table.
#[derive(Debug, Clone)]
pub struct Purged {
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// How many statements.
    pub statements: i64,
    /// How many row changes.
    pub changes: i64,
}

/// What [`purge`] would remove.
///
/// # Errors
/// When we are not pg_track's owner.
pub async fn plan_purge(client: &Client, age: SignedDuration) -> Result<Vec<Purged>, Error> {
    remove(client, "SELECT * FROM pgtrack.plan_purge(make_interval(secs => $1))", age).await
}

/// The age that a person means, such as `90 days`.
///
/// # Errors
/// When it is none, or not above zero.
pub async fn age(client: &Client, text: &str) -> Result<SignedDuration, Error> {
    let row = client
        .query_one("SELECT extract(epoch FROM $1::text::interval)::float8", &[&text])
        .await
        .map_err(Error::query(format!("understand the age `{text}`")))?;
    Ok(SignedDuration::from_secs_f64(row.get(0)))
}

/// Removes the history that is older. What happened before can then neither be shown nor undone.
///
/// # Errors
/// When we are not pg_track's owner.
pub async fn purge(client: &Client, age: SignedDuration) -> Result<Vec<Purged>, Error> {
    remove(client, "SELECT * FROM pgtrack.purge(make_interval(secs => $1))", age).await
}

/// How many records of calls [`purge_audit`] would remove.
///
/// # Errors
/// When the audit cannot be read.
pub async fn plan_purge_audit(client: &Client, age: SignedDuration) -> Result<i64, Error> {
    let query = "SELECT count(*) FROM pgtrack.audit_entry WHERE at < clock_timestamp() - make_interval(secs => $1)";
    count(client, query, age).await
}

/// Removes the records of calls that are older; returns how many.
///
/// # Errors
/// When we are not pg_track's owner.
pub async fn purge_audit(client: &Client, age: SignedDuration) -> Result<i64, Error> {
    count(client, "SELECT pgtrack.purge_audit(make_interval(secs => $1))", age).await
}

async fn count(client: &Client, query: &str, age: SignedDuration) -> Result<i64, Error> {
    let row = client
        .query_one(query, &[&age.as_secs_f64()])
        .await
        .map_err(Error::query("purge the audit"))?;
    Ok(row.get(0))
}

async fn remove(client: &Client, query: &str, age: SignedDuration) -> Result<Vec<Purged>, Error> {
    let rows = client
        .query(query, &[&age.as_secs_f64()])
        .await
        .map_err(Error::query("purge the history"))?;
    Ok(rows
        .iter()
        .map(|row| Purged {
            table: row.get("table"),
            statements: row.get("statements"),
            changes: row.get("changes"),
        })
        .collect())
}

/// Something that should be looked at.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The table; none for the database as a whole.
    pub table: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Finding {
    /// Whether nobody can mend it: where nobody is a superuser, there are no event triggers, and DDL is followed later;
    /// and a tracked schema may have tables of a kind that cannot be tracked.
    pub fn is_note(&self) -> bool {
        self.problem.starts_with("it cannot be tracked, as its schema is: ")
            || self.table.is_none()
                && self.problem.starts_with("DDL on tracked tables is not followed at once")
    }
}

/// Looks whether everything is recorded that should be. Rows are not read: that may take long.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn verify(client: &Client) -> Result<Vec<Finding>, Error> {
    findings(client, "SELECT * FROM pgtrack.verify(gaps => false)").await
}

/// As [`verify`], and looks for rows that changed while nothing was recorded. Reads every tracked table.
///
/// # Errors
/// As [`verify`], or when a table cannot be read.
pub async fn verify_rows(client: &Client) -> Result<Vec<Finding>, Error> {
    findings(client, "SELECT * FROM pgtrack.verify()").await
}

async fn findings(client: &Client, query: &str) -> Result<Vec<Finding>, Error> {
    let rows = client.query(query, &[]).await.map_err(Error::query("verify the tracking"))?;
    Ok(rows
        .iter()
        .map(|row| Finding {
            table: row.get("table"),
            problem: row.get("problem"),
            hint: row.get("hint"),
        })
        .collect())
}

/// With which rights pg_track works in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The role of this session.
    pub role: String,
    /// Whether that is a superuser.
    pub is_superuser: bool,
    /// Who owns pg_track; none where it is not installed.
    pub owner: Option<String>,
}

impl Standing {
    /// The role that the installation makes for pg_track where it may make roles.
    pub const OWNER: &'static str = "pgtrack_owner";

    /// The owner, if it is another one than the installation makes.
    pub fn other_owner(&self) -> Option<&str> {
        self.owner.as_deref().filter(|owner| *owner != Self::OWNER)
    }
}

/// Looks who this session is, and whose pg_track is.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn standing(client: &Client) -> Result<Standing, Error> {
    let query = "SELECT r.rolname::text AS role, r.rolsuper AS is_superuser,
                        (SELECT n.nspowner::regrole::text FROM pg_namespace n WHERE n.nspname = 'pgtrack') AS owner
                 FROM pg_roles r WHERE r.rolname = current_user";
    let row = client.query_one(query, &[]).await.map_err(Error::query("look at the roles"))?;
    Ok(Standing {
        role: row.get("role"),
        is_superuser: row.get("is_superuser"),
        owner: row.get("owner"),
    })
}

/// A table that is not tracked.
#[derive(Debug, Clone)]
pub struct Untracked {
    /// Its name.
    pub name: TableName,
    /// The name for people: quoted only where necessary.
    pub display_name: String,
    /// Whether it has a primary key.
    pub has_key: bool,
    /// About how many rows it has, as the planner knows it.
    pub estimated_rows: i64,
}

/// The tables that could be tracked and are not, by name; at most 500.
///
/// # Errors
/// When the catalog cannot be read.
pub async fn untracked(client: &Client) -> Result<Vec<Untracked>, Error> {
    let query = "SELECT n.nspname::text AS schema_name, c.relname::text AS name, format('%I.%I', n.nspname, c.relname) AS display_name,
                        EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS has_key,
                        greatest(pg_stat_get_live_tuples(c.oid), c.reltuples)::bigint AS estimated_rows
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
                   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgtrack', 'pgtrack_history', 'pgtrack_dashboard')
                   AND n.nspname NOT LIKE 'pg\\_%'
                   AND NOT EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = c.oid AND r.tracked_until IS NULL)
                 ORDER BY 1, 2 LIMIT 500";
    let rows = client.query(query, &[]).await.map_err(Error::query("look for untracked tables"))?;
    Ok(rows
        .iter()
        .map(|row| Untracked {
            name: TableName { schema: row.get("schema_name"), name: row.get("name") },
            display_name: row.get("display_name"),
            has_key: row.get("has_key"),
            estimated_rows: row.get("estimated_rows"),
        })
        .collect())
}

/// Starts to track a table, or with `is_on` false stops it; returns what was done.
///
/// # Errors
/// When the table cannot be tracked, or we do not own it.
pub async fn set_tracking(
    client: &Client,
    table: &TableName,
    is_on: bool,
) -> Result<String, Error> {
    let query = if is_on {
        "SELECT status FROM pgtrack.track($1)"
    } else {
        "SELECT status FROM pgtrack.untrack($1)"
    };
    let row = client
        .query_opt(query, &[&table.to_string()])
        .await
        .map_err(Error::query(format!("change the tracking of {table}")))?;
    Ok(row.map_or_else(String::new, |row| row.get(0)))
}

/// What became of one table.
#[derive(Debug, Clone)]
pub struct Tracking {
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// What was done, such as "tracked" or "skipped: …".
    pub status: String,
}

/// Tracks a table or a schema, named as in a query; with the options of `pgtrack.track()`.
///
/// # Errors
/// When there is no such thing, it cannot be tracked, or we may not do it.
pub async fn track(
    client: &Client,
    target: &str,
    options: &serde_json::Value,
) -> Result<Vec<Tracking>, Error> {
    let rows = client
        .query("SELECT * FROM pgtrack.track($1, $2)", &[&target, &options])
        .await
        .map_err(Error::query(format!("track {target}")))?;
    Ok(rows.iter().map(tracking).collect())
}

/// Stops tracking a table or a schema, named as in a query. What was recorded stays.
///
/// # Errors
/// As [`track`].
pub async fn untrack(client: &Client, target: &str) -> Result<Vec<Tracking>, Error> {
    let rows = client
        .query("SELECT * FROM pgtrack.untrack($1)", &[&target])
        .await
        .map_err(Error::query(format!("stop tracking {target}")))?;
    Ok(rows.iter().map(tracking).collect())
}

fn tracking(row: &tokio_postgres::Row) -> Tracking {
    Tracking { table: row.get("table_name"), status: row.get("status") }
}

/// Copies all present rows of a table, named as in a query; returns what was done.
///
/// # Errors
/// When there is no such table, or we may not do it.
pub async fn keep(client: &Client, table: &str) -> Result<String, Error> {
    let query = "SELECT pgtrack.keep($1)";
    let row = client.query_one(query, &[&table]).await;
    Ok(row.map_err(Error::query(format!("keep the rows of {table}")))?.get(0))
}

/// Brings back a dropped table, or a dropped column, from its latest copy; returns what was done.
///
/// # Errors
/// When there is no copy, the table or column is there, or we may not do it.
pub async fn recover(client: &Client, table: &str, column: Option<&str>) -> Result<String, Error> {
    let query = "SELECT pgtrack.recover($1, $2)";
    let row = client.query_one(query, &[&table, &column]).await;
    Ok(row.map_err(Error::query(format!("recover {table}")))?.get(0))
}

/// Erases the recorded values of a row's past; returns what was done.
///
/// # Errors
/// When no reason is given, or we are not pg_track's owner.
pub async fn erase(
    client: &Client,
    table: &TableName,
    key: &RowKey,
    reason: &str,
) -> Result<String, Error> {
    let query = "SELECT pgtrack.erase_pk($1, $2, $3)";
    let row = client.query_one(query, &[&table.to_string(), &key.to_json(), &reason]).await;
    Ok(row.map_err(Error::query(format!("erase the past of a row of {table}")))?.get(0))
}
