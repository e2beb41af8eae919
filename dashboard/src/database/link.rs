//! How the pools open sessions.

use deadpool_postgres::Connect;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use pgtrack_connect::{Connector, Opened};
use tokio_postgres::{Config, Error};

/// Opens them with whatever protection was asked for.
pub(super) struct Link {
    pub(super) connector: Connector,
    /// Whether the sessions cannot write. As an option of the connection, this would make a primary seem to be none
    /// where `target_session_attrs` is `read-write`.
    pub(super) is_read_only: bool,
}

impl Connect for Link {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<Opened, Error>> {
        let config = config.clone();
        async move {
            let opened = self.connector.open(&config).await?;
            if self.is_read_only {
                opened.0.batch_execute("SET default_transaction_read_only = on").await?;
            }
            Ok(opened)
        }
        .boxed()
    }
}
