//! What was done through the dashboard, and what was refused. The reverts themselves are in pg_track's history;
//! this log also keeps the attempts that changed nothing.

use pgtrack_tracker::Error;
use tokio_postgres::Client;

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
    Exported,
    SettingsChanged,
    AccountChanged,
    AccountRemoved,
    ConnectionAdded,
    ConnectionChanged,
    ConnectionRemoved,
    ConnectionTested,
    Installed,
    Tracked,
}

impl Action {
    fn words(self) -> &'static str {
        match self {
            Self::AccountCreated => "account created",
            Self::LoginOk => "login ok",
            Self::LoginFailed => "login failed",
            Self::Logout => "logout",
            Self::AccessRefused => "access refused",
            Self::RevertApplied => "revert applied",
            Self::RevertRefused => "revert refused",
            Self::Exported => "exported",
            Self::SettingsChanged => "settings changed",
            Self::AccountChanged => "account changed",
            Self::AccountRemoved => "account removed",
            Self::ConnectionAdded => "connection added",
            Self::ConnectionChanged => "connection changed",
            Self::ConnectionRemoved => "connection removed",
            Self::ConnectionTested => "connection tested",
            Self::Installed => "pg_track installed",
            Self::Tracked => "tracking changed",
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
