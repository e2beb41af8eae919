//! Asks the upstream for verifiers over one connection, which stays open.
//!
//! The connection is the proxy's own: nothing that a client sends has any influence on it, least of all on its
//! `search_path` (CVE-2025-12819).

use std::error::Error;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls, config::SslMode};

use super::VerifierQuery;
use crate::proxy::Shared;
use crate::security::Snapshot;
use crate::uplink;

/// How long an answer may take. While it is awaited, the server counts its `authentication_timeout`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

type Failure = Box<dyn Error + Send + Sync>;

/// A connection that is opened when it is needed.
pub(crate) struct Connection {
    query: VerifierQuery,
    client: Mutex<Option<Client>>,
}

impl Connection {
    pub(super) fn new(query: VerifierQuery) -> Self {
        Self { query, client: Mutex::default() }
    }

    /// Runs the query for a role.
    pub(super) async fn ask(
        &self,
        role: &str,
        security: &Snapshot,
        shared: &Shared,
    ) -> Result<Option<String>, Failure> {
        timeout(ANSWER_TIMEOUT, async {
            let mut client = self.client.lock().await;
            let open = match client.take().filter(|client| !client.is_closed()) {
                Some(open) => open,
                None => open(&self.query, security, shared).await?,
            };
            let row = open.query_opt(self.query.sql.as_str(), &[&role]).await?;
            *client = Some(open);
            row.map(|row| row.try_get(0)).transpose().map(Option::flatten).map_err(Into::into)
        })
        .await?
    }
}

async fn open(
    query: &VerifierQuery,
    security: &Snapshot,
    shared: &Shared,
) -> Result<Client, Failure> {
    let stream = uplink::connect(security, shared).await?;
    let mut config = Config::new();
    config
        .user(&query.user)
        .dbname(&query.database)
        .application_name("pgtrack")
        .options("-c search_path=pg_catalog")
        // The stream is encrypted already.
        .ssl_mode(SslMode::Disable);
    if let Some(password) = &query.password {
        config.password(password);
    }
    let (client, connection) = config.connect_raw(stream, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}
