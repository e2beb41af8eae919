//! Takes records from sessions, and writes them one after the other for each database.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tracing::{error, info, warn};

use super::protect::protect;
use super::spool::Record;
use super::{Call, CallId, CallOutcome, Spool, SpoolError, Target, store};
use crate::Error;

/// How long the database may take for a record before that goes to the file.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the database is tried again while records wait in the file.
const RETRY: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next record.
const IDLE: Duration = Duration::from_secs(30);
/// How many calls may wait for their record.
const MAX_WAITING: usize = 1024;

/// A connection under way.
pub type Connecting = Pin<Box<dyn Future<Output = Result<Client, ConnectError>> + Send>>;

type ConnectError = Box<dyn std::error::Error + Send + Sync>;

/// Why the database did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It could not be reached.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// It refused.
    #[error("{}", .0.chain())]
    Refused(#[from] Error),
}

impl DatabaseError {
    /// What a log may hold of it.
    pub fn for_log(&self) -> String {
        match self {
            Self::Connect(error) => error.to_string(),
            Self::Refused(error) => error.for_log(),
        }
    }

    fn sqlstate(&self) -> Option<&SqlState> {
        match self {
            Self::Refused(error) => error.sqlstate(),
            // The database may be none.
            Self::Connect(error) => {
                let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.as_ref());
                while let Some(error) = cause {
                    if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
                        return error.code();
                    }
                    cause = error.source();
                }
                None
            }
        }
    }
}

/// Records the calls that pass a proxy.
pub struct AuditLog(Arc<Shared>);

/// Why a call could not be recorded. Such a call must not be made.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// Too many others wait.
    #[error("too many calls wait for their audit record")]
    Busy,
    /// The database could not take it, and there is no file.
    #[error("the database takes no audit records")]
    Database,
    /// Neither the database nor the file could take it.
    #[error("the database takes no audit records")]
    Spool(#[from] SpoolError),
}

struct Shared {
    connect: Box<dyn Fn(String) -> Connecting + Send + Sync>,
    spool: Mutex<Option<Spool>>,
    workers: Mutex<HashMap<String, UnboundedSender<Job>>>,
    waiting: AtomicUsize,
    runtime: Handle,
}

enum Job {
    Begin(Timestamp, Box<Call>, oneshot::Sender<Result<(), NotRecorded>>),
    Finish(CallId, CallOutcome),
    Replay,
}

impl AuditLog {
    /// Begins on the current runtime, with what `spool` holds from before. `connect` connects to a database.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn start(
        connect: impl Fn(String) -> Connecting + Send + Sync + 'static,
        mut spool: Option<Spool>,
    ) -> Result<Self, SpoolError> {
        let waiting = match &mut spool {
            Some(spool) => spool.records()?,
            None => Vec::new(),
        };
        let shared = Arc::new(Shared {
            connect: Box::new(connect),
            spool: Mutex::new(spool),
            workers: Mutex::default(),
            waiting: AtomicUsize::new(0),
            runtime: Handle::current(),
        });
        for record in waiting {
            shared.send(record.database(), Job::Replay);
        }
        Ok(Self(shared))
    }

    /// Records a call; when this returns, the record is safe.
    ///
    /// # Errors
    /// When neither the database nor the file can take it.
    pub async fn begin(&self, call: Call) -> Result<(), NotRecorded> {
        let waiting = Waiting::enter(&self.0).ok_or(NotRecorded::Busy)?;
        let (reply, recorded) = oneshot::channel();
        let database = call.id.database.clone();
        self.0.send(&database, Job::Begin(Timestamp::now(), Box::new(call), reply));
        let recorded = recorded.await.unwrap_or(Err(NotRecorded::Database));
        drop(waiting);
        recorded
    }

    /// Tags a database's present state, and keeps tables that are going to be dropped, wholly or in part, as far as this
    /// role may do that to them. Returns whether it may do any of it; if not, nothing is done.
    ///
    /// # Errors
    /// When the database refuses, or cannot do it in a few seconds.
    pub async fn protect(
        &self,
        database: &str,
        user: &str,
        tag: &str,
        targets: &[Target],
    ) -> Result<bool, DatabaseError> {
        let client = (self.0.connect)(database.to_owned()).await?;
        protect(&client, user, tag, targets).await
    }

    /// Completes the record of a call, sooner or later.
    pub fn finish(&self, id: CallId, outcome: CallOutcome) {
        let database = id.database.clone();
        self.0.send(&database, Job::Finish(id, outcome));
    }
}

/// A place in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(shared: &'a Shared) -> Option<Self> {
        let place = Self(&shared.waiting);
        (shared.waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(place)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Hands a job to the worker of a database.
    fn send(self: &Arc<Self>, database: &str, job: Job) {
        let mut workers = lock(&self.workers);
        let job = match workers.get(database) {
            Some(worker) => match worker.send(job) {
                Ok(()) => return,
                Err(returned) => returned.0,
            },
            None => job,
        };
        let (worker, jobs) = unbounded_channel();
        // The receiver is right here.
        let _ = worker.send(job);
        workers.insert(database.to_owned(), worker);
        self.runtime.spawn(Worker::new(Arc::clone(self), database).run(jobs));
    }
}

/// Writes the records of one database, in order.
struct Worker {
    shared: Arc<Shared>,
    database: String,
    client: Option<Client>,
    has_failed: bool,
}

impl Worker {
    fn new(shared: Arc<Shared>, database: &str) -> Self {
        Self { shared, database: database.to_owned(), client: None, has_failed: false }
    }

    async fn run(mut self, mut jobs: UnboundedReceiver<Job>) {
        loop {
            let pause = if self.has_failed { RETRY } else { IDLE };
            let Ok(job) = timeout(pause, jobs.recv()).await else {
                self.client = None;
                if self.has_failed {
                    self.has_failed = self.replay().await.is_err();
                }
                continue;
            };
            match job {
                None => return,
                Some(Job::Replay) => self.has_failed = self.replay().await.is_err(),
                Some(Job::Begin(at, call, reply)) => {
                    let recorded = self.write(Record::Begin(at, call)).await;
                    // A session that has ended in the meantime has made no call, and its record says so.
                    let _ = reply.send(recorded);
                }
                Some(Job::Finish(id, outcome)) => {
                    let written = self.write(Record::Finish(id.clone(), outcome)).await;
                    if let Err(error) = written {
                        error!(?id, %error, "the outcome of a call is not recorded");
                    }
                }
            }
        }
    }

    /// Writes a record into the database, else into the file.
    async fn write(&mut self, record: Record) -> Result<(), NotRecorded> {
        // What waits in the file comes first: this may be about a call of which the record is there.
        let result = match self.replay().await {
            Ok(()) => self.store(&record, false).await,
            Err(Failed) => Err(Failed),
        };
        self.has_failed = result.is_err();
        if result.is_ok() {
            return Ok(());
        }
        self.with_spool(move |spool| spool.append(&record))
            .await
            .ok_or(NotRecorded::Database)??;
        Ok(())
    }

    /// Writes what waits in the file for this database.
    async fn replay(&mut self) -> Result<(), Failed> {
        let database = self.database.clone();
        let waiting = self
            .with_spool(|spool| if spool.is_empty() { Ok(Vec::new()) } else { spool.records() });
        let Some(waiting) = waiting.await else { return Ok(()) };
        let mut waiting = waiting.map_err(|error| {
            error!(%error, "audit records wait in a file that cannot be read");
            Failed
        })?;
        waiting.retain(|record| record.database() == database);
        let count = waiting.len();
        if waiting.is_empty() {
            return Ok(());
        }
        for record in &waiting {
            self.store(record, true).await?;
        }
        info!(database, count, "audit records that had waited are written");
        // Nobody else adds records of this database.
        let written =
            self.with_spool(move |spool| spool.retain(|record| record.database() != database));
        if let Some(Err(error)) = written.await {
            // They will be written again, which changes nothing.
            error!(%error, "cannot shorten the file of audit records");
        }
        Ok(())
    }

    /// Writes a record into the database.
    async fn store(&mut self, record: &Record, is_late: bool) -> Result<(), Failed> {
        let attempt = timeout(PATIENCE, self.try_store(record, is_late)).await;
        let error = match attempt {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => {
                warn!(database = self.database, "the database is too slow with an audit record");
                self.client = None;
                return Err(Failed);
            }
        };
        self.client = None;
        let is_nowhere = error.sqlstate().is_some_and(|state| {
            [
                &SqlState::UNDEFINED_TABLE,
                &SqlState::INVALID_SCHEMA_NAME,
                &SqlState::INVALID_CATALOG_NAME,
            ]
            .contains(&state)
        });
        if is_nowhere {
            // There is nothing to call there, either.
            warn!(database = self.database, error = error.for_log(), "the database has no audit");
            return Ok(());
        }
        warn!(
            database = self.database,
            error = error.for_log(),
            "the database takes no audit record"
        );
        Err(Failed)
    }

    async fn try_store(&mut self, record: &Record, is_late: bool) -> Result<(), DatabaseError> {
        let client = match self.client.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => (self.shared.connect)(self.database.clone()).await?,
        };
        match record {
            Record::Begin(at, call) => {
                store::begin(&client, call, is_late.then_some(*at)).await?;
            }
            Record::Finish(id, outcome) => store::finish(&client, id, outcome).await?,
        }
        self.client = Some(client);
        Ok(())
    }

    /// Does something with the file, if there is one, where waiting for the disk holds nobody up.
    async fn with_spool<T: Send + 'static>(
        &self,
        body: impl FnOnce(&mut Spool) -> T + Send + 'static,
    ) -> Option<T> {
        let shared = Arc::clone(&self.shared);
        let task = move || lock(&shared.spool).as_mut().map(body);
        tokio::task::spawn_blocking(task).await.ok().flatten()
    }
}

/// The database does not take records at the moment.
struct Failed;

/// What these locks protect is whole whenever it is not locked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
