//! The people who may sign in.

use pgtrack_tracker::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use super::failed;
use crate::auth::{Account, Role};

/// The account of that name, in any case, and its password hash.
pub(crate) async fn find(client: &Client, name: &str) -> Result<Option<(Account, String)>, Error> {
    let query = "SELECT account_id, name, role, password_hash FROM pgtrack_dashboard.account
                 WHERE lower(name) = lower($1)";
    let row = client.query_opt(query, &[&name]).await.map_err(failed("look up an account"))?;
    Ok(row.map(|row| (read(&row), row.get("password_hash"))))
}

/// Whether anybody can sign in at all.
pub(crate) async fn any(client: &Client) -> Result<bool, Error> {
    let query = "SELECT EXISTS (SELECT FROM pgtrack_dashboard.account)";
    let row = client.query_one(query, &[]).await.map_err(failed("look for accounts"))?;
    Ok(row.get(0))
}

/// Creates an account; `None` if the name is taken.
pub(crate) async fn create(
    client: &Client,
    name: &str,
    role: Role,
    password_hash: &str,
) -> Result<Option<Account>, Error> {
    let query =
        "INSERT INTO pgtrack_dashboard.account (name, role, password_hash) VALUES ($1, $2, $3)
                 RETURNING account_id, name, role";
    match client.query_one(query, &[&name, &role.word(), &password_hash]).await {
        Ok(row) => Ok(Some(read(&row))),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(None),
        Err(error) => Err(failed("create an account")(error)),
    }
}

/// Creates an account, or changes the one of that name and ends its sessions.
pub(crate) async fn set(
    client: &Client,
    name: &str,
    role: Role,
    password_hash: &str,
) -> Result<(), Error> {
    let query = "WITH account AS (
                   INSERT INTO pgtrack_dashboard.account (name, role, password_hash) VALUES ($1, $2, $3)
                   ON CONFLICT (lower(name)) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash
                   RETURNING account_id)
                 DELETE FROM pgtrack_dashboard.session s USING account a WHERE s.account_id = a.account_id";
    client
        .execute(query, &[&name, &role.word(), &password_hash])
        .await
        .map_err(failed("set an account"))?;
    Ok(())
}

/// Creates the first account; `None` if there is one already, however many ask at the same time.
pub(crate) async fn create_first(
    client: &mut Client,
    name: &str,
    password_hash: &str,
) -> Result<Option<Account>, Error> {
    let action = "create the first account";
    let transaction = client.transaction().await.map_err(failed(action))?;
    transaction
        .batch_execute("LOCK TABLE pgtrack_dashboard.account IN SHARE ROW EXCLUSIVE MODE")
        .await
        .map_err(failed(action))?;
    if any(transaction.client()).await? {
        return Ok(None);
    }
    let account = create(transaction.client(), name, Role::Admin, password_hash).await?;
    transaction.commit().await.map_err(failed(action))?;
    Ok(account)
}

/// Reads the columns `account_id`, `name` and `role`.
pub(super) fn read(row: &Row) -> Account {
    Account {
        id: row.get("account_id"),
        name: row.get("name"),
        role: Role::from_word(row.get("role")),
    }
}
