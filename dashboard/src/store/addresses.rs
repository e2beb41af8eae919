//! Where people have signed in from in the last 30 days.

use pgtrack_tracker::Error;
use tokio_postgres::Client;

use super::failed;

const IS_LATELY: &str = "seen_at > now() - interval '30 days'";

/// Notes that somebody signed in from there, and forgets what is long ago.
pub(crate) async fn note(client: &Client, account: i64, origin: &str) -> Result<(), Error> {
    let action = "note an address";
    let forgotten = format!("DELETE FROM pgtrack_dashboard.known_address WHERE NOT ({IS_LATELY})");
    client.execute(&forgotten, &[]).await.map_err(failed(action))?;
    let query = "INSERT INTO pgtrack_dashboard.known_address (account_id, origin) VALUES ($1, $2)
                 ON CONFLICT (account_id, origin) DO UPDATE SET seen_at = now()";
    client.execute(query, &[&account, &origin]).await.map_err(failed(action))?;
    Ok(())
}

/// Whether the account of that name has signed in from there lately.
pub(crate) async fn is_known(client: &Client, name: &str, origin: &str) -> Result<bool, Error> {
    let query = format!(
        "SELECT EXISTS (SELECT FROM pgtrack_dashboard.known_address JOIN pgtrack_dashboard.account a USING (account_id)
                        WHERE lower(a.name) = lower($1) AND origin = $2 AND {IS_LATELY})"
    );
    let row =
        client.query_one(&query, &[&name, &origin]).await.map_err(failed("look up an address"))?;
    Ok(row.get(0))
}
