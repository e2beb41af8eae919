//! A call of a pg_track function, as the proxy sees it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The functions that change something; each records itself, too (`pgtrack._begin_call()`).
const AUDITED: [&str; 23] = [
    "erase",
    "keep",
    "purge",
    "purge_audit",
    "recover",
    "release_type",
    "restore",
    "revert",
    "revert_schema",
    "revert_table",
    "rollback_to",
    "tag",
    "track",
    "undo",
    "undo_as_myself",
    "undo_batch",
    "undo_last",
    "undo_statements",
    "undo_transaction",
    "undo_transactions",
    "undo_where",
    "untag",
    "untrack",
];

/// The name under which a function's calls are recorded, if they are: that of the function without `_pk`.
pub fn is_audited(function: &str) -> Option<&str> {
    let verb = function.strip_suffix("_pk").unwrap_or(function);
    AUDITED.contains(&verb).then_some(verb)
}

/// Names a recorded call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallId {
    /// The database that it is made in.
    pub database: String,
    /// The proxy's name for the session.
    pub session: String,
    /// Which call of the session it is.
    pub number: i32,
}

/// Who calls what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its name.
    pub id: CallId,
    /// The function, as [`is_audited`] names it.
    pub verb: String,
    /// Its arguments as far as the text gives them.
    pub arguments: Option<Value>,
    /// The beginning of the query text.
    pub statement: String,
    /// Who logged in.
    pub user: String,
    /// `application_name`.
    pub application: String,
    /// Where the client connects from; `None` for a unix socket.
    pub client_addr: Option<IpAddr>,
    /// The client's port.
    pub client_port: Option<u16>,
    /// The subject of the client's certificate, if it showed one.
    pub tls_identity: Option<String>,
    /// The server process of the session.
    pub backend_pid: i32,
    /// The application's user, if a comment in the statement names one.
    pub actor: Option<String>,
    /// Refused already: it is not going to be made.
    pub is_denied: bool,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallOutcome {
    /// Its statement was completed.
    Done {
        /// How many rows it returned.
        row_count: Option<i64>,
    },
    /// Its statement failed.
    Failed {
        /// With this SQLSTATE.
        sqlstate: String,
    },
    /// The server ignored it, because of an error before it in the same pipeline.
    Skipped,
}
