//! The people who may sign in.

use jiff::Timestamp;
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

/// An account as the list of users shows it.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub(crate) account: Account,
    pub(crate) created_at: Timestamp,
    /// The latest request of a session that has not ended.
    pub(crate) seen_at: Option<Timestamp>,
}

/// Everybody, by name.
pub(crate) async fn list(client: &Client) -> Result<Vec<Listed>, Error> {
    let query = "SELECT a.account_id, a.name, a.role, a.created_at,
                        (SELECT max(s.seen_at) FROM pgtrack_dashboard.session s WHERE s.account_id = a.account_id) AS seen_at
                 FROM pgtrack_dashboard.account a ORDER BY lower(a.name)";
    let rows = client.query(query, &[]).await.map_err(failed("list the accounts"))?;
    let listed = |row: &Row| Listed {
        account: read(row),
        created_at: row.get("created_at"),
        seen_at: row.get("seen_at"),
    };
    Ok(rows.iter().map(listed).collect())
}

/// The account with this number.
pub(crate) async fn by_id(client: &Client, id: i64) -> Result<Option<Account>, Error> {
    let query =
        "SELECT account_id, name, role FROM pgtrack_dashboard.account WHERE account_id = $1";
    let row = client.query_opt(query, &[&id]).await.map_err(failed("look up an account"))?;
    Ok(row.as_ref().map(read))
}

/// Gives an account a role, and a password if there is a new one.
pub(crate) async fn change(
    client: &Client,
    id: i64,
    role: Role,
    password_hash: Option<&str>,
) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.account SET role = $2, password_hash = coalesce($3, password_hash)
                 WHERE account_id = $1";
    client
        .execute(query, &[&id, &role.word(), &password_hash])
        .await
        .map_err(failed("change an account"))?;
    Ok(())
}

/// Removes an account, its sessions and its views.
pub(crate) async fn remove(client: &Client, id: i64) -> Result<(), Error> {
    let query = "DELETE FROM pgtrack_dashboard.account WHERE account_id = $1";
    client.execute(query, &[&id]).await.map_err(failed("remove an account"))?;
    Ok(())
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
