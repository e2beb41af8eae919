//! Tells a database that is not there from a statement that failed.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Why the database cannot be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The kind of failure, in words that give nothing away.
    pub(crate) reason: &'static str,
    /// Whether waiting may help; a wrong password stays wrong.
    pub(crate) may_pass: bool,
}

/// What keeps us from the database, if that is what the driver's error says.
pub(crate) fn trouble(error: &Error) -> Option<Trouble> {
    let passing = |reason| Some(Trouble { reason, may_pass: true });
    let lasting = |reason| Some(Trouble { reason, may_pass: false });
    let Some(state) = error.code() else {
        return if error.is_closed() {
            passing("the connection was closed")
        } else if is_about_connecting(error) {
            passing("the server cannot be reached")
        } else {
            None
        };
    };
    match *state {
        SqlState::CANNOT_CONNECT_NOW => passing("the server is starting up or shutting down"),
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => {
            passing("the server is shutting down")
        }
        SqlState::TOO_MANY_CONNECTIONS => passing("the server has too many connections"),
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            lasting("the server refused the dashboard's role or password")
        }
        SqlState::INVALID_CATALOG_NAME => lasting("the database does not exist"),
        _ if state.code().starts_with("08") => passing("the connection failed"),
        _ => None,
    }
}

/// The driver has no predicate for this; an error of the system is about the network.
fn is_about_connecting(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}
