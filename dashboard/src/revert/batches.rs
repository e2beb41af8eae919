//! Undoes that a person has confirmed to be done in batches. Each batch is applied by itself, in the background, and
//! noted; a page shows how far it is.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use pgtrack_tracker::Error;
use pgtrack_tracker::revert::{Attribution, Batches, Limits, OnConflict, Plan};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::Client;

use super::apply::{lock, note, unlock};
use super::planning::PATIENCE;
use super::{Application, let_go_when_nobody_listens};
use crate::app_error::{AppError, Problem};
use crate::auth::Role;
use crate::connections::Found;
use crate::state::AppState;
use crate::store::audit::{self, Action, Entry};
use crate::store::jobs::{self, JobState, NewJob};
use crate::store::{accounts, grants};
use crate::visit::SignedIn;
use crate::words::problem::Text;
use crate::words::{Why, plain};

/// How many rows a batch has.
pub(crate) const BATCH_ROWS: i32 = 1000;
const SPLITTING: Limits =
    Limits { lock: Duration::from_mins(1), statement: Duration::from_hours(1) };
/// Nobody waits for a page.
const BATCH: Limits = Limits { lock: Duration::from_secs(10), statement: Duration::from_mins(5) };

/// What came of a confirmed undo in batches.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It is running, or was begun by this form before.
    Job(i64),
    /// The rows are not what the person saw.
    Stale,
    /// Somebody changed rows since, and no way to deal with that was chosen.
    Conflict,
    /// Another one is running in this connection.
    Busy(Option<i64>),
}

/// Begins an undo in batches. A form that was sent twice gets the job of the first time.
pub(crate) async fn begin_once(
    state: Arc<AppState>,
    application: Application,
    person: SignedIn,
) -> Result<Begun, AppError> {
    let task = tokio::spawn(async move {
        let client = state.database.write().await?;
        let submission = application.submission.clone();
        lock(&client, &submission).await?;
        let result = begin(state.clone(), &client, application, person).await;
        // A session that cannot be told to let go has ended, and has let go.
        let _ = unlock(&client, &submission).await;
        result
    });
    task.await.map_err(|error| AppError::Internal(error.to_string()))?
}

async fn begin(
    state: Arc<AppState>,
    client: &Client,
    application: Application,
    person: SignedIn,
) -> Result<Begun, AppError> {
    let Application { opened, subject, submission, actor, .. } = &application;
    if let Some(id) = jobs::begun(client, actor, submission).await? {
        return Ok(Begun::Job(id));
    }
    let slug = opened.info.slug.clone();
    let own = state.database.session().await?;
    if !jobs::claim(&own, &slug).await? {
        return Ok(Begun::Busy(jobs::running(&own, &slug).await?));
    }
    jobs::clear(&own, &slug).await?;
    let new = NewJob {
        connection: &slug,
        name: actor,
        client_addr: &application.client_addr,
        subject: &subject.query(),
        reason: application.reason.as_deref(),
        submission,
    };
    let id = jobs::add(&own, new).await?;
    let (tell, mut told) = oneshot::channel();
    let starting = Starting { id, application, person, own };
    state.jobs.clone().spawn(starting.run(state, tell));
    if let Ok(begun) = timeout(PATIENCE, &mut told).await {
        return begun.map_err(|error| AppError::Internal(error.to_string()))?;
    }
    // From now on its page says how it goes, unless that was said in this moment.
    told.close();
    told.try_recv().unwrap_or(Ok(Begun::Job(id)))
}

/// A job that has no batches yet. To split it may take longer than a page.
struct Starting {
    id: i64,
    application: Application,
    person: SignedIn,
    own: ClientWrapper,
}

/// What came of it.
enum Start {
    /// With the session that they are done in.
    Split(Box<Batches>, ClientWrapper),
    Refused(Begun, Text, &'static str),
    Stopped,
    Interrupted,
}

impl Starting {
    /// Whoever waits for the page is told; for whoever does not any more, the job says it.
    async fn run(self, state: Arc<AppState>, tell: oneshot::Sender<Result<Begun, AppError>>) {
        let start = match self.split(&state).await {
            Ok(Start::Split(batches, there)) => {
                return self.go_on(state, *batches, there, tell).await;
            }
            start => start,
        };
        let Self { id, application, own, .. } = self;
        let (said, end, begun, problem) = match start {
            Ok(Start::Refused(begun, text, why)) => {
                let problem = AppError::Conflict(text).problem();
                (why.to_owned(), JobState::Failed, Ok(begun), Some(problem))
            }
            Ok(Start::Interrupted) => {
                ("interrupted".to_owned(), JobState::Interrupted, Ok(Begun::Job(id)), None)
            }
            Ok(_) => ("stopped".to_owned(), JobState::Stopped, Ok(Begun::Job(id)), None),
            Err(error) => {
                let problem = error.problem();
                (plain(&problem.text), JobState::Failed, Err(error), Some(problem))
            }
        };
        let noted = note(&own, &application, Action::RevertRefused, Some(&said), None).await;
        let is_told = tell.send(begun).is_ok();
        let ended = match problem {
            Some(_) if is_told => jobs::remove(&own, id).await,
            problem => {
                let kept = problem.as_ref().map(Problem::to_kept);
                jobs::end(&own, id, end, kept.as_ref()).await
            }
        };
        let failed = ended.err().map(AppError::from).or(noted.err());
        if let Some(cause) = failed.and_then(|error| error.problem().cause) {
            tracing::warn!(job = id, cause, "the end of an undo is not noted");
        }
    }

    /// Nobody waits for it for longer than for a page, but it can be stopped.
    async fn split(&self, state: &AppState) -> Result<Start, AppError> {
        let Application { opened, subject, planned, on_conflict, .. } = &self.application;
        let mut there = opened.database.session().await?;
        let_go_when_nobody_listens(&there).await;
        let mut has_conflict = false;
        let is_seen = |plan: &Plan| {
            let is_same = self.application.is_seen(plan);
            has_conflict = is_same && *on_conflict == OnConflict::Error && plan.conflicts() > 0;
            is_same && !has_conflict
        };
        let beginning = Batches::begin(
            &mut there,
            subject.target(),
            *planned,
            is_seen,
            *on_conflict,
            BATCH_ROWS,
            SPLITTING,
        );
        let batches = tokio::select! {
            batches = beginning => batches,
            stopped = self.stopped() => return stopped.map(|()| Start::Stopped),
            () = state.shutdown.cancelled() => return Ok(Start::Interrupted),
        };
        match batches {
            Ok(batches) => Ok(Start::Split(Box::new(batches), there)),
            Err(Error::StalePlan) if has_conflict => {
                Ok(Start::Refused(Begun::Conflict, Text::NothingChosen, "conflicts"))
            }
            Err(Error::StalePlan) => {
                let text = Text::RowsChangedSincePlan;
                Ok(Start::Refused(Begun::Stale, text, "the rows have changed"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until somebody stops the job.
    async fn stopped(&self) -> Result<(), AppError> {
        while !jobs::is_stopping(&self.own, self.id).await? {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    async fn go_on(
        self,
        state: Arc<AppState>,
        batches: Batches,
        there: ClientWrapper,
        tell: oneshot::Sender<Result<Begun, AppError>>,
    ) {
        let Self { id, application, person, own } = self;
        let what = format!("job {id}: {} rows", batches.rows);
        let noted = note(&own, &application, Action::BatchesStarted, Some(&what), None).await;
        let count = i64::try_from(batches.count).unwrap_or(i64::MAX);
        let split = match noted {
            Ok(()) => jobs::split(&own, id, batches.rows, count).await.map_err(AppError::from),
            Err(error) => Err(error),
        };
        let _ = tell.send(Ok(Begun::Job(id)));
        let running = Running { id, application, person, own, there, batches, rows_done: 0 };
        running.run(state, split).await;
    }
}

/// A job at work.
struct Running {
    id: i64,
    application: Application,
    person: SignedIn,
    /// Holds the lock that says that it is running.
    own: ClientWrapper,
    /// Holds the batches that are left.
    there: ClientWrapper,
    batches: Batches,
    rows_done: i64,
}

/// Why a job ended.
type End = (JobState, Option<Problem>);

impl Running {
    /// Goes through the batches, if they were noted, and unless it was stopped before them.
    async fn run(mut self, state: Arc<AppState>, split: Result<bool, AppError>) {
        let (end, problem) = match split {
            Ok(is_stopping) => self.work(&state, is_stopping).await,
            Err(error) => (JobState::Failed, Some(error.problem())),
        };
        if let Some(cause) = problem.as_ref().and_then(|problem| problem.cause.as_ref()) {
            tracing::warn!(job = self.id, cause, "an undo in batches has failed");
        }
        let kept = problem.as_ref().map(Problem::to_kept);
        let ended = jobs::end(&self.own, self.id, end, kept.as_ref()).await;
        let noted = self.note(end, problem.as_ref()).await;
        if let Err(error) = ended.and(noted) {
            // Its page says that it was interrupted.
            tracing::warn!(
                job = self.id,
                cause = error.for_log(),
                "the end of an undo is not noted"
            );
        }
    }

    async fn work(&mut self, state: &AppState, mut is_stopping: bool) -> End {
        let mut left = self.batches.count;
        while left > 0 {
            if state.shutdown.is_cancelled() {
                return (JobState::Interrupted, None);
            }
            if is_stopping {
                return (JobState::Stopped, None);
            }
            if let Err(error) = self.check_rights(state).await {
                return (JobState::Failed, Some(error.problem()));
            }
            let attribution = Attribution {
                actor: Some(&self.application.actor),
                message: self.application.reason.as_deref(),
            };
            let on_conflict = self.application.on_conflict;
            let next = self.batches.next(&mut self.there, on_conflict, attribution, BATCH).await;
            let batch = match next {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(error) => return (JobState::Failed, Some(AppError::from(error).problem())),
            };
            left -= 1;
            self.rows_done += batch.rows;
            match jobs::advance(&self.own, self.id, batch.rows, batch.xid).await {
                Ok(should_stop) => is_stopping = should_stop,
                Err(error) => return (JobState::Failed, Some(AppError::from(error).problem())),
            }
        }
        (JobState::Done, None)
    }

    /// Between batches the person may have lost the right to revert, or the password that the connection was opened
    /// with may be gone with their session.
    async fn check_rights(&self, state: &AppState) -> Result<(), AppError> {
        let slug = &self.application.opened.info.slug;
        let role = match accounts::by_id(&self.own, self.person.account.id).await? {
            Some(account) => grants::role_in(&self.own, &account, slug).await?,
            None => None,
        };
        if role < Some(Role::Operator) {
            return Err(AppError::Forbidden(Text::NotAnyMore));
        }
        match state.connections.find(slug, &self.person.session).await? {
            Found::Opened(opened) => opened.require_writable(),
            Found::Locked(_) => Err(AppError::Unavailable(Why::SessionEnded)),
            Found::Nothing => Err(AppError::no_connection()),
        }
    }

    async fn note(&self, end: JobState, problem: Option<&Problem>) -> Result<(), Error> {
        let action = match end {
            JobState::Running | JobState::Interrupted => Action::BatchesInterrupted,
            JobState::Done => Action::BatchesFinished,
            JobState::Stopped => Action::BatchesStopped,
            JobState::Failed => Action::BatchesFailed,
        };
        let Application { opened, actor, client_addr, .. } = &self.application;
        let mut outcome = format!("job {}: {} rows are done", self.id, self.rows_done);
        if let Some(problem) = problem {
            outcome = format!("{outcome}; {}", plain(&problem.text));
        }
        let entry = Entry {
            connection: Some(&opened.info.slug),
            subject: Some(&self.application.subject_text()),
            outcome: Some(&outcome),
            ..Entry::new(action, actor, client_addr)
        };
        audit::add(&self.own, entry).await
    }
}
