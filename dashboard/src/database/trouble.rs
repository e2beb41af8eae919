//! Tells a database that is not there from a statement that failed.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// The kind of failure, without what would give something away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    Closed,
    Unreachable,
    /// It starts up or shuts down.
    NotReady,
    ShuttingDown,
    TooManyConnections,
    /// The role or its password.
    Refused,
    NoDatabase,
    Failed,
}

/// Why the database cannot be used at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) outage: Outage,
    /// Whether waiting may help; a wrong password stays wrong.
    pub(crate) may_pass: bool,
}

/// What keeps us from the database, if that is what the driver's error says.
pub(crate) fn trouble(error: &Error) -> Option<Trouble> {
    let passing = |outage| Some(Trouble { outage, may_pass: true });
    let lasting = |outage| Some(Trouble { outage, may_pass: false });
    let Some(state) = error.code() else {
        return if error.is_closed() {
            passing(Outage::Closed)
        } else if is_about_connecting(error) {
            passing(Outage::Unreachable)
        } else {
            None
        };
    };
    match *state {
        SqlState::CANNOT_CONNECT_NOW => passing(Outage::NotReady),
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN => passing(Outage::ShuttingDown),
        SqlState::TOO_MANY_CONNECTIONS => passing(Outage::TooManyConnections),
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            lasting(Outage::Refused)
        }
        SqlState::INVALID_CATALOG_NAME => lasting(Outage::NoDatabase),
        _ if state.code().starts_with("08") => passing(Outage::Failed),
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
