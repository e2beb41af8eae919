//! The audit: every call of a function of pg_track that changes something.

use jiff::Timestamp;
use serde_json::Value;
use tokio_postgres::Client;

use crate::Error;

/// One call.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number; later calls have higher ones.
    pub id: i64,
    /// When it was made.
    pub at: Timestamp,
    /// The actor if the application named one, else the session user.
    pub who: String,
    /// The function, without its schema.
    pub verb: String,
    /// Its arguments, as far as they are known.
    pub arguments: Option<Value>,
    /// `done`, `failed`, `denied`, or `started` where its outcome is not known.
    pub outcome: String,
    /// The error's SQLSTATE, if it failed.
    pub sqlstate: Option<String>,
    /// The session user.
    pub user_name: String,
    /// `application_name`.
    pub application: Option<String>,
    /// The client's address; none for a unix socket.
    pub client_addr: Option<String>,
    /// The reason that was given.
    pub message: Option<String>,
    /// Whether the proxy recorded it.
    pub through_proxy: bool,
    /// The transaction, where the database recorded the call.
    pub xid: Option<i64>,
}

/// Which calls are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By this actor or session user.
    pub who: Option<String>,
    /// Of this function.
    pub verb: Option<String>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// The latest calls that pass a filter, newest first.
///
/// # Errors
/// When they cannot be read, for one because we may not.
pub async fn entries(client: &Client, filter: &Filter, max: i64) -> Result<Vec<Entry>, Error> {
    let Filter { who, verb, since, until } = filter;
    let query = "SELECT a.* FROM pgtrack.audit a
                 WHERE ($1::text IS NULL OR $1 IN (a.who, a.user_name)) AND ($2::text IS NULL OR a.verb = $2)
                   AND ($3::timestamptz IS NULL OR a.at >= $3) AND ($4::timestamptz IS NULL OR a.at < $4)
                 ORDER BY a.entry_id DESC LIMIT $5";
    let rows = client
        .query(query, &[who, verb, since, until, &max])
        .await
        .map_err(Error::query("read the audit"))?;
    Ok(rows
        .iter()
        .map(|row| Entry {
            id: row.get("entry_id"),
            at: row.get("at"),
            who: row.get("who"),
            verb: row.get("verb"),
            arguments: row.get("arguments"),
            outcome: row.get("outcome"),
            sqlstate: row.get("sqlstate"),
            user_name: row.get("user_name"),
            application: row.get("application"),
            client_addr: row.get("client_addr"),
            message: row.get("message"),
            through_proxy: row.get("through_proxy"),
            xid: row.get("xid"),
        })
        .collect())
}
