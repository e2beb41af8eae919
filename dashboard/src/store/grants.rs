//! What accounts may do in single connections, where that is not what they may do everywhere.

use std::collections::HashMap;

use pgtrack_tracker::Error;
use tokio_postgres::Client;

use super::failed;
use crate::auth::{Account, Grant, Role};

/// By account and by the connection's name in URLs.
pub(crate) type Grants = HashMap<(i64, String), Grant>;

/// The role of an account in a connection; `None` if it may not see it.
pub(crate) async fn role_in(
    client: &Client,
    account: &Account,
    connection: &str,
) -> Result<Option<Role>, Error> {
    let query = "SELECT access FROM pgtrack_dashboard.connection_grant WHERE account_id = $1 AND connection = $2";
    let row = client
        .query_opt(query, &[&account.id, &connection])
        .await
        .map_err(failed("look up what an account may do"))?;
    Ok(row.map_or(Some(account.role), |row| Grant::from_word(row.get(0)).role()))
}

/// Those of everybody.
pub(crate) async fn list(client: &Client) -> Result<Grants, Error> {
    let query = "SELECT account_id, connection, access FROM pgtrack_dashboard.connection_grant";
    let rows = client.query(query, &[]).await.map_err(failed("list what accounts may do"))?;
    let grants = rows
        .iter()
        .map(|row| ((row.get(0), row.get::<_, String>(1)), Grant::from_word(row.get(2))));
    Ok(grants.collect())
}

/// Changes those of one account; `None` takes one back.
pub(crate) async fn set(
    client: &Client,
    account: i64,
    grants: &[(String, Option<Grant>)],
) -> Result<(), Error> {
    let query = "WITH given AS (SELECT * FROM unnest($2::text[], $3::text[]) AS g (connection, access)), taken AS (
                   DELETE FROM pgtrack_dashboard.connection_grant c USING given g
                   WHERE c.account_id = $1 AND c.connection = g.connection AND g.access IS NULL)
                 INSERT INTO pgtrack_dashboard.connection_grant (account_id, connection, access)
                 SELECT $1, g.connection, g.access FROM given g WHERE g.access IS NOT NULL
                 ON CONFLICT (account_id, connection) DO UPDATE SET access = excluded.access";
    let connections: Vec<_> = grants.iter().map(|(connection, _)| connection).collect();
    let access: Vec<_> = grants.iter().map(|(_, grant)| grant.map(Grant::word)).collect();
    client
        .execute(query, &[&account, &connections, &access])
        .await
        .map_err(failed("change what an account may do"))?;
    Ok(())
}
