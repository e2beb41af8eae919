//! Follows DDL where no event trigger can.

use tokio_postgres::Client;

use crate::Error;

/// A table of which something was noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// What became of it, or why that could not be followed.
    pub status: String,
    /// Whether it was followed.
    pub is_done: bool,
}

/// Looks what became of tables; `None` where event triggers tell at once, so that there is no need to look.
///
/// # Errors
/// When pg_track is not there, or not ours.
pub async fn follow_ddl(client: &Client) -> Result<Option<Vec<Followed>>, Error> {
    let action = "look what became of tables";
    let query = "SELECT EXISTS (SELECT FROM pg_event_trigger WHERE evtname = 'pgtrack_ddl' AND evtenabled <> 'D')";
    if client.query_one(query, &[]).await.map_err(Error::query(action))?.get(0) {
        return Ok(None);
    }
    let query = r#"SELECT "table", status, done FROM pgtrack.follow_ddl()"#;
    let rows = client.query(query, &[]).await.map_err(Error::query(action))?;
    Ok(Some(
        rows.iter()
            .map(|row| Followed { table: row.get(0), status: row.get(1), is_done: row.get(2) })
            .collect(),
    ))
}
