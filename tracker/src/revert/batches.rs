//! Undoing what is too much for one transaction: planned once, and then done one batch at a time, each in a
//! transaction of its own. What belongs to a batch, and their order, is decided in SQL.

use serde_json::{Value, json};
use tokio_postgres::{Client, IsolationLevel};

use super::{Attribution, Limits, OnConflict, Plan, Target, commit, name_actor, plan};
use crate::Error;

/// An undo that is being done in batches.
#[derive(Debug)]
pub struct Batches {
    choice: Value,
    /// How many rows it is about.
    pub rows: i64,
    /// In how many batches.
    pub count: u64,
    done: u64,
    left: std::vec::IntoIter<Part>,
}

/// A batch that is still to be done.
#[derive(Debug)]
struct Part {
    /// The keys of its rows, by table, as JSON that nobody here looks into.
    keys: String,
    rows: i64,
    /// The snapshot that it was planned in.
    seen: String,
}

/// A batch that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Its place among all, from 1.
    pub number: u64,
    /// How many rows it is about.
    pub rows: i64,
    /// How many of them were left as they are, as somebody changed them.
    pub skipped: i64,
    /// The transaction that did it; `None` if every row was left as it is.
    pub xid: Option<i64>,
}

impl Target {
    /// Whether it can be done in batches: single rows cannot.
    pub fn has_batches(&self) -> bool {
        self.choice().is_some()
    }

    /// As `plan_outline()`, `plan_batches()` and `undo_batch()` take it.
    pub(super) fn choice(&self) -> Option<Value> {
        Some(match self {
            Self::LastChange(..) | Self::Version(..) | Self::DeletedRow(..) => return None,
            Self::Transaction(xid) => json!({ "xid": xid }),
            Self::Transactions(xids) => json!({ "xids": xids }),
            Self::Statements(ids) => json!({ "statement_ids": ids }),
            Self::Table(table, point) => json!({ "table": table.to_string(), "point": point }),
            Self::Schema(schema, point) => {
                json!({ "schema": super::quoted(schema), "point": point })
            }
            Self::Cause(cause) => json!({
                "actor": cause.actor,
                "application": cause.application,
                "user": cause.user,
                "from": cause.from.map(|from| from.to_string()),
                "to": cause.to.map(|to| to.to_string()),
            }),
        })
    }
}

impl Batches {
    /// Splits an undo into batches of so many rows, if the plan as of now, of what was `planned` for rows that somebody
    /// else changed since, is the one that was seen. Changes nothing yet.
    ///
    /// # Errors
    /// [`Error::StalePlan`] when the rows have changed since the plan was made; otherwise the server's reason.
    ///
    /// # Panics
    /// When the target has no batches.
    pub async fn begin(
        client: &mut Client,
        target: &Target,
        planned: OnConflict,
        is_seen: impl FnOnce(&Plan) -> bool,
        on_conflict: OnConflict,
        size: i32,
        limits: Limits,
    ) -> Result<Self, Error> {
        let choice = target.choice().expect("whoever asks for batches has asked `has_batches`");
        // The plan that is compared and the batches are of the same moment.
        let transaction =
            super::begin(client, None, limits, IsolationLevel::RepeatableRead).await?;
        let plan = plan(&transaction, target, planned).await?;
        if !is_seen(&plan) {
            return Err(Error::StalePlan);
        }
        // No cursor is left open: an undo as the tables' owner is refused where their code could read on in one.
        let query = "SELECT b.rows::text, b.row_count, b.seen::text FROM pgtrack.plan_batches($1, $2, $3) b ORDER BY b.batch";
        let batches: Vec<_> = transaction
            .query(query, &[&choice, &size, &on_conflict.word()])
            .await
            .map_err(Error::query("split the revert into batches"))?
            .iter()
            .map(|row| Part { keys: row.get(0), rows: row.get(1), seen: row.get(2) })
            .collect();
        transaction.commit().await.map_err(Error::query("split the revert into batches"))?;
        // The batches are also about the rows that are left as they are.
        let rows = plan.totals.iter().map(|total| total.rows).sum();
        let count = batches.len() as u64;
        Ok(Self { choice, rows, count, done: 0, left: batches.into_iter() })
    }

    /// Does the next batch; `None` after the last one. A batch that fails
    /// changes nothing, and is not tried again.
    ///
    /// # Errors
    /// The server's reason.
    pub async fn next(
        &mut self,
        client: &mut Client,
        on_conflict: OnConflict,
        attribution: Attribution<'_>,
        limits: Limits,
    ) -> Result<Option<Batch>, Error> {
        let Some(next) = self.left.next() else { return Ok(None) };
        // Rows are locked before they are looked at, so whoever changes one in between is seen, and is a conflict.
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::ReadCommitted)
            .start()
            .await
            .map_err(Error::query("begin the batch"))?;
        super::limit(&transaction, limits).await?;
        name_actor(&transaction, attribution).await?;
        let query = "SELECT coalesce(sum(u.skipped), 0)::bigint
                     FROM pgtrack.undo_batch($1, $2::text::jsonb, $3::text::pg_snapshot, $4, $5) u";
        let message = attribution.message;
        let skipped = transaction
            .query_one(
                query,
                &[&self.choice, &next.keys, &next.seen, &on_conflict.word(), &message],
            )
            .await
            .map_err(Error::query("undo the batch"))?;
        let skipped = skipped.get(0);
        let xid = commit(transaction).await?;
        self.done += 1;
        Ok(Some(Batch { number: self.done, rows: next.rows, skipped, xid }))
    }
}

/// Finds out, without doing anything, what stands against any batch of these tables from the start.
///
/// # Errors
/// What [`Batches::begin`] would fail with.
pub async fn rehearse_batches(
    client: &mut Client,
    target: &Target,
    plan: &Plan,
) -> Result<(), Error> {
    let Some(choice) = target.choice() else { return Ok(()) };
    let rows: Value = plan.totals.iter().map(|total| (total.table.clone(), json!([]))).collect();
    let transaction = client.transaction().await.map_err(Error::query("begin a rehearsal"))?;
    transaction
        .query("SELECT FROM pgtrack.undo_batch($1, $2)", &[&choice, &rows])
        .await
        .map_err(Error::query("undo in batches"))?;
    transaction.rollback().await.map_err(Error::query("take a rehearsal back"))
}
