//! Looks what became of tables in databases that have no event triggers, because nobody there is a superuser.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pgtrack_connect::Settings;
use pgtrack_proxy::Provision;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::upstreams::Upstreams;

/// How long a look may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a database is left alone that has event triggers.
const FOLLOWED_BY_ITSELF: Duration = Duration::from_mins(10);

/// Looks at databases, each as often as there is a reason to.
#[derive(Clone)]
pub(crate) struct Follower {
    upstreams: Arc<Upstreams>,
    /// Between two looks without a reason; zero for none.
    period: Duration,
    runtime: Handle,
    databases: Arc<Mutex<HashMap<String, Arc<Notify>>>>,
}

impl Follower {
    /// Will look on the current runtime.
    pub(crate) fn new(upstreams: Upstreams, period: Duration) -> Self {
        let (runtime, databases) = (Handle::current(), Arc::default());
        Self { upstreams: Arc::new(upstreams), period, runtime, databases }
    }

    /// Something was defined in a database, or it is new. Does not wait.
    pub(crate) fn look_at(&self, database: &str) {
        let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = databases.get(database) {
            return reason.notify_one();
        }
        if let Entry::Vacant(place) = databases.entry(database.to_owned()) {
            let reason = Arc::clone(place.insert(Arc::default()));
            reason.notify_one();
            let settings = self.upstreams.settings(database);
            self.runtime.spawn(follow(database.to_owned(), settings, self.period, reason));
        }
    }

    fn knows(&self, database: &str) -> bool {
        let databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
        databases.contains_key(database)
    }

    /// Looks at each database once it has been prepared for the first time.
    pub(crate) fn after(&self, provision: Arc<dyn Provision>) -> Arc<dyn Provision> {
        let follower = self.clone();
        Arc::new(move |name: String| {
            let (follower, provisioning) = (follower.clone(), provision.provision(name.clone()));
            async move {
                let key = provisioning.await?;
                if !follower.knows(&name) {
                    follower.look_at(&name);
                }
                Ok(key)
            }
        })
    }
}

/// Looks at one database whenever there is a reason. Reasons that come meanwhile are one.
async fn follow(database: String, settings: Settings, period: Duration, reason: Arc<Notify>) {
    let mut last_report = Vec::new();
    let (mut has_event_triggers, mut last_error) = (false, None);
    loop {
        if has_event_triggers || period.is_zero() {
            reason.notified().await;
        } else {
            // That time has passed is a reason, too.
            let _ = timeout(period, reason.notified()).await;
        }
        let looked = timeout(PATIENCE, look(&settings)).await;
        let error = match looked.unwrap_or_else(|_| Err("it takes too long".into())) {
            Ok(None) => {
                has_event_triggers = true;
                sleep(FOLLOWED_BY_ITSELF).await;
                None
            }
            Ok(Some(report)) => {
                has_event_triggers = false;
                // What cannot be followed is said once.
                for news in report.iter().filter(|news| !last_report.contains(*news)) {
                    let (table, status) = (&news.table, &news.status);
                    if news.is_done {
                        info!(database, table, status, "followed DDL");
                    } else {
                        warn!(database, table, status, "could not follow DDL");
                    }
                }
                last_report = report;
                None
            }
            Err(error) => Some(error),
        };
        if let Some(error) = error.as_ref().filter(|_| error != last_error) {
            warn!(database, error, "could not look what became of tables");
        }
        last_error = error;
    }
}

async fn look(settings: &Settings) -> Result<Option<Vec<pgtrack_tracker::Followed>>, String> {
    let client = pgtrack_connect::connect(settings).await.map_err(|error| error.to_string())?;
    pgtrack_tracker::follow_ddl(&client).await.map_err(|error| error.for_log())
}
