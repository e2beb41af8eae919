//! The proxy as a whole: bound listeners, what all sessions share, start and shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::provision::Provisioner;
use crate::{Config, Counters, Error, Provision, Security, listener, session};

/// How many cancel requests are forwarded at the same time; others wait for a moment.
/// Each is a connection to the upstream that nobody has authenticated.
const CONCURRENT_CANCELS: usize = 32;

/// A proxy that listens, but does not accept connections yet.
pub struct Proxy {
    listeners: Vec<(TcpListener, SocketAddr)>,
    shared: Arc<Shared>,
}

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) security: Arc<Security>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) provisioner: Arc<Provisioner>,
    pub(crate) session_permits: Semaphore,
    pub(crate) cancel_permits: Semaphore,
    /// The upstream is a pooler that ends sessions for our context; it is not sent any more.
    pub(crate) context_refused: AtomicBool,
}

impl Proxy {
    /// Binds all addresses. Databases are prepared with `provision` when they are first used.
    ///
    /// # Errors
    /// [`Error::Listen`] when an address cannot be bound, [`Error::Tls`] and [`Error::Verifiers`] when a file cannot
    /// be used.
    pub async fn bind(config: Config, provision: Arc<dyn Provision>) -> Result<Self, Error> {
        let security = Arc::new(Security::load(&config)?);
        let mut listeners = Vec::with_capacity(config.listen.len());
        for &address in &config.listen {
            let failed = |source| Error::Listen { address, source };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            listeners.push((listener, bound));
        }
        let shared = Shared {
            security,
            counters: Arc::default(),
            provisioner: Arc::new(Provisioner::new(provision)),
            session_permits: Semaphore::new(config.max_sessions.min(Semaphore::MAX_PERMITS)),
            cancel_permits: Semaphore::new(CONCURRENT_CANCELS),
            context_refused: AtomicBool::new(false),
            config,
        };
        Ok(Self { listeners, shared: Arc::new(shared) })
    }

    /// The addresses it listens on, in the order of the configuration, with the ports that were taken.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|(_, address)| *address).collect()
    }

    /// The counters, which go on counting while the proxy runs.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// What it does about encryption and authentication, to be reloaded while the proxy runs.
    pub fn security(&self) -> Arc<Security> {
        Arc::clone(&self.shared.security)
    }

    /// Serves clients until `shutdown` is cancelled and all sessions have ended.
    ///
    /// Idle sessions end at once, busy ones when they become idle or [`Config::drain_timeout`] is over.
    ///
    /// # Cancel safety
    /// Dropping the future ends all sessions immediately.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut listeners = JoinSet::new();
        for (listener, address) in self.listeners {
            info!(%address, upstream = %self.shared.config.upstream, "accepting connections");
            let shared = Arc::clone(&self.shared);
            let shutdown = shutdown.clone();
            listeners.spawn(async move {
                let serve = |stream, address| {
                    session::serve(stream, address, Arc::clone(&shared), shutdown.child_token())
                };
                listener::run(listener, shutdown.clone(), &shared.counters, serve).await;
            });
        }
        while listeners.join_next().await.is_some() {}
    }
}
