//! Undoes in batches: what they are about, how far they are, and how they ended.
//!
//! Whoever runs one holds a lock as long as it runs. A job that nobody holds the lock of any more was interrupted,
//! however its dashboard ended.

use jiff::Timestamp;
use pgtrack_tracker::Error;
use serde_json::Value;
use tokio_postgres::{Client, Row};

use super::failed;

/// The first key of the locks; the second is the connection.
const LOCK: i32 = 73_804_162;

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    Running,
    /// Every batch was done.
    Done,
    /// Somebody stopped it.
    Stopped,
    /// A batch failed.
    Failed,
    /// Its dashboard ended.
    Interrupted,
}

impl JobState {
    fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    fn from_word(word: &str) -> Self {
        let all = [Self::Running, Self::Done, Self::Stopped, Self::Failed];
        all.into_iter().find(|state| state.word() == word).unwrap_or(Self::Interrupted)
    }
}

/// An undo in batches.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: i64,
    /// The account's name.
    pub(crate) name: String,
    /// What is undone, as a query string.
    pub(crate) subject: String,
    pub(crate) reason: Option<String>,
    pub(crate) state: JobState,
    pub(crate) rows: i64,
    pub(crate) batches: i64,
    pub(crate) rows_done: i64,
    pub(crate) batches_done: i64,
    /// The transactions that did it.
    pub(crate) xids: Vec<i64>,
    /// Whether it shall stop after the present batch.
    pub(crate) is_stopping: bool,
    /// Why it failed.
    pub(crate) problem: Option<Value>,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
}

/// A job that begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewJob<'a> {
    pub(crate) connection: &'a str,
    pub(crate) name: &'a str,
    pub(crate) client_addr: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) submission: &'a str,
}

/// Makes this session the one that runs jobs of a connection, unless another one does.
pub(crate) async fn claim(client: &Client, connection: &str) -> Result<bool, Error> {
    let query = "SELECT pg_try_advisory_lock($1, hashtext($2))";
    let row = client
        .query_one(query, &[&LOCK, &connection])
        .await
        .map_err(failed("see whether a job is running"))?;
    Ok(row.get(0))
}

/// Notes that what claims to be running in a connection is not, once the connection is claimed.
pub(crate) async fn clear(client: &Client, connection: &str) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.job SET state = 'interrupted' WHERE connection = $1 AND state = 'running'";
    client.execute(query, &[&connection]).await.map_err(failed("note an interrupted job"))?;
    Ok(())
}

/// The job that is running in a connection.
pub(crate) async fn running(client: &Client, connection: &str) -> Result<Option<i64>, Error> {
    let query =
        "SELECT max(job_id) FROM pgtrack_dashboard.job WHERE connection = $1 AND state = 'running'";
    let row =
        client.query_one(query, &[&connection]).await.map_err(failed("look for a running job"))?;
    Ok(row.get(0))
}

/// The job that this person's form began, if it did.
pub(crate) async fn begun(
    client: &Client,
    name: &str,
    submission: &str,
) -> Result<Option<i64>, Error> {
    let query = "SELECT job_id FROM pgtrack_dashboard.job WHERE name = $1 AND submission = $2";
    let row = client
        .query_opt(query, &[&name, &submission])
        .await
        .map_err(failed("look for an earlier submission"))?;
    Ok(row.map(|row| row.get(0)))
}

/// Adds a job that is running, and has no batches yet; returns its number.
pub(crate) async fn add(client: &Client, job: NewJob<'_>) -> Result<i64, Error> {
    let query = "INSERT INTO pgtrack_dashboard.job (connection, name, client_addr, subject, reason, submission, row_count, batches)
                 VALUES ($1, $2, $3, $4, $5, $6, 0, 0) RETURNING job_id";
    let NewJob { connection, name, client_addr, subject, reason, submission } = job;
    let row = client
        .query_one(query, &[&connection, &name, &client_addr, &subject, &reason, &submission])
        .await
        .map_err(failed("note a job"))?;
    Ok(row.get(0))
}

/// Notes how much a job is. Returns whether it shall stop.
pub(crate) async fn split(
    client: &Client,
    id: i64,
    rows: i64,
    batches: i64,
) -> Result<bool, Error> {
    let query = "UPDATE pgtrack_dashboard.job SET row_count = $2, batches = $3 WHERE job_id = $1 RETURNING is_stopping";
    let row = client
        .query_one(query, &[&id, &rows, &batches])
        .await
        .map_err(failed("note the batches of a job"))?;
    Ok(row.get(0))
}

/// Whether a job shall stop.
pub(crate) async fn is_stopping(client: &Client, id: i64) -> Result<bool, Error> {
    let query = "SELECT j.is_stopping FROM pgtrack_dashboard.job j WHERE j.job_id = $1";
    let row =
        client.query_one(query, &[&id]).await.map_err(failed("look whether a job shall stop"))?;
    Ok(row.get(0))
}

/// Forgets a job that did not begin.
pub(crate) async fn remove(client: &Client, id: i64) -> Result<(), Error> {
    let query = "DELETE FROM pgtrack_dashboard.job WHERE job_id = $1";
    client.execute(query, &[&id]).await.map_err(failed("forget a job"))?;
    Ok(())
}

/// Notes that a batch was done. Returns whether the job shall stop.
pub(crate) async fn advance(
    client: &Client,
    id: i64,
    rows: i64,
    xid: Option<i64>,
) -> Result<bool, Error> {
    let query = "UPDATE pgtrack_dashboard.job
                 SET rows_done = rows_done + $2, batches_done = batches_done + 1, xids = array_cat(xids, array_remove(ARRAY[$3::bigint], NULL))
                 WHERE job_id = $1 RETURNING is_stopping";
    let row = client
        .query_one(query, &[&id, &rows, &xid])
        .await
        .map_err(failed("note the progress of a job"))?;
    Ok(row.get(0))
}

/// Asks a job to stop after its present batch.
pub(crate) async fn stop(client: &Client, id: i64) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.job SET is_stopping = true WHERE job_id = $1 AND state = 'running'";
    client.execute(query, &[&id]).await.map_err(failed("stop a job"))?;
    Ok(())
}

/// Notes how a job ended.
pub(crate) async fn end(
    client: &Client,
    id: i64,
    state: JobState,
    problem: Option<&Value>,
) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.job SET state = $2, problem = $3, ended_at = clock_timestamp() WHERE job_id = $1";
    client
        .execute(query, &[&id, &state.word(), &problem])
        .await
        .map_err(failed("note how a job ended"))?;
    Ok(())
}

/// A job of a connection.
pub(crate) async fn find(client: &Client, connection: &str, id: i64) -> Result<Option<Job>, Error> {
    let query = "SELECT j.*, CASE WHEN j.state = 'running' AND NOT EXISTS (
                          SELECT FROM pg_locks l
                          WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $3::int::oid AND l.objsubid = 2
                            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                            AND l.objid = hashtext(j.connection)::oid) THEN 'interrupted' ELSE j.state END AS present_state
                 FROM pgtrack_dashboard.job j WHERE j.connection = $1 AND j.job_id = $2";
    let row = client
        .query_opt(query, &[&connection, &id, &LOCK])
        .await
        .map_err(failed("look up a job"))?;
    Ok(row.map(|row| read(&row)))
}

fn read(row: &Row) -> Job {
    Job {
        id: row.get("job_id"),
        name: row.get("name"),
        subject: row.get("subject"),
        reason: row.get("reason"),
        state: JobState::from_word(row.get("present_state")),
        rows: row.get("row_count"),
        batches: row.get("batches"),
        rows_done: row.get("rows_done"),
        batches_done: row.get("batches_done"),
        xids: row.get("xids"),
        is_stopping: row.get("is_stopping"),
        problem: row.get("problem"),
        started_at: row.get("started_at"),
        ended_at: row.get("ended_at"),
    }
}
