//! TLS on both legs of a session, with the words that PostgreSQL and libpq use for it.
//!
//! Nothing but the files on disk decides what a certificate is worth: [`load`](acceptor::Acceptor::load) reads them
//! again on each reload, and sessions that have begun keep what they began with.

mod acceptor;
mod connector;

use std::path::PathBuf;

pub(crate) use acceptor::Acceptor;
pub(crate) use connector::{Connector, Secured};
use pgtrack_connect::tls::ALPN_PROTOCOL;
pub use pgtrack_connect::tls::{RootCertificates, SslMode, SslNegotiation, TlsError, UpstreamTls};
pub(crate) use pgtrack_connect::tls::{common_name, end_point, subject};

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
