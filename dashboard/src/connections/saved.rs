//! From what a person entered to how the database is connected to.

use std::net::SocketAddr;

use pgtrack_connect::tls::{RootCertificates, SslMode as Mode, UpstreamTls};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;

use crate::network::{AllowedHosts, DATABASE_PORTS, Refusal, resolve};
use crate::store::connections::Details;

/// What a database is for. It is shown on every page, so that nobody takes one for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Environment {
    None,
    Development,
    Staging,
    Production,
}

impl Environment {
    pub(crate) const ALL: [Self; 4] =
        [Self::None, Self::Development, Self::Staging, Self::Production];

    /// The word that is stored, and the class that gives the colour.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    pub(crate) fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|one| one.word() == word).unwrap_or(Self::None)
    }
}

/// How the way to a server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TlsMode {
    VerifyFull,
    Require,
    Disable,
}

impl TlsMode {
    pub(crate) const ALL: [Self; 3] = [Self::VerifyFull, Self::Require, Self::Disable];

    /// The word that libpq uses.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::VerifyFull => "verify-full",
            Self::Require => "require",
            Self::Disable => "disable",
        }
    }

    /// What that means when we connect.
    pub(crate) fn settings(self) -> UpstreamTls {
        let (mode, root) = match self {
            Self::VerifyFull => (Mode::VerifyFull, Some(RootCertificates::System)),
            Self::Require => (Mode::Require, None),
            Self::Disable => (Mode::Disable, None),
        };
        UpstreamTls { mode, root, ..UpstreamTls::default() }
    }

    /// What is not known is treated with the greatest care.
    pub(crate) fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|one| one.word() == word).unwrap_or(Self::VerifyFull)
    }
}

/// The driver's configuration, built from typed fields alone, and the addresses that may be connected to.
pub(crate) async fn config(
    details: &Details,
    password: &str,
    allowed: &AllowedHosts,
) -> Result<(Config, Vec<SocketAddr>), Refusal> {
    let addresses = resolve(&details.host, details.port, allowed, DATABASE_PORTS).await?;
    let mut config = Config::new();
    config.dbname(&details.database).user(&details.role).password(password).ssl_mode(match details
        .tls
    {
        TlsMode::Disable => SslMode::Disable,
        TlsMode::Require | TlsMode::VerifyFull => SslMode::Require,
    });
    // The name is for the certificate; the addresses are those that were checked.
    for address in &addresses {
        config.host(&details.host).hostaddr(address.ip()).port(details.port);
    }
    Ok((config, addresses))
}
