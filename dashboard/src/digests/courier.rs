//! Delivers the digests that are due, one after the other, as long as the dashboard runs.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use pgtrack_tracker::activity::{Bookmark, bookmark};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::content::{About, Content, Kind};
use super::message::{Format, Message};
use super::{Secret, Target, filter};
use crate::app_error::AppError;
use crate::connections::Found;
use crate::hex;
use crate::reading::Reader;
use crate::rules::Rules;
use crate::search::Search;
use crate::state::AppState;
use crate::store::audit::{self, Action, Entry};
use crate::store::digests::{self as store, Reached, Saved};
use crate::words::problem::Text;
use crate::words::{Why, plain};

/// How often it is looked whether one is due.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a delivery may go on once the dashboard stops.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// After so many attempts in a row that did not work, a digest is paused: that is an hour after the first.
const MOST_FAILURES: i32 = 8;
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// How long to wait for a database that is away.
const DATABASE_WAIT: SignedDuration = SignedDuration::from_mins(1);
/// Who pauses a digest that does not arrive, in the audit log.
const NOBODY: &str = "(the dashboard)";

/// Delivers until the dashboard stops. What is cut off then is delivered again by the next one, with the same id.
pub(crate) async fn run(state: Arc<AppState>) {
    let cut_off = async {
        state.shutdown.cancelled().await;
        sleep(LAST_WORDS).await;
    };
    tokio::select! {
        () = deliver_all(&state) => {}
        () = cut_off => {}
    }
}

async fn deliver_all(state: &AppState) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        tokio::select! {
            biased;
            () = state.shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        loop {
            match deliver_next(state).await {
                Ok(found) => {
                    is_failing = false;
                    if !found || state.shutdown.is_cancelled() {
                        break;
                    }
                }
                Err(error) => {
                    if !is_failing {
                        let cause = error.problem().cause;
                        tracing::warn!(cause, "digests wait for the dashboard's database");
                    }
                    is_failing = true;
                    break;
                }
            }
        }
    }
}

/// How an attempt ended.
enum Outcome {
    Delivered(StatusCode),
    /// There is nothing to tell, or it cannot be told from where it was.
    Passed(Reached, Option<&'static str>),
    /// The database that it tells of is away; that is no fault of the digest.
    Waiting(String),
    Failed(String),
}

/// Does what is to be done for one digest; `false` if none is due.
async fn deliver_next(state: &AppState) -> Result<bool, AppError> {
    let claimed = store::claim(&*state.database.write().await?).await?;
    let Some((digest, now)) = claimed else { return Ok(false) };
    let outcome = attempt(state, &digest).await?;
    let client = state.database.write().await?;
    let (id, name) = (digest.id.as_str(), digest.details.name.as_str());
    let due = digest.details.schedule.next(now);
    match outcome {
        Outcome::Delivered(status) => {
            let outcome = format!("status {}", status.as_u16());
            store::told(&client, id, due, &outcome).await?;
        }
        Outcome::Passed(reached, reason) => {
            store::pass(&client, id, due, &reached, reason).await?;
        }
        Outcome::Waiting(reason) => {
            store::missed(&client, id, digest.failures, Some(DATABASE_WAIT), &reason).await?;
        }
        Outcome::Failed(reason) => {
            let failures = digest.failures + 1;
            let again = (failures < MOST_FAILURES).then(|| wait_after(failures));
            tracing::warn!(
                digest = name,
                connection = digest.connection,
                failures,
                reason,
                "a digest was not delivered"
            );
            store::missed(&client, id, failures, again, &reason).await?;
            if again.is_none() {
                let entry = Entry {
                    connection: Some(&digest.connection),
                    subject: Some(name),
                    outcome: Some(&reason),
                    ..Entry::new(Action::DigestPaused, NOBODY, "")
                };
                audit::add(&client, entry).await?;
            }
        }
    }
    Ok(true)
}

/// Twice as long after each failure.
fn wait_after(failures: i32) -> SignedDuration {
    FIRST_WAIT * (1 << (failures - 1).clamp(0, MOST_FAILURES))
}

async fn attempt(state: &AppState, digest: &Saved) -> Result<Outcome, AppError> {
    let kept = digest.pending.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let content: Box<Content> = match kept {
        Some(content) => content,
        None => match look(state, digest, Kind::Digest).await {
            Ok(Look::Continued(content, reached)) => {
                if content.statements == 0 && !digest.details.sends_empty {
                    return Ok(Outcome::Passed(reached, None));
                }
                let text = serde_json::json!(content).to_string();
                store::keep(&*state.database.write().await?, &digest.id, &text, &reached).await?;
                content
            }
            Ok(Look::Elsewhere(reached)) => {
                let reason = "this is another database, or one that was put back: the digest begins anew here";
                return Ok(Outcome::Passed(reached, Some(reason)));
            }
            Err(AppError::Unavailable(why)) => {
                let reason = format!("the database is not available: {}", plain(why));
                return Ok(Outcome::Waiting(reason));
            }
            Err(error) => return Ok(Outcome::Failed(words(&error))),
        },
    };
    Ok(match deliver(state, digest, &content).await {
        Ok(status) => Outcome::Delivered(status),
        Err(why) => Outcome::Failed(plain(why)),
    })
}

/// Tells what the digest would tell now, marked as a test; it stays where it is. Says why that did not work.
pub(crate) async fn test(
    state: &AppState,
    digest: &Saved,
) -> Result<Result<StatusCode, Why>, AppError> {
    match look(state, digest, Kind::Test).await? {
        Look::Continued(content, _) => Ok(deliver(state, digest, &content).await),
        Look::Elsewhere(_) => Err(AppError::Conflict(Text::DigestElsewhere)),
    }
}

/// What a look at the history found.
enum Look {
    /// What there is to tell, and where to go on.
    Continued(Box<Content>, Reached),
    /// That the digest is at no place of this database; this is one.
    Elsewhere(Reached),
}

/// Sums up what was committed since the last digest.
async fn look(state: &AppState, digest: &Saved, kind: Kind) -> Result<Look, AppError> {
    let opened = match state.connections.find_unattended(&digest.connection).await? {
        Found::Opened(opened) => opened,
        Found::Locked(_) => {
            return Err(AppError::Conflict(Text::PasswordNotKept));
        }
        Found::Nothing => return Err(AppError::no_connection()),
    };
    // A digest names no values and is not asked for any, so that no rule has anything to hide in it.
    let reader = Reader::with(&opened, Rules::default()).await?;
    let search = Search::parse(&digest.details.query)
        .ok_or_else(|| AppError::Internal("the filter of a digest cannot be read".to_owned()))?;
    let filter = filter(&search).map_err(AppError::Unsearchable)?;
    let summary = match &digest.bookmark {
        Some(after) => reader.summary(&filter, after).await?,
        None => None,
    };
    let Some(summary) = summary else {
        let (bookmark, at): (Bookmark, Timestamp) = bookmark(&reader).await?;
        return Ok(Look::Elsewhere(Reached { bookmark, at }));
    };
    let id = hex::random::<16>().map_err(|error| AppError::Internal(error.to_string()))?;
    let about = About {
        id: &id,
        kind,
        name: &digest.details.name,
        connection: &opened.info,
        search: &search,
        from: digest.covered_until,
        public_url: state.public_url.as_ref(),
    };
    let reached = Reached { bookmark: summary.next.clone(), at: summary.at };
    Ok(Look::Continued(Box::new(Content::new(about, &summary)), reached))
}

/// Sends it, or says why that did not work. The reason holds nothing of the address or of the answer.
async fn deliver(state: &AppState, digest: &Saved, content: &Content) -> Result<StatusCode, Why> {
    let keys = &state.connections.keys;
    let url =
        Secret::Url.open(keys, &digest.id, &digest.sealed.url).ok_or(Why::DigestKeyMissing)?;
    let target = Target::parse(&url)?;
    let secret = match (&digest.sealed.secret, digest.details.format) {
        (Some(sealed), Format::Json) => {
            Some(Secret::Signature.open(keys, &digest.id, sealed).ok_or(Why::DigestKeyMissing)?)
        }
        _ => None,
    };
    let secret = secret.as_ref().map(|secret| secret.as_str());
    let message = Message::new(digest.details.format, content, secret);
    state.sender.send(&target, message).await.map_err(Why::Undelivered)
}

/// A failure as the last outcome of a digest.
fn words(error: &AppError) -> String {
    plain(error.problem().text).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{MOST_FAILURES, wait_after};

    #[test]
    fn it_is_tried_for_an_hour() {
        let waits: Vec<i64> = (1..MOST_FAILURES).map(|one| wait_after(one).as_secs()).collect();
        assert_eq!(waits, [30, 60, 120, 240, 480, 960, 1920]);
        assert_eq!(waits.iter().sum::<i64>(), 3810);
    }
}
