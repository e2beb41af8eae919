//! Browsers that are signed in. A session is known by the SHA-256 of its cookie; it ends after 8 hours without
//! a request, and 7 days after it began.

use pgtrack_tracker::Error;
use tokio_postgres::Client;

use super::{accounts, failed};
use crate::auth::{Account, SessionId};

const IS_ALIVE: &str =
    "s.seen_at > now() - interval '8 hours' AND s.created_at > now() - interval '7 days'";

/// A session that was found alive.
pub(crate) struct Found {
    pub(crate) account: Account,
    /// Whether its last request was noted more than a minute ago.
    pub(crate) is_due: bool,
}

/// Begins a session, and clears away those that have ended.
pub(crate) async fn begin(
    client: &Client,
    id: &SessionId,
    account: &Account,
    client_addr: &str,
) -> Result<(), Error> {
    let action = "begin a session";
    let expired = format!("DELETE FROM pgtrack_dashboard.session s WHERE NOT ({IS_ALIVE})");
    client.execute(&expired, &[]).await.map_err(failed(action))?;
    let query = "INSERT INTO pgtrack_dashboard.session (token_hash, account_id, client_addr) VALUES ($1, $2, $3)";
    client
        .execute(query, &[&id.as_bytes(), &account.id, &client_addr])
        .await
        .map_err(failed(action))?;
    Ok(())
}

/// Looks a session up; `None` if there is none or it has ended.
pub(crate) async fn find(client: &Client, id: &SessionId) -> Result<Option<Found>, Error> {
    let query = format!(
        "SELECT a.account_id, a.name, a.role, s.seen_at < now() - interval '1 minute' AS is_due
         FROM pgtrack_dashboard.session s JOIN pgtrack_dashboard.account a USING (account_id)
         WHERE s.token_hash = $1 AND {IS_ALIVE}"
    );
    let row =
        client.query_opt(&query, &[&id.as_bytes()]).await.map_err(failed("look up a session"))?;
    Ok(row.map(|row| Found { account: accounts::read(&row), is_due: row.get("is_due") }))
}

/// Notes that a request came.
pub(crate) async fn touch(client: &Client, id: &SessionId) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.session SET seen_at = now() WHERE token_hash = $1";
    client.execute(query, &[&id.as_bytes()]).await.map_err(failed("note a request"))?;
    Ok(())
}

/// Ends a session.
pub(crate) async fn end(client: &Client, id: &SessionId) -> Result<(), Error> {
    let query = "DELETE FROM pgtrack_dashboard.session WHERE token_hash = $1";
    client.execute(query, &[&id.as_bytes()]).await.map_err(failed("end a session"))?;
    Ok(())
}

/// Ends the sessions of an account, except one if given; returns those that it ended.
pub(crate) async fn end_all(
    client: &Client,
    account: i64,
    except: Option<&SessionId>,
) -> Result<Vec<SessionId>, Error> {
    let query = "DELETE FROM pgtrack_dashboard.session
                 WHERE account_id = $1 AND ($2::bytea IS NULL OR token_hash <> $2) RETURNING token_hash";
    let except = except.map(SessionId::as_bytes);
    let rows = client
        .query(query, &[&account, &except])
        .await
        .map_err(failed("end the sessions of an account"))?;
    Ok(rows.iter().filter_map(|row| SessionId::from_bytes(row.get(0))).collect())
}

/// How many sessions of an account there are.
pub(crate) async fn count(client: &Client, account: i64) -> Result<i64, Error> {
    let query = format!(
        "SELECT count(*) FROM pgtrack_dashboard.session s WHERE s.account_id = $1 AND {IS_ALIVE}"
    );
    let row = client.query_one(&query, &[&account]).await.map_err(failed("count sessions"))?;
    Ok(row.get(0))
}
