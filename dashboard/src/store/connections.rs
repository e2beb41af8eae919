//! The databases that admins have added.

use pgtrack_tracker::Error;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use super::failed;
use crate::connections::{Environment, TlsMode};

/// A database, as it was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) id: i64,
    /// Counts its changes: sessions that were opened before one are not used after it.
    pub(crate) version: i32,
    pub(crate) details: Details,
    /// The password, sealed; none if it is asked every time.
    pub(crate) sealed_password: Option<String>,
}

/// What a person enters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) slug: String,
    pub(crate) label: String,
    pub(crate) environment: Environment,
    pub(crate) is_read_only: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) role: String,
    pub(crate) tls: TlsMode,
}

const COLUMNS: &str = "connection_id, version, slug, label, environment, is_read_only, host, port, database_name, role_name,
                       tls, sealed_password";

/// All of them, by label.
pub(crate) async fn list(client: &Client) -> Result<Vec<Saved>, Error> {
    let query =
        format!("SELECT {COLUMNS} FROM pgtrack_dashboard.connection ORDER BY lower(label), slug");
    let rows = client.query(&query, &[]).await.map_err(failed("list the connections"))?;
    Ok(rows.iter().map(read).collect())
}

/// The one that a URL names.
pub(crate) async fn find(client: &Client, slug: &str) -> Result<Option<Saved>, Error> {
    let query = format!("SELECT {COLUMNS} FROM pgtrack_dashboard.connection WHERE slug = $1");
    let row = client.query_opt(&query, &[&slug]).await.map_err(failed("look up a connection"))?;
    Ok(row.as_ref().map(read))
}

/// Adds one and returns its number; `None` if the name in URLs is taken.
pub(crate) async fn add(client: &Client, details: &Details) -> Result<Option<i64>, Error> {
    let query = "INSERT INTO pgtrack_dashboard.connection
                   (slug, label, environment, is_read_only, host, port, database_name, role_name, tls)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING connection_id";
    let d = details;
    let port = i32::from(d.port);
    let (environment, tls) = (d.environment.word(), d.tls.word());
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 9] = [
        &d.slug,
        &d.label,
        &environment,
        &d.is_read_only,
        &d.host,
        &port,
        &d.database,
        &d.role,
        &tls,
    ];
    match client.query_one(query, &parameters).await {
        Ok(row) => Ok(Some(row.get(0))),
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(None),
        Err(error) => Err(failed("add a connection")(error)),
    }
}

/// Changes one, its name in URLs excepted.
pub(crate) async fn change(client: &Client, id: i64, details: &Details) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.connection
                 SET label = $2, environment = $3, is_read_only = $4, host = $5, port = $6, database_name = $7,
                     role_name = $8, tls = $9, version = version + 1
                 WHERE connection_id = $1";
    let d = details;
    let port = i32::from(d.port);
    let (environment, tls) = (d.environment.word(), d.tls.word());
    let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
        [&id, &d.label, &environment, &d.is_read_only, &d.host, &port, &d.database, &d.role, &tls];
    client.execute(query, &parameters).await.map_err(failed("change a connection"))?;
    Ok(())
}

/// Keeps another password, or none.
pub(crate) async fn set_password(
    client: &Client,
    id: i64,
    sealed: Option<&str>,
) -> Result<(), Error> {
    let query =
        "UPDATE pgtrack_dashboard.connection SET sealed_password = $2, version = version + 1
                 WHERE connection_id = $1";
    client
        .execute(query, &[&id, &sealed])
        .await
        .map_err(failed("keep the password of a connection"))?;
    Ok(())
}

/// Removes one, and what was granted, ruled and told for it: another may get its name.
pub(crate) async fn remove(client: &Client, id: i64) -> Result<(), Error> {
    let query = "WITH gone AS (DELETE FROM pgtrack_dashboard.connection WHERE connection_id = $1 RETURNING slug), rules AS (
                   DELETE FROM pgtrack_dashboard.column_rule r USING gone WHERE r.connection = gone.slug), digests AS (
                   DELETE FROM pgtrack_dashboard.digest d USING gone WHERE d.connection = gone.slug)
                 DELETE FROM pgtrack_dashboard.connection_grant g USING gone WHERE g.connection = gone.slug";
    client.execute(query, &[&id]).await.map_err(failed("remove a connection"))?;
    Ok(())
}

fn read(row: &Row) -> Saved {
    Saved {
        id: row.get("connection_id"),
        version: row.get("version"),
        details: Details {
            slug: row.get("slug"),
            label: row.get("label"),
            environment: Environment::from_word(row.get("environment")),
            is_read_only: row.get("is_read_only"),
            host: row.get("host"),
            port: u16::try_from(row.get::<_, i32>("port")).unwrap_or(5432),
            database: row.get("database_name"),
            role: row.get("role_name"),
            tls: TlsMode::from_word(row.get("tls")),
        },
        sealed_password: row.get("sealed_password"),
    }
}
