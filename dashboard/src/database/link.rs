//! How the pools open sessions.

use deadpool_postgres::Connect;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use pgtrack_connect::{Connector, Opened};
use tokio_postgres::{Config, Error};

/// Opens them with whatever protection was asked for.
pub(super) struct Link(pub(super) Connector);

impl Connect for Link {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<Opened, Error>> {
        let config = config.clone();
        async move { self.0.open(&config).await }.boxed()
    }
}
