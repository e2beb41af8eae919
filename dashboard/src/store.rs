//! The dashboard's own tables, in schema `pgtrack_dashboard` of the connected database.

pub(crate) mod accounts;
pub(crate) mod addresses;
pub(crate) mod audit;
pub(crate) mod connections;
pub(crate) mod digests;
pub(crate) mod grants;
pub(crate) mod jobs;
pub(crate) mod rules;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod views;

use pgtrack_tracker::Error;
use tokio_postgres::Client;

const SCHEMA: &str = include_str!("store/schema.sql");
/// Serialises dashboards that start at the same time.
const SCHEMA_LOCK: i64 = 7_380_416_283_002;

/// Creates what is missing.
///
/// # Errors
/// When the role may not create schemas, or somebody else owns the schema.
pub(crate) async fn create_schema(client: &mut Client) -> Result<(), Error> {
    let transaction =
        client.transaction().await.map_err(failed("begin to create the dashboard's tables"))?;
    transaction
        .execute("SELECT pg_advisory_xact_lock($1)", &[&SCHEMA_LOCK])
        .await
        .map_err(failed("wait for other dashboards"))?;
    transaction.batch_execute(SCHEMA).await.map_err(failed("create the dashboard's tables"))?;
    transaction.commit().await.map_err(failed("create the dashboard's tables"))
}

/// Names what was attempted in the error of a failed statement.
pub(crate) fn failed(action: &str) -> impl FnOnce(tokio_postgres::Error) -> Error {
    let action = action.to_owned();
    move |source| Error::Query { action, source }
}
