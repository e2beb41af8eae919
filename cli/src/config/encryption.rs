//! The sections `[client_tls]`, `[upstream_tls]` and `[scram]` of the configuration file.

use std::path::PathBuf;

use pgtrack_proxy::{
    ClientTlsMode, RootCertificates, SslMode, SslNegotiation, VerifierQuery, VerifierSource,
};
use serde::Deserialize;

use crate::error::Error;

/// All three.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Encryption {
    pub(crate) client_tls: ClientTls,
    pub(crate) upstream_tls: pgtrack_proxy::UpstreamTls,
    pub(crate) scram: Scram,
}

/// Meanings are those of [`pgtrack_proxy::ClientTls`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClientTls {
    mode: Client,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    client_ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Client {
    #[default]
    Disable,
    Allow,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Meanings are those of [`pgtrack_proxy::UpstreamTls`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UpstreamTls {
    mode: Upstream,
    negotiation: Negotiation,
    /// A file, or `system`.
    root: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Upstream {
    Disable,
    #[default]
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Negotiation {
    #[default]
    Postgres,
    Direct,
}

/// Where SCRAM verifiers are found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scram {
    verifiers: Verifiers,
    file: Option<PathBuf>,
    query: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verifiers {
    #[default]
    None,
    File,
    Query,
}

impl Encryption {
    /// Completes the proxy's configuration. Verifiers are asked for as the role of `database`, and there.
    pub(crate) fn apply(
        &self,
        config: pgtrack_proxy::Config,
        database: &tokio_postgres::Config,
    ) -> pgtrack_proxy::Config {
        pgtrack_proxy::Config {
            client_tls: self.client_tls.settings(),
            upstream_tls: self.upstream_tls.clone(),
            verifiers: self.scram.source(database),
            ..config
        }
    }
}

impl ClientTls {
    fn settings(&self) -> pgtrack_proxy::ClientTls {
        pgtrack_proxy::ClientTls {
            mode: match self.mode {
                Client::Disable => ClientTlsMode::Disable,
                Client::Allow => ClientTlsMode::Allow,
                Client::Require => ClientTlsMode::Require,
                Client::VerifyCa => ClientTlsMode::VerifyCa,
                Client::VerifyFull => ClientTlsMode::VerifyFull,
            },
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            client_ca: self.client_ca.clone(),
        }
    }
}

impl UpstreamTls {
    pub(super) fn settings(&self) -> pgtrack_proxy::UpstreamTls {
        pgtrack_proxy::UpstreamTls {
            mode: match self.mode {
                Upstream::Disable => SslMode::Disable,
                Upstream::Prefer => SslMode::Prefer,
                Upstream::Require => SslMode::Require,
                Upstream::VerifyCa => SslMode::VerifyCa,
                Upstream::VerifyFull => SslMode::VerifyFull,
            },
            negotiation: match self.negotiation {
                Negotiation::Postgres => SslNegotiation::Postgres,
                Negotiation::Direct => SslNegotiation::Direct,
            },
            root: self.root.clone().map(|path| {
                if path.as_os_str() == "system" {
                    RootCertificates::System
                } else {
                    RootCertificates::File(path)
                }
            }),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        }
    }
}

impl Scram {
    /// Whether everything is there that the settings need.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.verifiers == Verifiers::File && self.file.is_none() {
            let message = "[scram] verifiers = \"file\" needs the setting `file`";
            return Err(Error::Setting { message });
        }
        Ok(())
    }

    fn source(&self, database: &tokio_postgres::Config) -> Option<VerifierSource> {
        match self.verifiers {
            Verifiers::None => None,
            Verifiers::File => self.file.clone().map(VerifierSource::File),
            Verifiers::Query => {
                let text = |value: Option<&str>| value.unwrap_or("postgres").to_owned();
                Some(VerifierSource::Query(VerifierQuery {
                    user: text(database.get_user()),
                    password: database
                        .get_password()
                        .map(|password| String::from_utf8_lossy(password).into_owned()),
                    database: text(database.get_dbname()),
                    sql: self.query.clone().unwrap_or_else(|| VerifierQuery::DEFAULT_SQL.into()),
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pgtrack_proxy::{RootCertificates, SslMode, SslNegotiation, VerifierSource};

    use super::{ClientTls, Encryption, Scram, UpstreamTls};

    fn apply(encryption: &Encryption) -> pgtrack_proxy::Config {
        let database = "postgresql://tracker:secret@db/shop".parse().unwrap();
        encryption.apply(pgtrack_proxy::Config::default(), &database)
    }

    #[test]
    fn the_words_of_libpq_are_understood() {
        let text = "mode = \"verify-full\"\nnegotiation = \"direct\"\nroot = \"system\"";
        let upstream_tls: UpstreamTls = toml::from_str(text).unwrap();
        let upstream_tls = upstream_tls.settings();
        let config = apply(&Encryption { upstream_tls, ..Encryption::default() });
        assert_eq!(config.upstream_tls.mode, SslMode::VerifyFull);
        assert_eq!(config.upstream_tls.negotiation, SslNegotiation::Direct);
        assert_eq!(config.upstream_tls.root, Some(RootCertificates::System));
        let error = toml::from_str::<ClientTls>("mode = \"on\"").unwrap_err().to_string();
        assert!(error.contains("`verify-full`"), "{error}");
    }

    #[test]
    fn verifiers_are_asked_for_as_the_upstreams_role() {
        let scram: Scram = toml::from_str("verifiers = \"query\"").unwrap();
        let config = apply(&Encryption { scram, ..Encryption::default() });
        let Some(VerifierSource::Query(query)) = config.verifiers else { panic!("it is a query") };
        assert_eq!((&*query.user, &*query.database), ("tracker", "shop"));
        assert_eq!(query.password.as_deref(), Some("secret"));
        assert!(query.sql.contains("pg_authid"), "{}", query.sql);

        let scram: Scram = toml::from_str("verifiers = \"file\"").unwrap();
        assert!(scram.check().is_err());
    }
}
