//! Searches that people have saved under a name.

use pgtrack_tracker::Error;
use tokio_postgres::Client;

use super::failed;

/// A saved search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SavedView {
    pub(crate) name: String,
    /// The query string, with its `?`.
    pub(crate) query: String,
}

/// What this person has saved for a connection, by name.
pub(crate) async fn list(
    client: &Client,
    account: i64,
    connection: &str,
) -> Result<Vec<SavedView>, Error> {
    let query = "SELECT name, query FROM pgtrack_dashboard.saved_view
                 WHERE account_id = $1 AND connection = $2 ORDER BY name LIMIT 100";
    let rows = client
        .query(query, &[&account, &connection])
        .await
        .map_err(failed("list the saved views"))?;
    Ok(rows.iter().map(|row| SavedView { name: row.get(0), query: row.get(1) }).collect())
}

/// Saves a search; one of the same name is replaced.
pub(crate) async fn save(
    client: &Client,
    account: i64,
    connection: &str,
    name: &str,
    search: &str,
) -> Result<(), Error> {
    let query = "INSERT INTO pgtrack_dashboard.saved_view (account_id, connection, name, query) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (account_id, connection, name) DO UPDATE SET query = excluded.query";
    client
        .execute(query, &[&account, &connection, &name, &search])
        .await
        .map_err(failed("save a view"))?;
    Ok(())
}

/// Forgets a search.
pub(crate) async fn remove(
    client: &Client,
    account: i64,
    connection: &str,
    name: &str,
) -> Result<(), Error> {
    let query = "DELETE FROM pgtrack_dashboard.saved_view WHERE account_id = $1 AND connection = $2 AND name = $3";
    client
        .execute(query, &[&account, &connection, &name])
        .await
        .map_err(failed("remove a view"))?;
    Ok(())
}
