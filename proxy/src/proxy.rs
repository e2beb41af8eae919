//! The proxy as a whole: bound listeners, start and shutdown.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::control::Control;
use crate::listen::BoundSocket;
pub(crate) use crate::shared::Shared;
use crate::workers::Workers;
use crate::{
    Config, Counters, Error, ListenAddress, ProbeRole, Provision, Watch, listener, session,
};

/// A proxy that listens, but does not accept connections yet.
pub struct Proxy {
    listeners: Vec<(BoundSocket, ListenAddress)>,
    control: Arc<Control>,
    probe: Option<Arc<dyn ProbeRole>>,
}

impl Proxy {
    /// Binds all addresses. Databases are prepared with `provision` when they are first used, on the runtime
    /// that this is called on; sessions have threads of their own.
    ///
    /// # Errors
    /// [`Error::Listen`] when an address cannot be bound, [`Error::Tls`] and [`Error::Verifiers`] when a file cannot be
    /// used.
    pub async fn bind(config: Config, provision: Arc<dyn Provision>) -> Result<Self, Error> {
        let shared = Shared::new(config, provision)?;
        let config = Arc::clone(&shared.config);
        let mut listeners = Vec::with_capacity(config.listen.len());
        for address in &config.listen {
            let socket = address
                .bind(config.listen_options, config.liveness)
                .await
                .map_err(|source| Error::Listen { address: address.clone(), source })?;
            let bound = socket.tcp_address().map_or_else(|| address.clone(), ListenAddress::Tcp);
            listeners.push((socket, bound));
        }
        let control = Arc::new(Control::new(shared));
        Ok(Self { listeners, control, probe: None })
    }

    /// Says how servers are asked for their roles. Without this, only targets that take any server have one.
    #[must_use]
    pub fn with_probe(self, probe: Arc<dyn ProbeRole>) -> Self {
        Self { probe: Some(probe), ..self }
    }

    /// Has sessions watched. Without this, no call is recorded and there are no guard rails.
    #[must_use]
    pub fn with_watch(self, watch: Arc<Watch>) -> Self {
        // It is the first: nothing else sets it.
        let _ = self.control.current().watch.set(watch);
        self
    }

    /// Prepares a database before the first session uses it, so that already that session's changes are attributed.
    /// Gives up waiting, not trying, after a while.
    pub async fn prepare(&self, database: &str, patience: Duration) {
        if let Some(attempt) = self.control.current().provisioner.ensure(database) {
            // It says itself how it ended.
            let _ = timeout(patience, attempt).await;
        }
    }

    /// The TCP addresses it listens on, in the order of the configuration, with the ports that were taken.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|(socket, _)| socket.tcp_address()).collect()
    }

    /// The counters, which go on counting while the proxy runs.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.control.current().counters)
    }

    /// What can be asked and told while the proxy runs.
    pub fn control(&self) -> Arc<Control> {
        Arc::clone(&self.control)
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
        let shared = self.control.current();
        let abort = CancellationToken::new();
        let workers = Workers::start(shared.config.threads, &shared.counters, &abort);
        let workers = Arc::new(workers.map_err(Error::Threads)?);
        let _ends_everything = abort.drop_guard();
        let mut probing = JoinSet::new();
        if let Some(probe) = self.probe {
            let control = Arc::clone(&self.control);
            probing.spawn(async move { control.keep_probing(probe).await });
        }
        // Nothing is ever sent: the channel closes when the last listener has ended.
        let (on_end, mut ended) = mpsc::channel::<Infallible>(1);
        for (socket, address) in self.listeners {
            info!(%address, upstream = %shared.config.upstream, "accepting connections");
            let (control, shutdown) = (Arc::clone(&self.control), shutdown.clone());
            let (its_workers, on_end) = (Arc::clone(&workers), on_end.clone());
            // On the threads of the sessions, to be spared a change of threads for each of them.
            workers.serve(Box::new(|| {
                Box::pin(async move {
                    accept(socket, &address, &control, &its_workers, shutdown).await;
                    drop((its_workers, on_end));
                })
            }));
        }
        drop(on_end);
        ended.recv().await;
        if let Some(workers) = Arc::into_inner(workers) {
            workers.finish().await;
        }
        Ok(())
    }
}

/// Accepts connections on a socket until `shutdown`, and has them served.
async fn accept(
    socket: BoundSocket,
    address: &ListenAddress,
    control: &Control,
    workers: &Workers,
    shutdown: CancellationToken,
) {
    let acceptor = match socket.accept() {
        Ok(acceptor) => acceptor,
        Err(error) => return error!(%address, %error, "cannot accept connections"),
    };
    let serve = |accepted| {
        let session = session::serve(accepted, control.current(), shutdown.child_token());
        workers.serve(Box::new(|| Box::pin(session)));
    };
    listener::run(acceptor, shutdown.clone(), &control.counters(), serve).await;
}
