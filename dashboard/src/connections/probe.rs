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
use crate::words::Why;

const PATIENCE: Duration = Duration::from_secs(5);

/// What a stage tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Address,
    Network,
    Encryption,
    Login,
    PgTrack,
}

/// What a stage found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    Addresses(String),
    Answers(u16),
    Tls(TlsMode),
    /// As this role.
    LoggedIn(String),
    Version(String),
}

/// One stage and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) part: Part,
    /// What was found, or why it failed; `None` if it did not come to this.
    pub(crate) result: Option<Result<Finding, Why>>,
}

/// All stages, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stages(pub(crate) Vec<Stage>);

const PARTS: [Part; 5] =
    [Part::Address, Part::Network, Part::Encryption, Part::Login, Part::PgTrack];

impl Stages {
    pub(crate) fn all_good(&self) -> bool {
        self.0.iter().all(|stage| matches!(stage.result, Some(Ok(_))))
    }

    fn done(results: Vec<Result<Finding, Why>>) -> Self {
        let mut results = results.into_iter();
        Self(PARTS.map(|part| Stage { part, result: results.next() }).into())
    }
}

/// Tries to connect. Nothing is changed there.
pub(crate) async fn probe(details: &Details, password: &str, allowed: &AllowedHosts) -> Stages {
    let mut results = Vec::new();
    let mut driver = match config(details, password, allowed).await {
        Ok((driver, addresses)) => {
            let list: Vec<String> = addresses.iter().map(|one| one.ip().to_string()).collect();
            results.push(Ok(Finding::Addresses(list.join(", "))));
            (driver, addresses)
        }
        Err(refusal) => {
            results.push(Err(Why::Host(refusal)));
            return Stages::done(results);
        }
    };
    driver.0.application_name("pgtrack-dashboard").connect_timeout(PATIENCE);
    let Some(stream) = dial(&driver.1).await else {
        results.push(Err(Why::NobodyAnswers(details.port)));
        return Stages::done(results);
    };
    results.push(Ok(Finding::Answers(details.port)));
    let client = match (details.tls, connector(&details.tls.settings())) {
        (TlsMode::Disable, _) => log_in(&driver.0, stream, NoTls, &details.host).await,
        (_, Err(error)) => Err(Failure::Tls(Why::Quoted(error.to_string()))),
        (_, Ok(connector)) => log_in(&driver.0, stream, connector, &details.host).await,
    };
    match client {
        Err(Failure::Tls(why)) => results.push(Err(why)),
        Err(Failure::Login(why)) => {
            results.push(Ok(Finding::Tls(details.tls)));
            results.push(Err(why));
        }
        Ok(client) => {
            results.push(Ok(Finding::Tls(details.tls)));
            results.push(Ok(Finding::LoggedIn(details.role.clone())));
            results.push(match installed(&client).await {
                Ok(Installed::Current(version)) => Ok(Finding::Version(version)),
                Ok(Installed::Missing) => Err(Why::NotInstalledYet),
                Ok(Installed::Outdated(version)) => Err(Why::OlderVersion(version)),
                Ok(Installed::Newer(version)) => Err(Why::NewerVersion(version)),
                Err(_) => Err(Why::CannotBeAsked),
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
    Tls(Why),
    Login(Why),
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
        return Err(Failure::Tls(Why::NameUnverifiable));
    };
    match timeout(PATIENCE, driver.connect_raw(stream, connect)).await {
        Err(_) => Err(Failure::Login(Why::NoAnswer)),
        Ok(Ok((client, session))) => {
            tokio::spawn(session);
            Ok(client)
        }
        Ok(Err(error)) if error.to_string().contains("TLS") => {
            Err(Failure::Tls(Why::Quoted(chain(&error))))
        }
        Ok(Err(error)) => Err(Failure::Login(match trouble(&error) {
            Some(trouble) => Why::Outage(trouble.outage),
            None => Why::LoginRefused,
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
