//! Random keys that all dashboards of one database share.

use pgtrack_tracker::Error;
use tokio_postgres::Client;

use super::failed;

/// The key that tokens of plans are made with.
pub(crate) async fn plan_key(client: &Client) -> Result<Vec<u8>, Error> {
    let query = "SELECT value FROM pgtrack_dashboard.secret WHERE purpose = 'plan'";
    let row = client.query_one(query, &[]).await.map_err(failed("read the key for plans"))?;
    Ok(row.get(0))
}
