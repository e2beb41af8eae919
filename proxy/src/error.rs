//! What can go wrong, and whose fault it is.

use std::io;
use std::path::PathBuf;

use crate::{ListenAddress, ScramError, SessionAttrs, TlsError, Upstream, Violation};

/// Why the proxy could not start, or could not serve a connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address to listen on could not be bound.
    #[error("could not listen on {address}")]
    Listen {
        /// The address as configured.
        address: ListenAddress,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// The threads that serve sessions could not be started.
    #[error("could not start the threads that serve sessions")]
    Threads(#[source] io::Error),
    /// TLS is not configured as it should be.
    #[error("could not set up TLS")]
    Tls(#[from] TlsError),
    /// The file with SCRAM verifiers cannot be used.
    #[error("could not read the SCRAM verifiers in `{}`", path.display())]
    Verifiers {
        /// The file as configured.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: io::Error,
    },
    /// The client broke the protocol before its session began.
    #[error("the client sent {0}")]
    Violation(#[from] Violation),
    /// The client took too long to begin its session.
    #[error("the client sent no startup packet in time")]
    StartupTimeout,
    /// The connection to the client failed before its session began.
    #[error("lost the client before its session began")]
    LostClient(#[source] io::Error),
    /// The client and the proxy could not agree on TLS.
    #[error("the TLS handshake with the client failed")]
    TlsHandshake(#[source] io::Error),
    /// The client has not asked for TLS, and must.
    #[error("the client does not use TLS")]
    TlsRequired,
    /// The client has shown no certificate, and must.
    #[error("the client has no certificate")]
    ClientCertificateMissing,
    /// The client has shown the certificate of somebody else.
    #[error("the client's certificate is not for user `{user}`")]
    ClientCertificateName {
        /// Who the client wants to be.
        user: String,
    },
    /// The client can bind SCRAM to a certificate, but sees another than the server's.
    #[error(
        "the client can use SCRAM channel binding, which needs the server's certificate or verifiers"
    )]
    CannotBind,
    /// The client's part of a SCRAM exchange is wrong.
    #[error("could not authenticate the client")]
    Scram(#[from] ScramError),
    /// The upstream's part of a SCRAM exchange is wrong: it may not be the server that it pretends to be.
    #[error("the upstream could not prove that it knows the client's password")]
    UpstreamScram(#[source] ScramError),
    /// All sessions that the configuration allows are in use.
    #[error("too many sessions for `{setting}`")]
    TooManySessions {
        /// The setting that limits them.
        setting: &'static str,
    },
    /// All places for cancel requests are in use.
    #[error("too many cancel requests")]
    TooManyCancels,
    /// The upstream could not be reached, or did not answer the startup packet.
    #[error("could not connect to upstream `{upstream}`")]
    ConnectUpstream {
        /// Where it should be.
        upstream: Upstream,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// None of the servers is known to be what the configuration asks for.
    #[error("none of the servers `{servers}` is {session_attrs}")]
    NoSuitableUpstream {
        /// All that there are.
        servers: String,
        /// What one of them should be.
        session_attrs: SessionAttrs,
    },
    /// A load balancer did not say whom it speaks for.
    #[error("the load balancer sent no valid PROXY protocol header")]
    ProxyHeader,
    /// No session id could be made up.
    #[error("could not get random numbers")]
    Random(#[source] io::Error),
}

/// Whose fault an error is; decides how loudly it is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorSource {
    /// The client, or the network to it.
    Client,
    /// The PostgreSQL server, or the network to it.
    Upstream,
    /// The proxy itself, or its configuration.
    Internal,
}

impl Error {
    /// Whose fault it is.
    pub fn error_source(&self) -> ErrorSource {
        match self {
            Self::Violation(_)
            | Self::StartupTimeout
            | Self::LostClient(_)
            | Self::TlsHandshake(_)
            | Self::TlsRequired
            | Self::ClientCertificateMissing
            | Self::ClientCertificateName { .. }
            | Self::Scram(_) => ErrorSource::Client,
            Self::ConnectUpstream { .. }
            | Self::NoSuitableUpstream { .. }
            | Self::UpstreamScram(_) => ErrorSource::Upstream,
            Self::Listen { .. }
            | Self::Tls(_)
            | Self::Verifiers { .. }
            | Self::CannotBind
            | Self::Threads(_)
            | Self::ProxyHeader
            | Self::TooManySessions { .. }
            | Self::TooManyCancels
            | Self::Random(_) => ErrorSource::Internal,
        }
    }
}
