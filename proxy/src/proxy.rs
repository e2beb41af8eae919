//! The proxy as a whole: bound listeners, what all sessions share, start and shutdown.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::listen::BoundSocket;
use crate::provision::Provisioner;
use crate::workers::Workers;
use crate::{Config, Counters, Error, ListenAddress, Provision, listener, session};

/// How many cancel requests are forwarded at the same time; others wait for a moment.
/// Each is a connection to the upstream that nobody has authenticated.
const CONCURRENT_CANCELS: usize = 32;

/// A proxy that listens, but does not accept connections yet.
pub struct Proxy {
    listeners: Vec<(BoundSocket, ListenAddress)>,
    shared: Arc<Shared>,
}

/// What all sessions share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) counters: Arc<Counters>,
    pub(crate) provisioner: Arc<Provisioner>,
    pub(crate) session_permits: Semaphore,
    pub(crate) cancel_permits: Semaphore,
    /// The upstream is a pooler that ends sessions for our context; it is not sent any more.
    pub(crate) context_refused: AtomicBool,
}

impl Proxy {
    /// Binds all addresses. Databases are prepared with `provision` when they are first used, on the runtime
    /// that this is called on; sessions have threads of their own.
    ///
    /// # Errors
    /// [`Error::Listen`] when an address cannot be bound.
    pub async fn bind(config: Config, provision: Arc<dyn Provision>) -> Result<Self, Error> {
        let mut listeners = Vec::with_capacity(config.listen.len());
        for address in &config.listen {
            let socket = address
                .bind(config.listen_options)
                .await
                .map_err(|source| Error::Listen { address: address.clone(), source })?;
            let bound = socket.tcp_address().map_or_else(|| address.clone(), ListenAddress::Tcp);
            listeners.push((socket, bound));
        }
        let shared = Shared {
            counters: Arc::default(),
            provisioner: Arc::new(Provisioner::new(provision)),
            session_permits: Semaphore::new(config.max_sessions.min(Semaphore::MAX_PERMITS)),
            cancel_permits: Semaphore::new(CONCURRENT_CANCELS),
            context_refused: AtomicBool::new(false),
            config,
        };
        Ok(Self { listeners, shared: Arc::new(shared) })
    }

    /// The TCP addresses it listens on, in the order of the configuration, with the ports that were taken.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|(socket, _)| socket.tcp_address()).collect()
    }

    /// The counters, which go on counting while the proxy runs.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.shared.counters)
    }

    /// Serves clients until `shutdown` is cancelled and all sessions have ended.
    ///
    /// Idle sessions end at once, busy ones when they become idle or [`Config::drain_timeout`] is over.
    ///
    /// # Errors
    /// [`Error::Threads`] when the operating system gives no threads to serve them on.
    ///
    /// # Cancel safety
    /// Dropping the future ends all sessions immediately.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let shared = self.shared;
        let workers = Workers::start(shared.config.threads, &shared.counters);
        let workers = Arc::new(workers.map_err(Error::Threads)?);
        let mut listeners = JoinSet::new();
        for (socket, address) in self.listeners {
            info!(%address, upstream = %shared.config.upstream, "accepting connections");
            let (shared, shutdown) = (Arc::clone(&shared), shutdown.clone());
            let workers = Arc::clone(&workers);
            listeners.spawn(async move {
                let serve = |accepted| {
                    let session =
                        session::serve(accepted, Arc::clone(&shared), shutdown.child_token());
                    workers.serve(Box::new(|| Box::pin(session)));
                };
                listener::run(socket, shutdown.clone(), &shared.counters, serve).await;
            });
        }
        while listeners.join_next().await.is_some() {}
        if let Some(workers) = Arc::into_inner(workers) {
            workers.finish().await;
        }
        Ok(())
    }
}
