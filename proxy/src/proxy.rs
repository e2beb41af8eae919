//! The proxy as a whole: bound listeners, start and shutdown.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::control::Control;
use crate::listen::BoundSocket;
pub(crate) use crate::shared::Shared;
use crate::workers::Workers;
use crate::{Config, Counters, Error, ListenAddress, ProbeRole, Provision, listener, session};

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
        let control = Arc::new(Control::new(Shared::new(config, provision)));
        Ok(Self { listeners, control, probe: None })
    }

    /// Says how servers are asked for their roles. Without this, only targets that take any server have one.
    #[must_use]
    pub fn with_probe(self, probe: Arc<dyn ProbeRole>) -> Self {
        Self { probe: Some(probe), ..self }
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
        let workers = Workers::start(shared.config.threads, &shared.counters);
        let workers = Arc::new(workers.map_err(Error::Threads)?);
        let mut probing = JoinSet::new();
        if let Some(probe) = self.probe {
            let control = Arc::clone(&self.control);
            probing.spawn(async move { control.keep_probing(probe).await });
        }
        let mut listeners = JoinSet::new();
        for (socket, address) in self.listeners {
            info!(%address, upstream = %shared.config.upstream, "accepting connections");
            let (control, shutdown) = (Arc::clone(&self.control), shutdown.clone());
            let (workers, counters) = (Arc::clone(&workers), Arc::clone(&shared.counters));
            listeners.spawn(async move {
                let serve = |accepted| {
                    let session =
                        session::serve(accepted, control.current(), shutdown.child_token());
                    workers.serve(Box::new(|| Box::pin(session)));
                };
                listener::run(socket, shutdown.clone(), &counters, serve).await;
            });
        }
        while listeners.join_next().await.is_some() {}
        if let Some(workers) = Arc::into_inner(workers) {
            workers.finish().await;
        }
        Ok(())
    }
}
