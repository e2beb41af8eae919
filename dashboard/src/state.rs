//! What every handler shares.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::auth::{Limiter, Passwords, SessionCookie, SetupToken};
use crate::config::{Config, Connection};
use crate::database::Database;
use crate::links::Links;
use crate::live::{Hub, Streams};

/// The running application behind [`app`](crate::app).
#[derive(Debug)]
pub struct AppState {
    pub(crate) connection: Connection,
    pub(crate) https: bool,
    pub(crate) database: Arc<Database>,
    pub(crate) cookie: SessionCookie,
    pub(crate) setup: SetupToken,
    pub(crate) passwords: Passwords,
    pub(crate) attempts_by_name: Limiter,
    pub(crate) attempts_by_address: Limiter,
    pub(crate) hub: Arc<Hub>,
    pub(crate) streams: Arc<Streams>,
    /// Ends the streams and the poller; they would keep the server from stopping.
    pub(crate) shutdown: CancellationToken,
}

impl AppState {
    /// Touches neither the network nor the database.
    pub(crate) fn new(config: &Config) -> Result<Self, getrandom::Error> {
        let connection = Connection { slug: config.slug.clone(), label: config.label.clone() };
        let database = Arc::new(Database::new(&config.database));
        let shutdown = CancellationToken::new();
        let minute = Duration::from_mins(1);
        Ok(Self {
            hub: Arc::new(Hub::new(database.clone(), connection.slug.clone(), shutdown.clone())),
            connection,
            https: config.https,
            database,
            cookie: SessionCookie::new(config.https),
            setup: SetupToken::new()?,
            passwords: Passwords::new(),
            attempts_by_name: Limiter::new(5, minute),
            attempts_by_address: Limiter::new(20, minute),
            streams: Arc::default(),
            shutdown,
        })
    }

    pub(crate) fn links(&self) -> Links<'_> {
        Links::new(&self.connection.slug)
    }
}
