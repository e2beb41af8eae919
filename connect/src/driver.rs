//! Opens connections with the database driver.

use std::fmt;

use tokio::task::JoinHandle;
use tokio_postgres::config::{Host, SslMode as DriverMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, Client, Config, Error, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::tls::{SslMode, TlsError, UpstreamTls};

/// Opens connections that are as protected as it was told.
#[derive(Clone)]
pub struct Connector {
    mode: SslMode,
    library: Option<MakeRustlsConnect>,
}

/// A session, and the task that its messages go through; it ends with the client.
pub type Opened = (Client, JoinHandle<()>);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Connector {
    /// Reads the files that the settings name.
    ///
    /// # Errors
    /// As [`UpstreamTls::client_config`].
    pub fn load(tls: &UpstreamTls) -> Result<Self, TlsError> {
        let library = (tls.mode != SslMode::Disable).then(|| connector(tls)).transpose()?;
        Ok(Self { mode: tls.mode, library })
    }

    /// Connects. What `config` says about TLS itself is of no account.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses us, or does not have the TLS that is asked for.
    pub async fn open(&self, config: &Config) -> Result<Opened, Error> {
        let mut config = config.clone();
        config.ssl_mode(driver_mode(self.mode, &config));
        let Some(library) = self.library.clone() else { return open(&config, NoTls).await };
        match open(&config, library).await {
            Err(error) if self.mode == SslMode::Prefer && may_be_about_tls(&error) => {
                open(config.ssl_mode(DriverMode::Disable), NoTls).await
            }
            outcome => outcome,
        }
    }

    /// Asks the server to give up what a session is doing.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn cancel(&self, session: &CancelToken) -> Result<(), Error> {
        match self.library.clone() {
            Some(library) => session.cancel_query(library).await,
            None => session.cancel_query(NoTls).await,
        }
    }
}

/// What the driver begins TLS with. Reads the files that the settings name.
///
/// # Errors
/// As [`UpstreamTls::client_config`].
pub fn connector(tls: &UpstreamTls) -> Result<MakeRustlsConnect, TlsError> {
    Ok(MakeRustlsConnect::new(tls.client_config()?))
}

/// Unix sockets have no TLS, whatever is asked for, as in libpq.
pub(crate) fn driver_mode(mode: SslMode, config: &Config) -> DriverMode {
    let has_network = config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
    match mode {
        _ if !has_network => DriverMode::Disable,
        SslMode::Disable => DriverMode::Disable,
        SslMode::Prefer => DriverMode::Prefer,
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => DriverMode::Require,
    }
}

/// Whether it may work without TLS: the handshake failed, or `pg_hba.conf` admits only what is not encrypted.
fn may_be_about_tls(error: &Error) -> bool {
    match error.code() {
        Some(code) => *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        None => error.to_string().contains("TLS"),
    }
}

async fn open<T>(config: &Config, tls: T) -> Result<Opened, Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, connection) = config.connect(tls).await?;
    // What the connection has to say about its end reaches the client's next call.
    let task = tokio::spawn(async { drop(connection.await) });
    Ok((client, task))
}
