//! What can go wrong, and whose fault it is.

use std::io;

use crate::{ListenAddress, SessionAttrs, Upstream, Violation};

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
    /// The client broke the protocol before its session began.
    #[error("the client sent {0}")]
    Violation(#[from] Violation),
    /// The client took too long to begin its session.
    #[error("the client sent no startup packet in time")]
    StartupTimeout,
    /// The connection to the client failed before its session began.
    #[error("lost the client before its session began")]
    LostClient(#[source] io::Error),
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
            Self::Violation(_) | Self::StartupTimeout | Self::LostClient(_) => ErrorSource::Client,
            Self::ConnectUpstream { .. } | Self::NoSuitableUpstream { .. } => ErrorSource::Upstream,
            Self::Listen { .. }
            | Self::Threads(_)
            | Self::ProxyHeader
            | Self::TooManySessions { .. }
            | Self::TooManyCancels
            | Self::Random(_) => ErrorSource::Internal,
        }
    }
}
