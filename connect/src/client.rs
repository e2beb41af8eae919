//! One connection, and where it leads.

use std::fmt::Write as _;

use tokio_postgres::config::Host;
use tokio_postgres::{CancelToken, Client, Config};

use crate::{Connector, Error, Settings};

/// Connects; the connection ends with the client.
///
/// # Errors
/// When TLS cannot be set up, or the server cannot be reached or refuses us.
pub async fn connect(settings: &Settings) -> Result<Client, Error> {
    let opened = Connector::load(&settings.tls)?.open(&settings.config).await;
    let failed = |source| Error::Connect { server: settings.to_string(), source };
    opened.map(|opened| opened.0).map_err(failed)
}

/// Asks the server to give up what the session is doing. A session that has ended needs no more of this.
///
/// # Errors
/// When the server cannot be reached.
pub async fn cancel(settings: &Settings, session: &CancelToken) -> Result<(), Error> {
    let cancelled = Connector::load(&settings.tls)?.cancel(session).await;
    cancelled.map_err(|source| Error::Connect { server: settings.to_string(), source })
}

/// Where a configuration leads, for people: ``database `shop` at db:5432 as `ada` ``.
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
