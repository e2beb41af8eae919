//! Applies a revert that a person has confirmed, once, however often the form is sent.

use std::sync::Arc;
use std::time::Duration;

use pgtrack_tracker::Error;
use pgtrack_tracker::revert::{Attribution, Manner, OnConflict, Plan, apply};
use tokio::time::timeout;
use tokio_postgres::Client;

use super::{PlanKey, Subject, needs_reason};
use crate::app_error::AppError;
use crate::connections::Opened;
use crate::links::encode;
use crate::state::AppState;
use crate::store::audit::{self, Action, Entry};
use crate::store::failed;
use crate::words::plain;

/// A page that waits longer is given up, and would not say that the revert goes on.
const PATIENCE: Duration = Duration::from_secs(20);

/// A confirmed plan.
#[derive(Debug)]
pub(crate) struct Application {
    /// Where.
    pub(crate) opened: Arc<Opened>,
    pub(crate) subject: Subject,
    /// Stands for the plan that the person saw.
    pub(crate) token: String,
    /// Makes such tokens.
    pub(crate) key: PlanKey,
    /// Stands for the form that they sent.
    pub(crate) submission: String,
    pub(crate) on_conflict: OnConflict,
    /// What the plan that the person saw does with rows that changed since.
    pub(crate) planned: OnConflict,
    /// The columns to set back; `None` is all of them.
    pub(crate) columns: Option<Vec<String>>,
    pub(crate) reason: Option<String>,
    /// The account's name.
    pub(crate) actor: String,
    pub(crate) client_addr: String,
}

impl Application {
    /// Whether this is the plan that the person saw, as far as that matters.
    pub(super) fn is_seen(&self, plan: &Plan) -> bool {
        self.key.token(plan) == self.token || self.subject.target().tolerates(self.on_conflict)
    }

    /// What is reverted, for the audit log.
    pub(super) fn subject_text(&self) -> String {
        let columns = self.columns.iter().flatten();
        columns.fold(self.subject.query(), |text, one| format!("{text}&column={}", encode(one)))
    }
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// This transaction did it.
    Applied(i64),
    /// Every row was left as it is.
    NothingChanged,
    /// It takes a reason, which was not given; nothing was changed.
    NoReason,
    /// The rows are not what the person saw; nothing was changed.
    Stale,
    /// Somebody changed rows since, and no way to deal with that was chosen; nothing was changed.
    Conflict,
}

/// Applies a plan. A form that was sent twice gets the outcome of the first time.
///
/// In a task of its own: a browser that goes away must not leave a revert without its audit entry.
pub(crate) async fn apply_once(
    state: Arc<AppState>,
    application: Application,
) -> Result<Outcome, AppError> {
    let task = tokio::spawn(async move {
        let client = state.database.write().await?;
        // Held until the audit entry is there, so that the second of two submissions finds it.
        lock(&client, &application.submission).await?;
        let result = apply_locked(&client, &application).await;
        // A session that cannot be told to let go has ended, and has let go.
        let _ = unlock(&client, &application.submission).await;
        result
    });
    match timeout(PATIENCE, task).await {
        Ok(done) => done.map_err(|error| AppError::Internal(error.to_string()))?,
        Err(_) => Err(AppError::GoesOn),
    }
}

async fn apply_locked(client: &Client, application: &Application) -> Result<Outcome, AppError> {
    let Application { subject, submission, actor, .. } = application;
    if let Some(xid) = audit::applied(client, actor, submission).await? {
        return Ok(Outcome::Applied(xid));
    }
    let attribution = Attribution { actor: Some(actor), message: application.reason.as_deref() };
    let mut target_client = application.opened.database.write().await?;
    let manner =
        Manner { on_conflict: application.on_conflict, columns: application.columns.as_deref() };
    let mut lacks_reason = false;
    let is_seen = |plan: &Plan| {
        lacks_reason = application.reason.is_none() && needs_reason(plan.rows());
        application.is_seen(plan) && !lacks_reason
    };
    let (target, planned) = (subject.target(), application.planned);
    match apply(&mut target_client, target, planned, is_seen, manner, attribution).await {
        Ok(Some(xid)) => {
            note(client, application, Action::RevertApplied, None, Some(xid)).await?;
            Ok(Outcome::Applied(xid))
        }
        Ok(None) => {
            note(client, application, Action::RevertRefused, Some("nothing to change"), None)
                .await?;
            Ok(Outcome::NothingChanged)
        }
        Err(Error::StalePlan) if lacks_reason => Ok(Outcome::NoReason),
        Err(Error::StalePlan) => {
            note(client, application, Action::RevertRefused, Some("the rows have changed"), None)
                .await?;
            Ok(Outcome::Stale)
        }
        Err(error) if error.is_conflict() => {
            note(client, application, Action::RevertRefused, Some("conflicts"), None).await?;
            Ok(Outcome::Conflict)
        }
        Err(error) => {
            let error = AppError::from(error);
            let why = plain(error.problem().text);
            note(client, application, Action::RevertRefused, Some(&why), None).await?;
            Err(error)
        }
    }
}

pub(super) async fn lock(client: &Client, submission: &str) -> Result<(), AppError> {
    let query = "SELECT pg_advisory_lock(hashtextextended($1, 0))";
    client
        .execute(query, &[&submission])
        .await
        .map_err(failed("wait for an earlier submission"))?;
    Ok(())
}

pub(super) async fn unlock(client: &Client, submission: &str) -> Result<(), AppError> {
    let query = "SELECT pg_advisory_unlock(hashtextextended($1, 0))";
    client.execute(query, &[&submission]).await.map_err(failed("let the next submission in"))?;
    Ok(())
}

pub(super) async fn note(
    client: &Client,
    application: &Application,
    action: Action,
    outcome: Option<&str>,
    xid: Option<i64>,
) -> Result<(), AppError> {
    let entry = Entry {
        connection: Some(&application.opened.info.slug),
        subject: Some(&application.subject_text()),
        outcome,
        submission: Some(&application.submission),
        xid,
        ..Entry::new(action, &application.actor, &application.client_addr)
    };
    Ok(audit::add(client, entry).await?)
}
