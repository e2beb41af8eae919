//! Plans are worked out in the background, as they may take longer than a page. The page waits for a moment; then it shows
//! how far the plan is, and is loaded again until the plan is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pgtrack_tracker::Error;
use pgtrack_tracker::revert::{OnConflict, Plan, Target};
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::{Confirmation, Subject};
use crate::app_error::AppError;
use crate::connections::Opened;
use crate::reading;
use crate::rules::Rules;
use crate::state::AppState;
use crate::store::failed;
use crate::view::plan::Refusal;
use crate::visit::SignedIn;
use crate::words::problem::Text;

/// What takes longer is not waited for with an empty page.
pub(crate) const PAGE: Duration = Duration::from_secs(10);
/// How long a page waits before it shows how far it is.
pub(super) const PATIENCE: Duration = Duration::from_secs(4);
/// How long a plan waits for the person who asked for it.
const KEPT: Duration = Duration::from_mins(10);
/// Each has a session of its own.
const MOST_RUNNING: usize = 5;

/// Whose plan it is, and of what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    account: i64,
    connection: String,
    subject: String,
}

impl Key {
    pub(crate) fn new(person: &SignedIn, opened: &Opened, subject: &Subject) -> Self {
        Self {
            account: person.account.id,
            connection: opened.info.slug.clone(),
            subject: subject.query(),
        }
    }
}

/// What the preview says besides the plan, where it is shown again: why, and what was filled in.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) refusal: Option<Refusal>,
    pub(crate) confirmation: Confirmation,
}

/// A plan that is being worked out, or waits to be shown.
#[derive(Debug)]
pub(crate) struct Planning {
    begun: Instant,
    /// The server's process.
    process: OnceLock<i32>,
    cancelled: CancellationToken,
    /// Also of one that went wrong.
    finished: CancellationToken,
    result: Mutex<Option<Ready>>,
}

/// One that waits to be shown.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) plan: Result<Plan, AppError>,
    pub(crate) draft: Draft,
    /// How long it took.
    pub(crate) took: Duration,
    at: Instant,
}

/// What a plan is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A session.
    Connecting,
    /// Somebody holds a lock.
    Locked,
    /// It counts.
    Counting,
}

impl Planning {
    /// Waits until a page would have to show something; whether the plan is there then.
    pub(crate) async fn is_ready(&self) -> bool {
        let patience = PATIENCE.saturating_sub(self.begun.elapsed());
        timeout(patience, self.finished.cancelled()).await.is_ok() || self.finished.is_cancelled()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// What it is doing, as another session sees it.
    pub(crate) async fn phase(&self, client: &Client) -> Result<Phase, Error> {
        let Some(process) = self.process.get() else { return Ok(Phase::Connecting) };
        let query = "SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'";
        let waiting = client
            .query_opt(query, &[process])
            .await
            .map_err(failed("look what a plan is waiting for"))?;
        Ok(if waiting.is_some() { Phase::Locked } else { Phase::Counting })
    }

    async fn work(
        &self,
        opened: &Opened,
        rules: &Rules,
        target: &Target,
        on_conflict: OnConflict,
    ) -> Result<Plan, AppError> {
        let client = opened.database.session().await?;
        client
            .batch_execute(
                "SET default_transaction_read_only = on; SET jit = off; SET statement_timeout = '1h'; SET lock_timeout = '10min'",
            )
            .await
            .map_err(failed("begin a plan"))?;
        let_go_when_nobody_listens(&client).await;
        let process = client
            .query_one("SELECT pg_backend_pid()", &[])
            .await
            .map_err(failed("begin a plan"))?;
        let _ = self.process.set(process.get(0));
        reading::plan(&client, rules, target, on_conflict).await
    }

    fn result(&self) -> MutexGuard<'_, Option<Ready>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_forgotten(&self) -> bool {
        self.result().as_ref().is_some_and(|ready| ready.at.elapsed() > KEPT)
    }
}

/// Lets the server end what a session does as soon as the session is given up. Not every system can tell; there the
/// time limits hold.
pub(crate) async fn let_go_when_nobody_listens(client: &Client) {
    let _ = client.batch_execute("SET client_connection_check_interval = '1s'").await;
}

/// All that are being worked out, or wait to be shown.
#[derive(Debug, Default)]
pub(crate) struct Plannings(Mutex<HashMap<Key, Arc<Planning>>>);

impl Plannings {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Arc<Planning>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The one that was begun, if it has not been shown yet.
    pub(crate) fn find(&self, key: &Key) -> Option<Arc<Planning>> {
        self.all().get(key).cloned()
    }

    /// Begins a plan, in the place of an earlier one.
    pub(crate) fn begin(
        &self,
        state: &AppState,
        key: &Key,
        (opened, rules, target): (Arc<Opened>, Arc<Rules>, Target),
        draft: Draft,
    ) -> Result<Arc<Planning>, AppError> {
        let planning = Arc::new(Planning {
            begun: Instant::now(),
            process: OnceLock::new(),
            cancelled: state.shutdown.child_token(),
            finished: CancellationToken::new(),
            result: Mutex::default(),
        });
        let mut all = self.all();
        all.retain(|_, one| !one.is_forgotten());
        let is_running = |(other, one): &(&Key, &Arc<Planning>)| {
            *other != key && other.connection == key.connection && !one.finished.is_cancelled()
        };
        if all.iter().filter(is_running).count() >= MOST_RUNNING {
            return Err(AppError::TooMany(Text::PlansRunning));
        }
        if let Some(earlier) = all.insert(key.clone(), planning.clone()) {
            earlier.cancelled.cancel();
        }
        drop(all);
        let task = planning.clone();
        let on_conflict = draft.confirmation.manner().on_conflict;
        tokio::spawn(async move {
            // Whoever waits is told, however it ends.
            let _finished = task.finished.clone().drop_guard();
            let plan = tokio::select! {
                plan = task.work(&opened, &rules, &target, on_conflict) => plan,
                () = task.cancelled.cancelled() => return,
            };
            let (took, at) = (task.begun.elapsed(), Instant::now());
            *task.result() = Some(Ready { plan, draft, took, at });
        });
        Ok(planning)
    }

    /// Takes a plan that is ready to be shown; `None` if it was shown, cancelled or lost.
    pub(crate) fn take(&self, key: &Key, planning: &Arc<Planning>) -> Option<Ready> {
        let mut all = self.all();
        if all.get(key).is_some_and(|one| Arc::ptr_eq(one, planning)) {
            all.remove(key);
        }
        planning.result().take()
    }

    /// Ends a plan; nothing is left of it.
    pub(crate) fn cancel(&self, key: &Key) {
        if let Some(planning) = self.all().remove(key) {
            planning.cancelled.cancel();
        }
    }
}
