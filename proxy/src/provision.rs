//! Has each database prepared once, when it is first used through the proxy.
//!
//! The preparation runs beside the sessions and never holds one up: the relay works the same when it fails.

use std::collections::HashMap;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::SigningKey;

/// How long a database that could not be prepared is left alone.
const RETRY_AFTER: Duration = Duration::from_mins(1);

/// Why a database could not be prepared.
pub type ProvisionError = Box<dyn Error + Send + Sync>;

/// A preparation under way.
pub type Provisioning =
    Pin<Box<dyn Future<Output = Result<Option<SigningKey>, ProvisionError>> + Send>>;

/// Prepares databases for tracking. Any function from a database's name to a future does.
pub trait Provision: Send + Sync + 'static {
    /// Makes the database of this name ready; it may be ready already. Returns the key that what is said about its
    /// clients is signed with, if it has one.
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
    Ready(Option<SigningKey>),
    Failed { at: Instant },
}

impl Provisioner {
    /// Preparations will run on the current runtime.
    pub(crate) fn new(provision: Arc<dyn Provision>) -> Self {
        Self { provision, runtime: Handle::current(), databases: Mutex::default() }
    }

    /// Starts the preparation of a database unless it is under way, was done, or failed a moment ago.
    pub(crate) fn ensure(self: &Arc<Self>, database: &str) -> Option<JoinHandle<()>> {
        let mut states = self.states();
        let has_failed = match states.get(database) {
            None => false,
            Some(State::Failed { at }) if at.elapsed() >= RETRY_AFTER => true,
            Some(_) => return None,
        };
        states.insert(database.to_owned(), State::Running);
        drop(states);
        Some(self.runtime.spawn(Arc::clone(self).run(database.to_owned(), has_failed)))
    }

    async fn run(self: Arc<Self>, database: String, has_failed: bool) {
        let provision = Arc::clone(&self.provision);
        let name = database.clone();
        // A task of its own, so that even a panic is only a failure.
        let attempt = tokio::spawn(async move { provision.provision(name).await });
        let result = attempt.await.unwrap_or_else(|panic| Err(panic.into()));
        // First the state, then the news of it.
        match result {
            Ok(key) => {
                self.states().insert(database.clone(), State::Ready(key));
                info!(database, "database is ready for tracking");
            }
            Err(error) => {
                self.states().insert(database.clone(), State::Failed { at: Instant::now() });
                report_failure(&database, error.as_ref(), has_failed);
            }
        }
    }

    /// The key to sign with what is said about clients of a database, once that is ready.
    pub(crate) fn signing_key(&self, database: &str) -> Option<SigningKey> {
        match self.states().get(database)? {
            State::Ready(key) => key.clone(),
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
