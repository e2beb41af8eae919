//! What the proxy needs to know to run; whoever starts it reads the values from a file or a command line.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use ipnet::IpNet;

use crate::security::Security;
use crate::{
    ClientTls, Error, Guard, ListenAddress, ListenOptions, Liveness, SessionLimits, Target,
    Upstream, UpstreamTls, VerifierSource,
};

/// The settings of a [`Proxy`](crate::Proxy).
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to accept clients.
    pub listen: Vec<ListenAddress>,
    /// How to bind there.
    pub listen_options: ListenOptions,
    /// How many threads serve sessions. Few that are busy cost less than many that are not; the default leaves
    /// half of the processors to a PostgreSQL on the same machine.
    pub threads: usize,
    /// Where sessions go whose database is not named in [`databases`](Self::databases).
    pub upstream: Target,
    /// Where the sessions of some databases go, by name.
    pub databases: BTreeMap<String, Target>,
    /// When connections to clients and servers are given up.
    pub liveness: Liveness,
    /// The networks of load balancers that put a PROXY protocol header in front of each connection. Those must;
    /// connections from elsewhere must not.
    pub proxy_protocol_from: Vec<IpNet>,
    /// How much time a new connection has, all in all, until the client has asked for a session and the
    /// upstream has begun to answer. How long authentication may take from there on is the server's
    /// decision (`authentication_timeout`).
    pub startup_timeout: Duration,
    /// How long dialling a server may take, over all its addresses.
    pub connect_timeout: Duration,
    /// How long busy sessions may go on after a shutdown was asked for.
    pub drain_timeout: Duration,
    /// How many sessions may be open at the same time; cancel requests do not count.
    pub limits: SessionLimits,
    /// TLS with clients.
    pub client_tls: ClientTls,
    /// TLS with the upstreams.
    pub upstream_tls: UpstreamTls,
    /// Where to find SCRAM verifiers, which sessions need whose two legs are encrypted with different certificates.
    pub verifiers: Option<VerifierSource>,
    /// What sessions may not do.
    pub guard: Guard,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 6432)).into()],
            listen_options: ListenOptions::default(),
            threads: default_threads(),
            upstream: Upstream { host: "localhost".into(), port: 5432 }.into(),
            databases: BTreeMap::new(),
            liveness: Liveness::default(),
            proxy_protocol_from: Vec::new(),
            startup_timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
            limits: SessionLimits::default(),
            client_tls: ClientTls::default(),
            upstream_tls: UpstreamTls::default(),
            verifiers: None,
            guard: Guard::default(),
        }
    }
}

impl Config {
    /// Whether the files that it names are there and can be used.
    ///
    /// # Errors
    /// [`Error::Tls`] and [`Error::Verifiers`] for the first that cannot.
    pub fn check(&self) -> Result<(), Error> {
        Security::load(self).map(|_| ())
    }

    /// Where the sessions of a database go.
    pub(crate) fn target(&self, database: Option<&[u8]>) -> &Target {
        let name = database.and_then(|name| std::str::from_utf8(name).ok());
        name.and_then(|name| self.databases.get(name)).unwrap_or(&self.upstream)
    }

    /// Every server there is.
    pub(crate) fn servers(&self) -> BTreeSet<Upstream> {
        self.targets().flat_map(|target| &target.servers).cloned().collect()
    }

    /// Every server whose role matters.
    pub(crate) fn servers_with_roles(&self) -> BTreeSet<Upstream> {
        let targets = self.targets().filter(|target| target.needs_roles());
        targets.flat_map(|target| &target.servers).cloned().collect()
    }

    fn targets(&self) -> impl Iterator<Item = &Target> {
        self.databases.values().chain([&self.upstream])
    }
}

fn default_threads() -> usize {
    thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).clamp(1, 16))
}
