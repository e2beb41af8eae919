//! A database's two pools, and what has to be there before anything works.
//!
//! Pages read through sessions that cannot write; reverts and the dashboard's own tables have a few of their own.
//! A database that is down is reported as such and found again by itself: every request tries anew.

mod link;
mod trouble;

use std::net::SocketAddr;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime,
};
use pgtrack_connect::Connector;
use pgtrack_connect::tls::TlsError;
use pgtrack_tracker::{Error, Installed, installed, service};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, Config};

use crate::app_error::AppError;
use crate::connections::TlsMode;
use crate::store;
use crate::words::Why;
use link::Link;

pub(crate) use trouble::{Outage, trouble};

/// How long a request waits for a session, and a session for the server.
const PATIENCE: Duration = Duration::from_secs(5);
const READ_SESSIONS: usize = 5;
const WRITE_SESSIONS: usize = 3;
const READ: Purpose = Purpose {
    options: "-c jit=off -c statement_timeout=10s -c lock_timeout=2s -c idle_in_transaction_session_timeout=30s",
    size: READ_SESSIONS,
    recycling_method: RecyclingMethod::Fast,
    is_read_only: true,
};
/// Recycled thoroughly: a revert that was cut off may have left settings and locks behind.
const WRITE: Purpose = Purpose {
    options: "-c statement_timeout=60s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s",
    size: WRITE_SESSIONS,
    recycling_method: RecyclingMethod::Clean,
    is_read_only: false,
};

/// What a pool is for.
struct Purpose {
    options: &'static str,
    size: usize,
    recycling_method: RecyclingMethod,
    is_read_only: bool,
}

/// A database that is shown.
#[derive(Debug)]
pub(crate) struct Database {
    /// Of the configured database, which is prepared by us.
    own: Option<(Config, Connector)>,
    addresses: Vec<SocketAddr>,
    read: Pool,
    write: Pool,
    prepared: OnceCell<()>,
}

impl Database {
    /// The one of the configuration. Opens no connection yet.
    pub(crate) fn new(config: &Config, connector: &Connector) -> Self {
        let config = named(config);
        Self { own: Some((config.clone(), connector.clone())), ..Self::through(&config, connector) }
    }

    /// One that an admin has added, at addresses that have been checked. Opens no connection yet.
    pub(crate) fn saved(
        config: &Config,
        tls: TlsMode,
        addresses: Vec<SocketAddr>,
    ) -> Result<Self, AppError> {
        let config = named(config);
        let connector = Connector::load(&tls.settings()).map_err(|error| match error {
            TlsError::NoSystemRoots => AppError::Unavailable(Why::NoCertificates),
            error => AppError::Internal(error.to_string()),
        })?;
        Ok(Self { addresses, ..Self::through(&config, &connector) })
    }

    fn through(config: &Config, connector: &Connector) -> Self {
        Self {
            read: pool(config, connector, READ),
            write: pool(config, connector, WRITE),
            own: None,
            addresses: Vec::new(),
            prepared: OnceCell::new(),
        }
    }

    /// Where it was found.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// A session that cannot change anything.
    pub(crate) async fn read(&self) -> Result<Object, AppError> {
        self.prepare().await?;
        self.read.get().await.map_err(AppError::from)
    }

    /// A session for reverts and the dashboard's own tables.
    pub(crate) async fn write(&self) -> Result<Object, AppError> {
        self.prepare().await?;
        self.write.get().await.map_err(AppError::from)
    }

    /// A session of its own, for what takes longer than a page; it is not the pool's any more.
    pub(crate) async fn session(&self) -> Result<ClientWrapper, AppError> {
        Ok(Object::take(self.write().await?))
    }

    /// A session that may find the database without pg_track.
    pub(crate) async fn any(&self) -> Result<Object, AppError> {
        self.write.get().await.map_err(AppError::from)
    }

    /// Makes sure that what is needed is there; done once, retried until it succeeds.
    async fn prepare(&self) -> Result<(), AppError> {
        self.prepared
            .get_or_try_init(async || match &self.own {
                Some((config, connector)) => Ok(prepare(config, connector).await?),
                None => match installed(&*self.read.get().await?).await? {
                    Installed::Current(_) => Ok(()),
                    _ => Err(AppError::NotInstalled),
                },
            })
            .await?;
        Ok(())
    }

    /// Prepares the configured database.
    pub(crate) async fn prepare_own(&self) -> Result<(), Error> {
        match &self.own {
            Some((config, connector)) => {
                self.prepared.get_or_try_init(|| prepare(config, connector)).await.copied()
            }
            None => Ok(()),
        }
    }
}

/// Installs pg_track and the dashboard's own tables.
async fn prepare(config: &Config, connector: &Connector) -> Result<(), Error> {
    let mut client = connect(config, connector).await?;
    service::prepare(&mut client).await?;
    store::create_schema(&mut client).await
}

/// A session of its own, for what is done once.
pub(crate) async fn connect(config: &Config, connector: &Connector) -> Result<Client, Error> {
    let database = config.get_dbname().unwrap_or_default().to_owned();
    let opened = connector.open(config).await;
    opened.map(|opened| opened.0).map_err(|source| Error::Connect { database, source })
}

fn named(config: &Config) -> Config {
    let mut config = config.clone();
    config.application_name("pgtrack-dashboard").connect_timeout(PATIENCE);
    config
}

fn pool(config: &Config, connector: &Connector, purpose: Purpose) -> Pool {
    let mut config = config.clone();
    let given = config.get_options().unwrap_or_default();
    config.options(format!("{given} {}", purpose.options).trim().to_owned());
    let link = Link { connector: connector.clone(), is_read_only: purpose.is_read_only };
    let recycling = ManagerConfig { recycling_method: purpose.recycling_method };
    let manager = Manager::from_connect(config, link, recycling);
    Pool::builder(manager)
        .max_size(purpose.size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .recycle_timeout(Some(PATIENCE))
        .build()
        .expect("a pool with timeouts has a runtime")
}
