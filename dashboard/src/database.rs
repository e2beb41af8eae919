//! A database's two pools, and what has to be there before anything works.
//!
//! Pages read through sessions that cannot write; reverts and the dashboard's own tables have a few of their own.
//! A database that is down is reported as such and found again by itself: every request tries anew.

mod trouble;

use std::net::SocketAddr;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use pgtrack_tracker::{Error, Installed, ensure_installed, installed};
use tokio::sync::OnceCell;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Config, NoTls, Socket};

use crate::app_error::AppError;
use crate::connections::TlsMode;
use crate::store;
use crate::tls::{Verification, connector};

pub(crate) use trouble::trouble;

/// How long a request waits for a session, and a session for the server.
const PATIENCE: Duration = Duration::from_secs(5);
const READ_SESSIONS: usize = 5;
const WRITE_SESSIONS: usize = 3;
const READ_OPTIONS: &str = "-c default_transaction_read_only=on -c statement_timeout=10s -c lock_timeout=2s \
                            -c idle_in_transaction_session_timeout=30s";
const WRITE_OPTIONS: &str =
    "-c statement_timeout=60s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s";

/// A database that is shown.
#[derive(Debug)]
pub(crate) struct Database {
    /// Of the configured database, which is prepared by us.
    own: Option<Config>,
    addresses: Vec<SocketAddr>,
    read: Pool,
    write: Pool,
    prepared: OnceCell<()>,
}

impl Database {
    /// The one of the configuration. Opens no connection yet.
    pub(crate) fn new(config: &Config) -> Self {
        let config = named(config);
        Self {
            read: pool(&config, NoTls, READ_OPTIONS, READ_SESSIONS, RecyclingMethod::Fast),
            // Recycled thoroughly: a revert that was cut off may have left settings and locks behind.
            write: pool(&config, NoTls, WRITE_OPTIONS, WRITE_SESSIONS, RecyclingMethod::Clean),
            own: Some(config),
            addresses: Vec::new(),
            prepared: OnceCell::new(),
        }
    }

    /// One that an admin has added, at addresses that have been checked. Opens no connection yet.
    pub(crate) fn saved(
        config: &Config,
        tls: TlsMode,
        addresses: Vec<SocketAddr>,
    ) -> Result<Self, AppError> {
        let config = named(config);
        let verification = match tls {
            TlsMode::Disable => None,
            TlsMode::Require => Some(Verification::None),
            TlsMode::VerifyFull => Some(Verification::Full),
        };
        let pools = |options, size, method| match verification.map(connector) {
            None => Ok(pool(&config, NoTls, options, size, method)),
            Some(Some(connector)) => Ok(pool(&config, connector, options, size, method)),
            Some(None) => Err(AppError::Unavailable("this machine trusts no certificates")),
        };
        Ok(Self {
            read: pools(READ_OPTIONS, READ_SESSIONS, RecyclingMethod::Fast)?,
            write: pools(WRITE_OPTIONS, WRITE_SESSIONS, RecyclingMethod::Clean)?,
            own: None,
            addresses,
            prepared: OnceCell::new(),
        })
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

    /// A session that may find the database without pg_track.
    pub(crate) async fn any(&self) -> Result<Object, AppError> {
        self.write.get().await.map_err(AppError::from)
    }

    /// Makes sure that what is needed is there; done once, retried until it succeeds.
    async fn prepare(&self) -> Result<(), AppError> {
        self.prepared
            .get_or_try_init(async || match &self.own {
                Some(config) => Ok(prepare(config).await?),
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
            Some(config) => self.prepared.get_or_try_init(|| prepare(config)).await.copied(),
            None => Ok(()),
        }
    }
}

/// Installs pg_track and the dashboard's own tables.
async fn prepare(config: &Config) -> Result<(), Error> {
    ensure_installed(config).await?;
    store::create_schema(config).await
}

fn named(config: &Config) -> Config {
    let mut config = config.clone();
    config.application_name("pgtrack-dashboard").connect_timeout(PATIENCE);
    config
}

fn pool<T>(
    config: &Config,
    tls: T,
    options: &str,
    size: usize,
    recycling_method: RecyclingMethod,
) -> Pool
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let mut config = config.clone();
    let given = config.get_options().unwrap_or_default();
    config.options(format!("{given} {options}").trim().to_owned());
    let manager = Manager::from_config(config, tls, ManagerConfig { recycling_method });
    Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .recycle_timeout(Some(PATIENCE))
        .build()
        .expect("a pool with timeouts has a runtime")
}
