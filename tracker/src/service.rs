//! The role that a service connects as.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::{Error, Installed, install, installed};

/// What a service may read, and in whose tables it may undo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Schemas, and tables with their schema, named as in a query.
    pub read: Vec<String>,
    /// Roles that it becomes a member of: owners of tables.
    pub undo_as: Vec<String>,
}

/// Makes a role that `pgtrack serve` can connect as, or gives an existing one what it needs; returns the statements
/// that did it.
///
/// # Errors
/// When we may not, when the role may do everything anyway, or when something that it is to read does not exist.
pub async fn grant(client: &Client, role: &str, reach: &Reach) -> Result<Vec<String>, Error> {
    let query = "SELECT pgtrack.grant_service($1::text::name, $2, $3::text[]::name[])";
    let rows = client
        .query(query, &[&role, &reach.read, &reach.undo_as])
        .await
        .map_err(Error::query(format!("give the role {role} the rights of a service")))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Gives a role a password, by its SCRAM verifier: neither the server nor its log ever has the password itself.
///
/// # Errors
/// When we may not.
pub async fn set_verifier(client: &Client, role: &str, verifier: &str) -> Result<(), Error> {
    let action = format!("set the password of the role {role}");
    let query = "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)";
    let row = client.query_one(query, &[&role, &verifier]).await;
    let statement: String = row.map_err(Error::query(&action))?.get(0);
    client.batch_execute(&statement).await.map_err(Error::query(action))
}

/// Makes sure that pg_track is there, and as new as this program where our role may upgrade it. Returns the older version
/// that stays where it may not: what is recorded does not wait for somebody who may.
///
/// # Errors
/// As [`install()`].
pub async fn prepare(client: &mut Client) -> Result<Option<String>, Error> {
    match install(client).await {
        Err(error) if error.sqlstate() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            match installed(client).await? {
                Installed::Outdated(found) => Ok(Some(found)),
                _ => Err(error),
            }
        }
        outcome => outcome.map(|_| None),
    }
}

/// Whether we are connected as a superuser.
///
/// # Errors
/// When the database cannot be asked.
pub async fn is_superuser(client: &Client) -> Result<bool, Error> {
    let query = "SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";
    let row = client.query_one(query, &[]).await.map_err(Error::query("ask for our rights"))?;
    Ok(row.get(0))
}
