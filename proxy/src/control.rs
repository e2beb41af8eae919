//! What can be asked and told while the proxy runs.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Notify;
use tracing::warn;

use crate::shared::Shared;
use crate::{Config, Counters, Error, ProbeRole, Role, Upstream, Watch, uplink};

/// A handle on a running proxy.
pub struct Control {
    current: RwLock<Arc<Shared>>,
    reloaded: Notify,
}

impl Control {
    pub(crate) fn new(shared: Shared) -> Self {
        Self { current: RwLock::new(Arc::new(shared)), reloaded: Notify::new() }
    }

    /// Connections from now on are served by this configuration, and by what is in the files that it names now; those
    /// that are open keep theirs. Where to listen, and the number of threads, only change with a restart.
    ///
    /// # Errors
    /// [`Error::Tls`] and [`Error::Verifiers`] when a file cannot be used; then nothing changes.
    pub fn reload(&self, config: Config) -> Result<(), Error> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let reloaded = current.with_config(config)?;
        let (old, config) = (&current.config, &reloaded.config);
        if (&config.listen, config.listen_options, config.threads)
            != (&old.listen, old.listen_options, old.threads)
        {
            warn!(
                "where to listen and the number of threads change only when the proxy is restarted"
            );
        }
        *current = Arc::new(reloaded);
        current.provisioner.renew_soon();
        self.reloaded.notify_one();
        Ok(())
    }

    /// What the proxy has done since it was started.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.current().counters)
    }

    /// How many sessions are open.
    pub fn open_sessions(&self) -> usize {
        self.current().open_sessions.count()
    }

    /// The servers whose role matters, with what they last said; `None` when they could not be asked.
    pub fn roles(&self) -> Vec<(Upstream, Option<Role>)> {
        self.current().roles.all()
    }

    /// What watches the sessions, if they are watched.
    pub fn watch(&self) -> Option<Arc<Watch>> {
        self.current().watch.get().cloned()
    }

    /// The databases that could not be prepared for tracking, by name.
    pub fn unprepared_databases(&self) -> Vec<String> {
        self.current().provisioner.failed()
    }

    /// Connects to every upstream and back off again. Returns those that cannot be reached and why, by the name of
    /// their database; `None` is the default.
    pub async fn unreachable_upstreams(&self) -> Vec<(Option<String>, Error)> {
        let shared = self.current();
        let named = shared.config.databases.iter().map(|(name, target)| (Some(name), target));
        let mut unreachable = Vec::new();
        for (name, target) in named.chain([(None, &shared.config.upstream)]) {
            if let Err(error) = uplink::connect(target, &shared).await {
                unreachable.push((name.cloned(), error));
            }
        }
        unreachable
    }

    pub(crate) fn current(&self) -> Arc<Shared> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the servers of the current configuration for their roles. Never ends.
    pub(crate) async fn keep_probing(&self, probe: Arc<dyn ProbeRole>) {
        loop {
            let shared = self.current();
            tokio::select! {
                () = shared.roles.keep_probing(Arc::clone(&shared.config), Arc::clone(&probe)) => {}
                () = self.reloaded.notified() => {}
            }
        }
    }
}
