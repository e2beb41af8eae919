//! TLS on both legs of a session, with the words that PostgreSQL and libpq use for it.
//!
//! Nothing but the files on disk decides what a certificate is worth: [`load`](acceptor::Acceptor::load) reads them
//! again on each reload, and sessions that have begun keep what they began with.

mod acceptor;
mod certificate;
mod connector;
mod error;
mod trust;

use std::path::PathBuf;

pub(crate) use acceptor::Acceptor;
pub(crate) use certificate::{common_name, end_point, subject};
pub(crate) use connector::{Connector, Secured};
pub use error::TlsError;

/// The protocol that both sides must agree on when TLS begins without a request; manual, "SSL Session Encryption".
const ALPN_PROTOCOL: &[u8] = b"postgresql";

/// TLS with clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Who must use it.
    pub mode: ClientTlsMode,
    /// The proxy's certificate and those that sign it, in PEM; as `ssl_cert_file`.
    pub certificate: Option<PathBuf>,
    /// The private key, in PEM and without a password; as `ssl_key_file`.
    pub key: Option<PathBuf>,
    /// The authorities that sign certificates of clients, in PEM; as `ssl_ca_file`.
    pub client_ca: Option<PathBuf>,
}

/// What is asked of clients. Those on unix sockets are never asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClientTlsMode {
    /// There is no TLS.
    #[default]
    Disable,
    /// TLS if the client wants it.
    Allow,
    /// TLS.
    Require,
    /// TLS and a certificate signed by one of the authorities.
    VerifyCa,
    /// The same, and the certificate's common name is the user's; as `clientcert=verify-full` in `pg_hba.conf`.
    VerifyFull,
}

/// TLS with the upstream. Not used on unix sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamTls {
    /// As `sslmode` of libpq.
    pub mode: SslMode,
    /// As `sslnegotiation` of libpq.
    pub negotiation: SslNegotiation,
    /// The authorities to trust, as `sslrootcert` of libpq. With these, `Require` is as `VerifyCa`, as it is in libpq.
    pub root: Option<RootCertificates>,
    /// The proxy's own certificate, in PEM; as `sslcert`.
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
    /// The same, and the certificate is for the upstream's host name.
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
