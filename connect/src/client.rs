//! Connects to a server.

use std::fmt::Write as _;

use tokio_postgres::config::{Host, SslMode as DriverMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{CancelToken, Client, Config, NoTls, Socket};

use crate::tls::SslMode;
use crate::{Error, Settings, connector};

/// Connects; the connection ends with the client.
///
/// # Errors
/// When TLS cannot be set up, or the server cannot be reached or refuses us.
pub async fn connect(settings: &Settings) -> Result<Client, Error> {
    let Settings { config, tls, .. } = settings;
    if config.get_ssl_mode() == DriverMode::Disable {
        return open(config, NoTls).await;
    }
    match open(config, connector(tls)?).await {
        // `pg_hba.conf` may admit only what is not encrypted.
        Err(Error::Connect { source, .. })
            if tls.mode == SslMode::Prefer
                && source.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) =>
        {
            open(config.clone().ssl_mode(DriverMode::Disable), NoTls).await
        }
        outcome => outcome,
    }
}

/// Asks the server to give up what the session is doing. A session that has ended needs no more of this.
///
/// # Errors
/// When the server cannot be reached.
pub async fn cancel(settings: &Settings, session: &CancelToken) -> Result<(), Error> {
    let failed = |source| Error::Connect { server: describe(&settings.config), source };
    if settings.config.get_ssl_mode() == DriverMode::Disable {
        return session.cancel_query(NoTls).await.map_err(failed);
    }
    session.cancel_query(connector(&settings.tls)?).await.map_err(failed)
}

async fn open<T>(config: &Config, tls: T) -> Result<Client, Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, connection) = config
        .connect(tls)
        .await
        .map_err(|source| Error::Connect { server: describe(config), source })?;
    // What the connection has to say about its end reaches the client's next call.
    tokio::spawn(connection);
    Ok(client)
}

/// Where a configuration leads, for people: `shop at db:5432 as ada`.
pub(crate) fn describe(config: &Config) -> String {
    let mut text = format!("database `{}` at ", config.get_dbname().unwrap_or_default());
    let ports = config.get_ports();
    for (index, host) in config.get_hosts().iter().enumerate() {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        let separator = if index == 0 { "" } else { ", " };
        let host = match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(directory) => directory.display().to_string(),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "{separator}{host}:{port}");
    }
    let _ = write!(text, " as `{}`", config.get_user().unwrap_or_default());
    text
}
