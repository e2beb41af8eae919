//! What was done through the dashboard, and what was refused. The reverts themselves are in pg_track's history;
//! this log also keeps the attempts that changed nothing.

use jiff::Timestamp;
use pgtrack_tracker::Error;
use serde::{Serialize, Serializer};
use tokio_postgres::{Client, Row};

use super::failed;

/// One line of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) action: Action,
    /// The account's name, or the name that was tried.
    pub(crate) name: &'a str,
    pub(crate) client_addr: &'a str,
    /// The connection, as URLs name it.
    pub(crate) connection: Option<&'a str>,
    /// What was to be reverted, or what else it was about.
    pub(crate) subject: Option<&'a str>,
    /// Why it was refused.
    pub(crate) outcome: Option<&'a str>,
    /// The form that was sent.
    pub(crate) submission: Option<&'a str>,
    /// The transaction that reverted.
    pub(crate) xid: Option<i64>,
}

impl<'a> Entry<'a> {
    /// An entry that says no more than who did what.
    pub(crate) fn new(action: Action, name: &'a str, client_addr: &'a str) -> Self {
        Self {
            action,
            name,
            client_addr,
            connection: None,
            subject: None,
            outcome: None,
            submission: None,
            xid: None,
        }
    }
}

/// What the log tells of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    AccountCreated,
    LoginOk,
    LoginFailed,
    Logout,
    AccessRefused,
    RevertApplied,
    RevertRefused,
    BatchesStarted,
    BatchesFinished,
    BatchesStopped,
    BatchesFailed,
    BatchesInterrupted,
    Exported,
    AccountChanged,
    AccountRemoved,
    ConnectionAdded,
    ConnectionChanged,
    ConnectionRemoved,
    ConnectionTested,
    Installed,
    Tracked,
    Purged,
    RulesChanged,
    DigestAdded,
    DigestChanged,
    DigestRemoved,
    DigestTested,
    DigestPaused,
    DigestResumed,
}

impl Action {
    pub(crate) const ALL: [Self; 29] = [
        Self::AccountCreated,
        Self::AccountChanged,
        Self::AccountRemoved,
        Self::LoginOk,
        Self::LoginFailed,
        Self::Logout,
        Self::AccessRefused,
        Self::RevertApplied,
        Self::RevertRefused,
        Self::BatchesStarted,
        Self::BatchesFinished,
        Self::BatchesStopped,
        Self::BatchesFailed,
        Self::BatchesInterrupted,
        Self::Exported,
        Self::ConnectionAdded,
        Self::ConnectionChanged,
        Self::ConnectionRemoved,
        Self::ConnectionTested,
        Self::Installed,
        Self::Tracked,
        Self::Purged,
        Self::RulesChanged,
        Self::DigestAdded,
        Self::DigestChanged,
        Self::DigestRemoved,
        Self::DigestTested,
        Self::DigestPaused,
        Self::DigestResumed,
    ];

    /// The words that are stored.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::AccountCreated => "account created",
            Self::LoginOk => "login ok",
            Self::LoginFailed => "login failed",
            Self::Logout => "logout",
            Self::AccessRefused => "access refused",
            Self::RevertApplied => "revert applied",
            Self::RevertRefused => "revert refused",
            Self::BatchesStarted => "batches started",
            Self::BatchesFinished => "batches finished",
            Self::BatchesStopped => "batches stopped",
            Self::BatchesFailed => "batches failed",
            Self::BatchesInterrupted => "batches interrupted",
            Self::Exported => "exported",
            Self::AccountChanged => "account changed",
            Self::AccountRemoved => "account removed",
            Self::ConnectionAdded => "connection added",
            Self::ConnectionChanged => "connection changed",
            Self::ConnectionRemoved => "connection removed",
            Self::ConnectionTested => "connection tested",
            Self::Installed => "pg_track installed",
            Self::Tracked => "tracking changed",
            Self::Purged => "history purged",
            Self::RulesChanged => "column rules changed",
            Self::DigestAdded => "digest added",
            Self::DigestChanged => "digest changed",
            Self::DigestRemoved => "digest removed",
            Self::DigestTested => "digest tested",
            Self::DigestPaused => "digest paused",
            Self::DigestResumed => "digest resumed",
        }
    }
}

/// Adds a line.
pub(crate) async fn add(client: &Client, entry: Entry<'_>) -> Result<(), Error> {
    let query = "INSERT INTO pgtrack_dashboard.audit (action, name, client_addr, connection, subject, outcome, submission, xid)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let Entry { action, name, client_addr, connection, subject, outcome, submission, xid } = entry;
    client
        .execute(
            query,
            &[
                &action.words(),
                &name,
                &client_addr,
                &connection,
                &subject,
                &outcome,
                &submission,
                &xid,
            ],
        )
        .await
        .map_err(failed("write the audit log"))?;
    Ok(())
}

/// The transaction that this person's form was applied in, if it was.
pub(crate) async fn applied(
    client: &Client,
    name: &str,
    submission: &str,
) -> Result<Option<i64>, Error> {
    let query = "SELECT xid FROM pgtrack_dashboard.audit
                 WHERE submission = $1 AND name = $2 AND action = 'revert applied'";
    let row = client
        .query_opt(query, &[&submission, &name])
        .await
        .map_err(failed("look for an earlier submission"))?;
    Ok(row.and_then(|row| row.get(0)))
}

/// A line of the log as it is shown.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    pub(crate) id: i64,
    #[serde(serialize_with = "as_text")]
    pub(crate) at: Timestamp,
    pub(crate) action: String,
    pub(crate) name: String,
    pub(crate) client_addr: Option<String>,
    pub(crate) connection: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) xid: Option<i64>,
}

fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) action: Option<&'a str>,
    /// Older than this one.
    pub(crate) before: Option<i64>,
}

/// Lines of the log, newest first.
pub(crate) async fn list(
    client: &Client,
    wanted: Wanted<'_>,
    max: i64,
) -> Result<Vec<Line>, Error> {
    let query = "SELECT audit_id, at, action, name, client_addr, connection, subject, outcome, xid
                 FROM pgtrack_dashboard.audit
                 WHERE ($1::text IS NULL OR lower(name) = lower($1)) AND ($2::text IS NULL OR action = $2)
                   AND ($3::bigint IS NULL OR audit_id < $3)
                 ORDER BY audit_id DESC LIMIT $4";
    let rows = client
        .query(query, &[&wanted.name, &wanted.action, &wanted.before, &max])
        .await
        .map_err(failed("read the audit log"))?;
    let line = |row: &Row| Line {
        id: row.get("audit_id"),
        at: row.get("at"),
        action: row.get("action"),
        name: row.get("name"),
        client_addr: row.get("client_addr"),
        connection: row.get("connection"),
        subject: row.get("subject"),
        outcome: row.get("outcome"),
        xid: row.get("xid"),
    };
    Ok(rows.iter().map(line).collect())
}

/// What a line can tell of, in words.
pub(crate) fn actions() -> Vec<&'static str> {
    Action::ALL.into_iter().map(Action::words).collect()
}
