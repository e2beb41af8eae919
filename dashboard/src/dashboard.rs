//! The dashboard as a program embeds it: start, ask where it is, run until told to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pgtrack_connect::Connector;
use pgtrack_tracker::care::{Standing, standing};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::app_error::AppError;
use crate::auth::{AccountError, Role, check_name, check_password};
use crate::config::Config;
use crate::database::trouble;
use crate::digests;
use crate::error::Error;
use crate::routes::app;
use crate::server::{Limits, serve};
use crate::state::AppState;
use crate::store::accounts;
use crate::words::{Why, plain};

/// How long a batch that is being undone may take to finish once the server stops.
const LAST_BATCH: Duration = Duration::from_secs(20);

/// A dashboard that listens, and serves once it [runs](Self::run).
#[derive(Debug)]
pub struct Dashboard {
    listener: TcpListener,
    local_address: SocketAddr,
    state: Arc<AppState>,
}

impl Dashboard {
    /// Listens, and makes sure that pg_track and the dashboard's own tables are in the database.
    ///
    /// A database that cannot be reached just now is no error: it is prepared as soon as it answers.
    ///
    /// # Errors
    /// When the address is taken, or the database refuses what is needed there.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let address = config.listen;
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let local_address = listener.local_addr().map_err(listen)?;
        let connector = Connector::load(&config.database.tls)?;
        let state = AppState::new(&config, &connector)
            .map_err(|error| Error::System { reason: error.to_string() })?;
        if let Err(error) = state.database.prepare_own().await {
            let reason = passing_trouble(&error).ok_or(Error::Prepare(error))?;
            tracing::warn!(reason, "the dashboard waits for its database");
        } else {
            let client = state.database.read().await.map_err(from_app)?;
            state.setup.is_open(&client).await.map_err(from_app)?;
            warn_of_rights(&standing(&client).await.map_err(Error::Prepare)?);
        }
        if !config.https && !local_address.ip().is_loopback() {
            tracing::warn!(%local_address, "passwords and sessions travel unencrypted; put HTTPS in front");
        }
        Ok(Self { listener, local_address, state: Arc::new(state) })
    }

    /// Where it listens.
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Where the first account is created; `None` once there is one.
    pub fn setup_url(&self) -> Option<String> {
        let scheme = if self.state.https { "https" } else { "http" };
        let token = self.state.setup.as_str()?;
        let mut address = self.local_address;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Some(format!("{scheme}://{address}/setup?token={token}"))
    }

    /// What the routes share, to call [`app`] with.
    pub fn state(&self) -> Arc<AppState> {
        self.state.clone()
    }

    /// Makes sure that somebody may do everything and signs in with this password. An account of that name
    /// is given both, and its sessions end.
    ///
    /// # Errors
    /// As [`create_account`](Self::create_account).
    pub async fn set_admin(&self, name: &str, password: &str) -> Result<(), Error> {
        let (name, hash) = self.credentials(name, password).await?;
        let client = self.state.database.write().await.map_err(from_app)?;
        accounts::set(&client, name, Role::Admin, &hash).await.map_err(Error::Prepare)?;
        self.state.setup.use_up();
        Ok(())
    }

    /// Creates an account.
    ///
    /// # Errors
    /// When the name or the password cannot be used, or the database cannot be reached.
    pub async fn create_account(
        &self,
        name: &str,
        password: &str,
        role: Role,
    ) -> Result<(), Error> {
        let (name, hash) = self.credentials(name, password).await?;
        let client = self.state.database.write().await.map_err(from_app)?;
        let account = accounts::create(&client, name, role, &hash).await.map_err(Error::Prepare)?;
        self.state.setup.use_up();
        account.map(drop).ok_or(Error::Account(AccountError::NameTaken))
    }

    /// Checks a name and a password, and hashes the latter.
    async fn credentials<'a>(
        &self,
        name: &'a str,
        password: &str,
    ) -> Result<(&'a str, String), Error> {
        let name = check_name(name)?;
        check_password(password, name)?;
        Ok((name, self.state.passwords.hash(password.to_owned()).await?))
    }

    /// Serves, and sends digests, until `shutdown` is cancelled; open streams end at once, other requests and a digest
    /// that is being delivered get some seconds, and undoes in batches stop after the present one.
    pub async fn run(self, shutdown: CancellationToken) {
        let stopping = self.state.shutdown.clone();
        let courier = tokio::spawn(digests::run(self.state.clone()));
        let jobs = self.state.jobs.clone();
        let limits = Limits::usual(self.state.trusted_proxies.clone());
        let serving = serve(self.listener, app(self.state), limits, stopping.clone());
        let stop = async {
            shutdown.cancelled().await;
            stopping.cancel();
        };
        let (courier, (), ()) = tokio::join!(courier, serving, stop);
        if let Err(error) = courier {
            tracing::error!(%error, "digests were not sent any more");
        }
        // Each finishes its batch; one that does not is taken back by its server.
        jobs.close();
        let _ = tokio::time::timeout(LAST_BATCH, jobs.wait()).await;
    }
}

/// Says what pg_track could do with less. The proxy uses the same role.
fn warn_of_rights(standing: &Standing) {
    if standing.is_superuser {
        tracing::warn!(
            role = standing.role,
            "pg_track connects as a superuser; `pgtrack install --service-role NAME` makes a role with exactly what \
             is needed"
        );
    }
    if let Some(owner) = standing.other_owner() {
        tracing::warn!(
            owner,
            "pg_track does not belong to the role pgtrack_owner; `pgtrack install` by a superuser hands it over"
        );
    }
}

/// The reason to wait for the database, if waiting may help.
fn passing_trouble(error: &pgtrack_tracker::Error) -> Option<String> {
    match error {
        pgtrack_tracker::Error::Connect { source, .. }
        | pgtrack_tracker::Error::Query { source, .. } => {
            let passing = trouble(source).filter(|trouble| trouble.may_pass);
            passing.map(|trouble| plain(Why::Outage(trouble.outage)))
        }
        _ => None,
    }
}

/// What keeps us from the database, for the embedder.
fn from_app(error: AppError) -> Error {
    match error {
        AppError::Database(error) => Error::Prepare(error),
        AppError::Unavailable(why) => Error::Unavailable { reason: plain(why) },
        _ => Error::Unavailable { reason: plain(Why::NoSession) },
    }
}
