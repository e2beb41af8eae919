//! Tries a connection stage by stage, to tell where it fails.

use std::net::SocketAddr;
use std::time::Duration;

use pgtrack_connect::connector;
use pgtrack_tracker::{Installed, installed};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, NoTls};

use super::{TlsMode, config};
use crate::database::trouble;
use crate::network::AllowedHosts;
use crate::store::connections::Details;

const PATIENCE: Duration = Duration::from_secs(5);

/// One stage and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    /// What was found, or why it failed; `None` if it did not come to this.
    pub(crate) result: Option<Result<String, String>>,
}

/// All stages, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stages(pub(crate) Vec<Stage>);

const NAMES: [&str; 5] = ["Address", "Network", "Encryption", "Login", "pg_track"];

impl Stages {
    pub(crate) fn all_good(&self) -> bool {
        self.0.iter().all(|stage| matches!(stage.result, Some(Ok(_))))
    }

    fn done(results: Vec<Result<String, String>>) -> Self {
        let mut results = results.into_iter();
        Self(NAMES.map(|name| Stage { name, result: results.next() }).into())
    }
}

/// Tries to connect. Nothing is changed there.
pub(crate) async fn probe(details: &Details, password: &str, allowed: &AllowedHosts) -> Stages {
    let mut results = Vec::new();
    let mut driver = match config(details, password, allowed).await {
        Ok((driver, addresses)) => {
            let list: Vec<String> = addresses.iter().map(|one| one.ip().to_string()).collect();
            results.push(Ok(list.join(", ")));
            (driver, addresses)
        }
        Err(refusal) => {
            results.push(Err(refusal.text().to_owned()));
            return Stages::done(results);
        }
    };
    driver.0.application_name("pgtrack-dashboard").connect_timeout(PATIENCE);
    let Some(stream) = dial(&driver.1).await else {
        results.push(Err(format!("nobody answers on port {}", details.port)));
        return Stages::done(results);
    };
    results.push(Ok(format!("port {} answers", details.port)));
    let client = match (details.tls, connector(&details.tls.settings())) {
        (TlsMode::Disable, _) => log_in(&driver.0, stream, NoTls, &details.host).await,
        (_, Err(error)) => Err(Failure::Tls(error.to_string())),
        (_, Ok(connector)) => log_in(&driver.0, stream, connector, &details.host).await,
    };
    match client {
        Err(Failure::Tls(why)) => results.push(Err(why)),
        Err(Failure::Login(why)) => {
            results.push(Ok(details.tls.label().to_owned()));
            results.push(Err(why));
        }
        Ok(client) => {
            results.push(Ok(details.tls.label().to_owned()));
            results.push(Ok(format!("as {}", details.role)));
            results.push(match installed(&client).await {
                Ok(Installed::Current(version)) => Ok(format!("version {version}")),
                Ok(Installed::Missing) => {
                    Err("not installed yet; that can be done next".to_owned())
                }
                Ok(Installed::Outdated(version)) => {
                    Err(format!("version {version} is older; it can be upgraded next"))
                }
                Ok(Installed::Newer(version)) => {
                    Err(format!("version {version} is newer than this dashboard"))
                }
                Err(_) => Err("it could not be asked for".to_owned()),
            });
        }
    }
    Stages::done(results)
}

async fn dial(addresses: &[SocketAddr]) -> Option<TcpStream> {
    for address in addresses {
        if let Ok(Ok(stream)) = timeout(PATIENCE, TcpStream::connect(address)).await {
            return Some(stream);
        }
    }
    None
}

enum Failure {
    Tls(String),
    Login(String),
}

async fn log_in<T>(
    driver: &Config,
    stream: TcpStream,
    mut tls: T,
    host: &str,
) -> Result<Client, Failure>
where
    T: MakeTlsConnect<TcpStream>,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<TcpStream>>::Future: Send,
{
    let Ok(connect) = tls.make_tls_connect(host) else {
        return Err(Failure::Tls("the host's name cannot be verified".to_owned()));
    };
    match timeout(PATIENCE, driver.connect_raw(stream, connect)).await {
        Err(_) => Err(Failure::Login("the server did not answer in time".to_owned())),
        Ok(Ok((client, session))) => {
            tokio::spawn(session);
            Ok(client)
        }
        Ok(Err(error)) if error.to_string().contains("TLS") => Err(Failure::Tls(chain(&error))),
        Ok(Err(error)) => Err(Failure::Login(match trouble(&error) {
            Some(trouble) => trouble.reason.to_owned(),
            None => "the server refused the login".to_owned(),
        })),
    }
}

/// The innermost cause says what is wrong with a certificate.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    text
}
