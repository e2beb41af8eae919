//! What the proxy needs to know to run; whoever starts it reads the values from a file or a command line.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::{ClientTls, Upstream, UpstreamTls, VerifierSource};

/// The settings of a [`Proxy`](crate::Proxy).
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to accept clients; port 0 takes a free one.
    pub listen: Vec<SocketAddr>,
    /// The PostgreSQL server that sessions go to.
    pub upstream: Upstream,
    /// How much time a new connection has, all in all, until the client has asked for a session and the
    /// upstream has begun to answer. How long authentication may take from there on is the server's
    /// decision (`authentication_timeout`).
    pub startup_timeout: Duration,
    /// How long dialling the upstream may take, over all its addresses.
    pub connect_timeout: Duration,
    /// How long busy sessions may go on after a shutdown was asked for.
    pub drain_timeout: Duration,
    /// How many sessions may be open at the same time; cancel requests do not count.
    pub max_sessions: usize,
    /// TLS with clients.
    pub client_tls: ClientTls,
    /// TLS with the upstream.
    pub upstream_tls: UpstreamTls,
    /// Where to find SCRAM verifiers, which sessions need whose two legs are encrypted with different certificates.
    pub verifiers: Option<VerifierSource>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 6432))],
            upstream: Upstream { host: "localhost".into(), port: 5432 },
            startup_timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            max_sessions: 10_000,
            client_tls: ClientTls::default(),
            upstream_tls: UpstreamTls::default(),
            verifiers: None,
        }
    }
}
