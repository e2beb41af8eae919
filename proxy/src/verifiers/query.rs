//! Asks upstream servers for verifiers, over one connection to each, which stays open.
//!
//! These connections are the proxy's own: nothing that a client sends has any influence on them, least of all on their
//! `search_path` (CVE-2025-12819).

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls, config::SslMode};

use super::VerifierQuery;
use crate::proxy::Shared;
use crate::{Upstream, uplink};

/// How long an answer may take. While it is awaited, the server counts its `authentication_timeout`.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

type Failure = Box<dyn Error + Send + Sync>;

/// One at a time may use it.
type Connection = Arc<tokio::sync::Mutex<Option<Client>>>;

/// Connections that are opened when they are needed.
pub(crate) struct Connections {
    query: VerifierQuery,
    to: Mutex<HashMap<Upstream, Connection>>,
}

impl Connections {
    pub(super) fn new(query: VerifierQuery) -> Self {
        Self { query, to: Mutex::default() }
    }

    /// Runs the query for a role.
    pub(super) async fn ask(
        &self,
        role: &str,
        server: &Upstream,
        shared: &Shared,
    ) -> Result<Option<String>, Failure> {
        timeout(ANSWER_TIMEOUT, async {
            let connection = self.connection(server);
            let mut client = connection.lock().await;
            let open = match client.take().filter(|client| !client.is_closed()) {
                Some(open) => open,
                None => open(&self.query, server, shared).await?,
            };
            let row = open.query_opt(self.query.sql.as_str(), &[&role]).await?;
            *client = Some(open);
            row.map(|row| row.try_get(0)).transpose().map(Option::flatten).map_err(Into::into)
        })
        .await?
    }

    fn connection(&self, server: &Upstream) -> Connection {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(to.entry(server.clone()).or_default())
    }
}

async fn open(
    query: &VerifierQuery,
    server: &Upstream,
    shared: &Shared,
) -> Result<Client, Failure> {
    let stream = uplink::connect_to(server, shared).await?;
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
