//! Plans and applies reverts. What a revert does is decided in SQL; here it is shown first and done then,
//! and refused if the rows have changed in between.

mod batches;
mod estimate;
mod outline;

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, GenericClient, IsolationLevel, Row, Transaction};

use crate::Error;
use crate::model::{RowKey, object};
use crate::table::TableName;

pub use batches::{Batch, Batches, rehearse_batches};
pub use estimate::estimate;
pub use outline::{Outline, Total, apply_outline, outline};

/// What shall be reverted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The last change of a row.
    LastChange(TableName, RowKey),
    /// A row to what it was right after a version; 0 is before its first recorded change.
    Version(TableName, RowKey, i32),
    /// A deleted row.
    DeletedRow(TableName, RowKey),
    /// Everything a transaction did.
    Transaction(i64),
    /// Everything that some transactions did, as if they had been one.
    Transactions(Vec<i64>),
    /// What some statements did, as if they had been one.
    Statements(Vec<i64>),
    /// A table to what it was at a point: a tag, a timestamp, or `xid:N`.
    Table(TableName, String),
    /// Every tracked table of a schema to what it was at a point.
    Schema(String, String),
    /// Everything that somebody or something did.
    Cause(Cause),
}

impl Target {
    /// Whether some columns can be set back without the others: not of whole rows, and not of whole tables.
    pub fn has_columns(&self) -> bool {
        !matches!(self, Self::DeletedRow(..) | Self::Table(..) | Self::Schema(..))
    }

    /// Whether it may be done though others go on changing its rows: what is undone stays the same, and rows that they
    /// change are left to them. Otherwise somebody who writes all the time would make every plan out of date.
    pub fn tolerates(&self, on_conflict: OnConflict) -> bool {
        let is_fixed =
            matches!(self, Self::Transaction(_) | Self::Transactions(_) | Self::Statements(_));
        is_fixed && matches!(on_conflict, OnConflict::Skip | OnConflict::Merge)
    }
}

/// Who or what did something, and when; at least one of the first three is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cause {
    /// The actor that the application named.
    pub actor: Option<String>,
    /// `application_name`.
    pub application: Option<String>,
    /// The session user or the role.
    pub user: Option<String>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
}

impl Cause {
    fn parameters(&self) -> Parameters {
        let Self { actor, application, user, from, to } = self.clone();
        vec![Box::new(actor), Box::new(application), Box::new(user), Box::new(from), Box::new(to)]
    }
}

/// Plans with more rows are not made whole: they would have to be held in memory. They are counted, and done in
/// [`Batches`] or as an [`Outline`].
pub const MOST_STEPS: usize = 10_000;

/// What a revert would do, row by row.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The rows that would change.
    pub steps: Vec<Step>,
    /// How many they are, by table and action.
    pub totals: Vec<Total>,
    /// Whether there are more rows than [`MOST_STEPS`]: these are the first ones, and [`apply`] refuses.
    pub is_cut: bool,
    /// Stands for this plan; another plan has another one.
    pub token: String,
    /// The same as the token of an [`Outline`].
    pub digest: String,
}

impl Plan {
    /// How many rows would change.
    pub fn rows(&self) -> i64 {
        outline::rows(&self.totals)
    }

    /// How many rows somebody else changed since.
    pub fn conflicts(&self) -> i64 {
        outline::conflicts(&self.totals)
    }
}

/// What would happen to one row.
#[derive(Debug, Clone)]
pub struct Step {
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// The row.
    pub key: RowKey,
    /// What would be done.
    pub action: Action,
    /// The row as it is; `None` if it is missing.
    pub before: Option<Map<String, Value>>,
    /// The row as it would be; `None` if it would be deleted.
    pub after: Option<Map<String, Value>>,
    /// What stands against it: somebody changed the row since.
    pub conflict: Option<String>,
}

/// What a revert does to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is inserted again.
    Insert,
    /// Its columns are set back.
    Update,
    /// It is deleted.
    Delete,
    /// It is as wanted already.
    Nothing,
}

impl Action {
    /// Reads the word that the SQL interface uses.
    fn from_word(word: &str) -> Self {
        match word {
            "insert" => Self::Insert,
            "update" => Self::Update,
            "delete" => Self::Delete,
            _ => Self::Nothing,
        }
    }

    /// The word that the SQL interface uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Nothing => "nothing",
        }
    }
}

/// What to do about rows that somebody else changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Do nothing at all and report them.
    Error,
    /// Leave those rows as they are.
    Skip,
    /// Revert the columns that nobody changed since.
    Merge,
    /// The same, and numbers that somebody changed by the difference.
    Delta,
    /// Overwrite them.
    Force,
}

impl OnConflict {
    /// The word that the SQL interface takes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Skip => "skip",
            Self::Merge => "merge",
            Self::Delta => "delta",
            Self::Force => "force",
        }
    }
}

/// How a revert is done.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// What to do about rows that somebody else changed since.
    pub on_conflict: OnConflict,
    /// The columns to set back of rows that are updated; `None` is all of them.
    pub columns: Option<&'a [String]>,
}

/// All columns.
impl From<OnConflict> for Manner<'_> {
    fn from(on_conflict: OnConflict) -> Self {
        Self { on_conflict, columns: None }
    }
}

/// Who reverts, and why; recorded with the change.
#[derive(Debug, Clone, Copy)]
pub struct Attribution<'a> {
    /// The person; `None` leaves it at the session user.
    pub actor: Option<&'a str>,
    /// The reason.
    pub message: Option<&'a str>,
}

/// How long a revert may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// To wait for whoever holds a row or table.
    pub lock: Duration,
    /// Every statement; zero is no limit.
    pub statement: Duration,
}

/// For somebody who waits for a page.
const PATIENCE: Limits = Limits { lock: Duration::from_secs(2), statement: Duration::from_mins(1) };

/// The latest transaction of the session user, on behalf of an actor if one is named, that is no undo; with `back` the one
/// so many before it.
///
/// # Errors
/// When there is none, or it is not clear which it is.
pub async fn last(client: &Client, actor: Option<&str>, back: i32) -> Result<i64, Error> {
    let row = client
        .query_one("SELECT pgtrack._find_last($1, $2)", &[&actor, &back])
        .await
        .map_err(Error::query("tell which transaction is meant"))?;
    Ok(row.get(0))
}

/// Works out what a revert would do to all columns, and to rows that somebody else changed since; changes nothing.
///
/// # Errors
/// When there is nothing to revert, or we may not read it.
pub async fn plan(
    client: &impl GenericClient,
    target: &Target,
    on_conflict: OnConflict,
) -> Result<Plan, Error> {
    let max = i64::try_from(MOST_STEPS + 1).unwrap_or(i64::MAX);
    let Outline { totals, mut steps, token: digest } =
        outline(client, target, on_conflict, max).await?;
    let is_cut = steps.len() > MOST_STEPS;
    steps.truncate(MOST_STEPS);
    let token = if is_cut { digest.clone() } else { token(&steps) };
    Ok(Plan { steps, totals, is_cut, token, digest })
}

fn plan_query(target: &Target, manner: Manner<'_>) -> (&'static str, Parameters) {
    let (query, mut parameters) = match target {
        Target::LastChange(table, key) => (
            "SELECT * FROM pgtrack.plan_undo_pk($1, $2, on_conflict => $3, columns => $4)",
            row(table, key),
        ),
        Target::DeletedRow(table, key) => {
            ("SELECT * FROM pgtrack.plan_restore_pk($1, $2, on_conflict => $3)", row(table, key))
        }
        Target::Version(table, key, version) => (
            "SELECT * FROM pgtrack.plan_revert_pk($1, $2, $3, on_conflict => $4, columns => $5)",
            with(row(table, key), *version),
        ),
        Target::Transaction(xid) => (
            "SELECT * FROM pgtrack.plan_undo_transaction($1, on_conflict => $2, columns => $3)",
            with(vec![], *xid),
        ),
        Target::Transactions(xids) => (
            "SELECT * FROM pgtrack.plan_undo_transactions($1, on_conflict => $2, columns => $3)",
            with(vec![], xids.clone()),
        ),
        Target::Statements(ids) => (
            "SELECT * FROM pgtrack.plan_undo_statements($1, on_conflict => $2, columns => $3)",
            with(vec![], ids.clone()),
        ),
        Target::Table(table, point) => (
            "SELECT * FROM pgtrack.plan_revert_table($1, $2)",
            with(with(vec![], table.to_string()), point.clone()),
        ),
        Target::Schema(schema, point) => (
            "SELECT * FROM pgtrack.plan_revert_schema($1, $2)",
            with(with(vec![], quoted(schema)), point.clone()),
        ),
        Target::Cause(cause) => (
            "SELECT * FROM pgtrack.plan_undo_where($1, $2, $3, $4, $5, on_conflict => $6, columns => $7)",
            cause.parameters(),
        ),
    };
    if !matches!(target, Target::Table(..) | Target::Schema(..)) {
        parameters.push(Box::new(manner.on_conflict.word().to_owned()));
    }
    if target.has_columns() {
        parameters.push(Box::new(manner.columns.map(<[String]>::to_vec)));
    }
    (query, parameters)
}

fn step(row: &Row) -> Option<Step> {
    Some(Step {
        table: row.get("table"),
        key: RowKey(object(row.get("row_pk"))?),
        action: Action::from_word(row.get("action")),
        before: object(row.get("before")),
        after: object(row.get("after")),
        conflict: row.get("conflict"),
    })
}

/// Reverts, if the plan as of now is the one that was seen, or [one that need not be](Target::tolerates). Returns the transaction that did it;
/// `None` if every row was left as it is. The plan is that of all columns, also where only some are set back, and of what
/// was `planned` for rows that somebody else changed since.
///
/// # Errors
/// [`Error::StalePlan`] when the rows have changed since the plan was made, or are too many; otherwise the server's
/// reason.
/// In either case nothing was changed.
pub async fn apply(
    client: &mut Client,
    target: &Target,
    planned: OnConflict,
    is_seen: impl FnOnce(&Plan) -> bool,
    manner: impl Into<Manner<'_>>,
    attribution: Attribution<'_>,
) -> Result<Option<i64>, Error> {
    let manner = manner.into();
    let isolation = isolation(target.tolerates(manner.on_conflict));
    let transaction = begin(client, Some(target), PATIENCE, isolation).await?;
    let plan = plan(&transaction, target, planned).await?;
    if plan.is_cut || !is_seen(&plan) {
        return Err(Error::StalePlan);
    }
    finish(transaction, target, manner, attribution).await
}

/// One snapshot for the plan and the revert: whoever changes a row in between makes the revert fail. Where such rows are
/// left to others, they have to be seen.
fn isolation(tolerates: bool) -> IsolationLevel {
    if tolerates { IsolationLevel::ReadCommitted } else { IsolationLevel::RepeatableRead }
}

/// What goes back as a whole, if it is to be reverted here, is locked before the snapshot is taken, which would not see
/// rows that come in between.
async fn begin<'a>(
    client: &'a mut Client,
    target: Option<&Target>,
    limits: Limits,
    isolation: IsolationLevel,
) -> Result<Transaction<'a>, Error> {
    let whole = match target {
        Some(target) => whole_tables(client, target).await?,
        None => Vec::new(),
    };
    let transaction = client
        .build_transaction()
        .isolation_level(isolation)
        .start()
        .await
        .map_err(Error::query("begin the revert"))?;
    limit(&transaction, limits).await?;
    for table in whole {
        transaction
            .batch_execute(&format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"))
            .await
            .map_err(Error::query("lock what is reverted"))?;
    }
    Ok(transaction)
}

/// The tables that go back to a point as a whole, as `LOCK TABLE` names them.
async fn whole_tables(client: &Client, target: &Target) -> Result<Vec<String>, Error> {
    let (condition, name) = match target {
        Target::Table(table, _) => {
            ("to_regclass(t.table_name) = to_regclass($1)", table.to_string())
        }
        Target::Schema(schema, _) => ("t.schema_name = $1", schema.clone()),
        _ => return Ok(Vec::new()),
    };
    let query = format!(
        "SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || t.table_name
         FROM pgtrack.tracked_table t JOIN pg_class c ON c.oid = to_regclass(t.table_name)
         WHERE {condition} AND t.key_columns <> '{{}}' ORDER BY c.relname"
    );
    let rows =
        client.query(&query, &[&name]).await.map_err(Error::query("look for what is reverted"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn limit(transaction: &Transaction<'_>, limits: Limits) -> Result<(), Error> {
    let Limits { lock, statement } = limits;
    let settings = format!(
        "SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}",
        lock.as_millis(),
        statement.as_millis()
    );
    transaction.batch_execute(&settings).await.map_err(Error::query("begin the revert"))
}

async fn finish(
    transaction: Transaction<'_>,
    target: &Target,
    manner: Manner<'_>,
    attribution: Attribution<'_>,
) -> Result<Option<i64>, Error> {
    name_actor(&transaction, attribution).await?;
    match run(&transaction, target, manner, attribution.message).await {
        Ok(()) => {}
        Err(error) if error.sqlstate() == Some(&SqlState::T_R_SERIALIZATION_FAILURE) => {
            return Err(Error::StalePlan);
        }
        Err(error) => return Err(error),
    }
    commit(transaction).await
}

async fn name_actor(
    transaction: &Transaction<'_>,
    attribution: Attribution<'_>,
) -> Result<(), Error> {
    if let Some(actor) = attribution.actor {
        transaction
            .execute("SELECT pgtrack.set_actor($1, true)", &[&actor])
            .await
            .map_err(Error::query("name the actor"))?;
    }
    Ok(())
}

/// Returns the transaction's id if it changed a tracked table.
async fn commit(transaction: Transaction<'_>) -> Result<Option<i64>, Error> {
    // Locking rows takes a transaction id, too; only a recorded change counts.
    let query = "SELECT max(s.xid::text::bigint) FROM pgtrack.statement s WHERE s.xid = pg_current_xact_id_if_assigned()";
    let row = transaction
        .query_one(query, &[])
        .await
        .map_err(Error::query("read the transaction's id"))?;
    let xid = row.get(0);
    transaction.commit().await.map_err(Error::query("commit the revert"))?;
    Ok(xid)
}

/// Reverts and takes it back at once, to find out what stands against it: other constraints, triggers, rights.
///
/// # Errors
/// What [`apply`] would fail with.
pub async fn rehearse(
    client: &mut Client,
    target: &Target,
    manner: Manner<'_>,
) -> Result<(), Error> {
    let transaction = client.transaction().await.map_err(Error::query("begin a rehearsal"))?;
    transaction
        .batch_execute("SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '10s'")
        .await
        .map_err(Error::query("begin a rehearsal"))?;
    run(&transaction, target, manner, None).await?;
    transaction
        .batch_execute("SET CONSTRAINTS ALL IMMEDIATE")
        .await
        .map_err(Error::query("check the deferred constraints"))?;
    transaction.rollback().await.map_err(Error::query("take a rehearsal back"))
}

async fn run(
    transaction: &Transaction<'_>,
    target: &Target,
    manner: Manner<'_>,
    message: Option<&str>,
) -> Result<(), Error> {
    let (query, mut parameters) = match target {
        Target::LastChange(table, key) => (
            "SELECT pgtrack.undo_pk($1, $2, on_conflict => $3, message => $4, columns => $5)",
            row(table, key),
        ),
        Target::DeletedRow(table, key) => {
            ("SELECT pgtrack.restore_pk($1, $2, on_conflict => $3, message => $4)", row(table, key))
        }
        Target::Version(table, key, version) => (
            "SELECT pgtrack.revert_pk($1, $2, $3, on_conflict => $4, message => $5, columns => $6)",
            with(row(table, key), *version),
        ),
        Target::Transaction(xid) => (
            "SELECT pgtrack.undo_transaction($1, on_conflict => $2, message => $3, columns => $4)",
            with(vec![], *xid),
        ),
        Target::Transactions(xids) => (
            "SELECT pgtrack.undo_transactions($1, on_conflict => $2, message => $3, columns => $4)",
            with(vec![], xids.clone()),
        ),
        Target::Statements(ids) => (
            "SELECT pgtrack.undo_statements($1, on_conflict => $2, message => $3, columns => $4)",
            with(vec![], ids.clone()),
        ),
        // A revert to a point has no conflicts: whatever came after the point is undone.
        Target::Table(table, point) => (
            "SELECT pgtrack.revert_table($1, $2, message => $3)",
            with(with(vec![], table.to_string()), point.clone()),
        ),
        Target::Schema(schema, point) => (
            "SELECT pgtrack.revert_schema($1, $2, message => $3)",
            with(with(vec![], quoted(schema)), point.clone()),
        ),
        Target::Cause(cause) => (
            "SELECT pgtrack.undo_where($1, $2, $3, $4, $5, on_conflict => $6, message => $7, columns => $8)",
            cause.parameters(),
        ),
    };
    if !matches!(target, Target::Table(..) | Target::Schema(..)) {
        parameters.push(Box::new(manner.on_conflict.word().to_owned()));
    }
    parameters.push(Box::new(message.map(str::to_owned)));
    if target.has_columns() {
        parameters.push(Box::new(manner.columns.map(<[String]>::to_vec)));
    }
    transaction.query(query, &borrow(&parameters)).await.map_err(Error::query("revert"))?;
    Ok(())
}

type Parameters = Vec<Box<dyn ToSql + Sync + Send>>;

fn row(table: &TableName, key: &RowKey) -> Parameters {
    vec![Box::new(table.to_string()), Box::new(key.to_json())]
}

fn with(mut parameters: Parameters, more: impl ToSql + Sync + Send + 'static) -> Parameters {
    parameters.push(Box::new(more));
    parameters
}

/// A name as SQL takes it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn borrow(parameters: &Parameters) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|parameter| &**parameter as &(dyn ToSql + Sync)).collect()
}

/// A digest of everything a plan would do and of the rows as they are.
fn token(steps: &[Step]) -> String {
    let mut digest = Sha256::new();
    for step in steps {
        digest.update(format!("{step:?}\n"));
    }
    let mut token = String::with_capacity(64);
    for byte in digest.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    token
}
