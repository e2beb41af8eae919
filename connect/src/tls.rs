//! TLS towards a server, with the words that libpq uses for it (manual, "SSL Support").

mod certificate;
mod error;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, DEFAULT_VERSIONS};

pub use certificate::{common_name, end_point, read_certificates, read_key, subject};
pub use error::TlsError;
use trust::Trust;

/// The protocol that both sides must agree on when TLS begins without a request; manual, "SSL Session Encryption".
pub const ALPN_PROTOCOL: &[u8] = b"postgresql";

/// TLS with a server. Not used on unix sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    /// As `sslmode` of libpq.
    pub mode: SslMode,
    /// As `sslnegotiation` of libpq.
    pub negotiation: SslNegotiation,
    /// The authorities to trust, as `sslrootcert` of libpq. With these, `Require` is as `VerifyCa`, as it is in libpq.
    pub root: Option<RootCertificates>,
    /// Our own certificate, in PEM; as `sslcert`.
    pub certificate: Option<PathBuf>,
    /// Its private key, in PEM and without a password; as `sslkey`.
    pub key: Option<PathBuf>,
}

/// How much TLS protects from; manual, "SSL Mode Descriptions".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// There is no TLS.
    Disable,
    /// TLS if the server has it: no protection, but nothing to configure either.
    #[default]
    Prefer,
    /// TLS with whoever answers.
    Require,
    /// TLS with a server whose certificate is signed by one of the authorities.
    VerifyCa,
    /// The same, and the certificate is for the server's host name.
    VerifyFull,
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SslNegotiation {
    /// With a request for it.
    #[default]
    Postgres,
    /// At once, which saves a round trip. PostgreSQL 17 and later.
    Direct,
}

/// Which authorities to trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCertificates {
    /// Those of the operating system.
    System,
    /// Those in a PEM file. A server's own self-signed certificate may be there, too.
    File(PathBuf),
}

impl UpstreamTls {
    /// What the TLS library does for these settings. Reads the files.
    ///
    /// # Errors
    /// When a file is missing or of no use, or a mode needs one that is not given.
    pub fn client_config(&self) -> Result<ClientConfig, TlsError> {
        let mode = match self.mode {
            SslMode::VerifyCa => Some("verify-ca"),
            SslMode::VerifyFull => Some("verify-full"),
            SslMode::Disable | SslMode::Prefer | SslMode::Require => None,
        };
        let provider = Arc::new(ring::default_provider());
        let trust = match (&self.root, mode) {
            (Some(root), _) if self.mode >= SslMode::Require => {
                let checks_name = self.mode == SslMode::VerifyFull;
                Trust::signed_by(root, checks_name, Arc::clone(&provider))?
            }
            (None, Some(mode)) => return Err(TlsError::Missing { mode, setting: "root" }),
            _ => Trust::anybody(Arc::clone(&provider)),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(DEFAULT_VERSIONS)
            .map_err(TlsError::Library)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(trust));
        let mut config = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => builder
                .with_client_auth_cert(read_certificates(certificate)?, read_key(key)?)
                .map_err(|source| TlsError::Identity { path: certificate.clone(), source })?,
            (None, None) => builder.with_no_client_auth(),
            (Some(_), None) => return Err(TlsError::Missing { mode: "upstream", setting: "key" }),
            (None, Some(_)) => {
                return Err(TlsError::Missing { mode: "upstream", setting: "certificate" });
            }
        };
        config.alpn_protocols = vec![ALPN_PROTOCOL.into()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}
