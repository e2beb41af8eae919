//! Has each database prepared when it is first used through the proxy, and looked at again now and then: the key that
//! signs what is said about its clients may have been replaced, and its server's clock may have been set.
//!
//! The preparation runs beside the sessions and never holds one up: the relay works the same when it fails.

use std::collections::HashMap;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::SigningKey;

/// How long a database that could not be prepared is left alone.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// After how long a session has a database looked at again. The session itself is signed with what was known before.
const STALE_AFTER: Duration = Duration::from_mins(1);

/// How often each database is looked at again that no session uses meanwhile.
const RENEW_EVERY: Duration = Duration::from_mins(10);

/// Why a database could not be prepared.
pub type ProvisionError = Box<dyn Error + Send + Sync>;

/// A preparation under way.
pub type Provisioning =
    Pin<Box<dyn Future<Output = Result<Option<SigningKey>, ProvisionError>> + Send>>;

/// Prepares databases for tracking. Any function from a database's name to a future does.
pub trait Provision: Send + Sync + 'static {
    /// Makes the database of this name ready; it may be ready already, and is asked for again now and then. Returns the
    /// key that what is said about its clients is signed with, if it has one.
    fn provision(&self, database: String) -> Provisioning;
}

impl<F, Fut> Provision for F
where
    F: Fn(String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Option<SigningKey>, ProvisionError>> + Send + 'static,
{
    fn provision(&self, database: String) -> Provisioning {
        Box::pin(self(database))
    }
}

/// Remembers which databases were prepared. It holds only names that a session was admitted to.
pub(crate) struct Provisioner {
    provision: Arc<dyn Provision>,
    /// Where it runs: not on the threads of the sessions.
    runtime: Handle,
    databases: Mutex<HashMap<String, State>>,
}

#[derive(Debug)]
enum State {
    Running,
    Ready {
        key: Option<SigningKey>,
        /// When it was last looked at.
        at: Instant,
        is_renewing: bool,
    },
    Failed {
        at: Instant,
    },
}

impl Provisioner {
    /// Preparations will run on the current runtime.
    pub(crate) fn start(provision: Arc<dyn Provision>) -> Arc<Self> {
        let runtime = Handle::current();
        let this = Arc::new(Self { provision, runtime, databases: Mutex::default() });
        this.runtime.spawn(keep_renewing(Arc::downgrade(&this)));
        this
    }

    /// Starts the preparation of a database unless it is under way, was done or failed a moment ago.
    pub(crate) fn ensure(self: &Arc<Self>, database: &str) -> Option<JoinHandle<()>> {
        let mut states = self.states();
        let has_failed = match states.get_mut(database) {
            None => false,
            Some(State::Failed { at }) if at.elapsed() >= RETRY_AFTER => true,
            Some(State::Ready { at, is_renewing, .. })
                if !*is_renewing && at.elapsed() >= STALE_AFTER =>
            {
                *is_renewing = true;
                drop(states);
                return Some(self.runtime.spawn(Arc::clone(self).renew(database.to_owned())));
            }
            Some(_) => return None,
        };
        states.insert(database.to_owned(), State::Running);
        drop(states);
        Some(self.runtime.spawn(Arc::clone(self).run(database.to_owned(), has_failed)))
    }

    async fn run(self: Arc<Self>, database: String, has_failed: bool) {
        // First the state, then the news of it.
        match self.attempt(&database).await {
            Ok(key) => {
                self.states().insert(database.clone(), State::ready(key));
                info!(database, "database is ready for tracking");
            }
            Err(error) => {
                self.states().insert(database.clone(), State::Failed { at: Instant::now() });
                report_failure(&database, error.as_ref(), has_failed);
            }
        }
    }

    /// Looks at a database again that was ready. While it cannot be asked, what was known before stays.
    async fn renew(self: Arc<Self>, database: String) {
        let renewed = self.attempt(&database).await;
        let mut states = self.states();
        let Some(State::Ready { key, at, is_renewing }) = states.get_mut(&database) else { return };
        (*at, *is_renewing) = (Instant::now(), false);
        match renewed {
            Ok(newest) => *key = newest,
            Err(error) => {
                debug!(database, error, "could not look at the database again");
            }
        }
    }

    /// Looks at all databases again, one after the other, that are ready.
    pub(crate) async fn renew_all(self: Arc<Self>) {
        let mut ready = Vec::new();
        for (database, state) in self.states().iter_mut() {
            if let State::Ready { is_renewing, .. } = state
                && !std::mem::replace(is_renewing, true)
            {
                ready.push(database.clone());
            }
        }
        for database in ready {
            Arc::clone(&self).renew(database).await;
        }
    }

    /// Has all databases looked at again soon.
    pub(crate) fn renew_soon(self: &Arc<Self>) {
        self.runtime.spawn(Arc::clone(self).renew_all());
    }

    async fn attempt(&self, database: &str) -> Result<Option<SigningKey>, ProvisionError> {
        let (provision, name) = (Arc::clone(&self.provision), database.to_owned());
        // A task of its own, so that even a panic is only a failure.
        let attempt = tokio::spawn(async move { provision.provision(name).await });
        attempt.await.unwrap_or_else(|panic| Err(panic.into()))
    }

    /// The key to sign with what is said about clients of a database, once that is ready.
    pub(crate) fn signing_key(&self, database: &str) -> Option<SigningKey> {
        match self.states().get(database)? {
            State::Ready { key, .. } => key.clone(),
            State::Running | State::Failed { .. } => None,
        }
    }

    /// The databases that could not be prepared.
    pub(crate) fn failed(&self) -> Vec<String> {
        let states = self.states();
        let failed = states.iter().filter(|(_, state)| matches!(state, State::Failed { .. }));
        failed.map(|(database, _)| database.clone()).collect()
    }

    fn states(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.databases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn ready(key: Option<SigningKey>) -> Self {
        Self::Ready { key, at: Instant::now(), is_renewing: false }
    }
}

/// Looks at all databases again from time to time, as long as somebody has the provisioner.
async fn keep_renewing(provisioner: Weak<Provisioner>) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match provisioner.upgrade() {
            Some(provisioner) => provisioner.renew_all().await,
            None => return,
        }
    }
}

/// Warns of the first failure only: somebody may have decided against tracking this database.
fn report_failure(database: &str, error: &(dyn Error + Send + Sync + 'static), has_failed: bool) {
    if has_failed {
        debug!(database, error, "database is still not ready for tracking");
    } else {
        warn!(
            database,
            error, "could not prepare the database: sessions work, but nothing is tracked"
        );
    }
}

#[cfg(test)]
mod tests;
