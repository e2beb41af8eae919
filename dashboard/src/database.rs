//! The connection's two pools, and what has to be in the database before anything works.
//!
//! Pages read through sessions that cannot write; reverts and the dashboard's own tables have a few of their own.
//! A database that is down is reported as such and found again by itself: every request tries anew.

mod trouble;

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use pgtrack_tracker::{Error, ensure_installed};
use tokio::sync::OnceCell;
use tokio_postgres::{Config, NoTls};

use crate::app_error::AppError;
use crate::store;

pub(crate) use trouble::trouble;

/// How long a request waits for a session, and a session for the server.
const PATIENCE: Duration = Duration::from_secs(5);
const READ_SESSIONS: usize = 5;
const WRITE_SESSIONS: usize = 3;
const READ_OPTIONS: &str = "-c default_transaction_read_only=on -c statement_timeout=10s -c lock_timeout=2s \
                            -c idle_in_transaction_session_timeout=30s";
const WRITE_OPTIONS: &str =
    "-c statement_timeout=60s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s";

/// The database that is shown.
#[derive(Debug)]
pub(crate) struct Database {
    config: Config,
    read: Pool,
    write: Pool,
    prepared: OnceCell<()>,
}

impl Database {
    /// Opens no connection yet.
    pub(crate) fn new(config: &Config) -> Self {
        let mut config = config.clone();
        config.application_name("pgtrack-dashboard").connect_timeout(PATIENCE);
        Self {
            read: pool(&config, READ_OPTIONS, READ_SESSIONS, RecyclingMethod::Fast),
            // Recycled thoroughly: a revert that was cut off may have left settings and locks behind.
            write: pool(&config, WRITE_OPTIONS, WRITE_SESSIONS, RecyclingMethod::Clean),
            config,
            prepared: OnceCell::new(),
        }
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

    /// Makes sure that pg_track and the dashboard's own tables are there; done once, retried until it succeeds.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        self.prepared
            .get_or_try_init(async || {
                ensure_installed(&self.config).await?;
                store::create_schema(&self.config).await
            })
            .await?;
        Ok(())
    }
}

fn pool(config: &Config, options: &str, size: usize, recycling_method: RecyclingMethod) -> Pool {
    let mut config = config.clone();
    let given = config.get_options().unwrap_or_default();
    config.options(format!("{given} {options}").trim().to_owned());
    let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method });
    Pool::builder(manager)
        .max_size(size)
        .runtime(Runtime::Tokio1)
        .wait_timeout(Some(PATIENCE))
        .create_timeout(Some(PATIENCE))
        .recycle_timeout(Some(PATIENCE))
        .build()
        .expect("a pool with timeouts has a runtime")
}
