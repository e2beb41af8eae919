//! What is told elsewhere, how far that has come, and what is being delivered.

use jiff::{SignedDuration, Timestamp};
use pgtrack_tracker::Error;
use pgtrack_tracker::activity::Bookmark;
use tokio_postgres::{Client, Row};

use super::failed;
use crate::digests::{Format, Schedule};

/// How long a dashboard may be at a digest before another one takes it to have died. More than an attempt takes.
const LEASE: &str = "2 minutes";

/// A digest and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saved {
    pub(crate) id: String,
    /// The connection, as URLs name it.
    pub(crate) connection: String,
    pub(crate) details: Details,
    pub(crate) sealed: Sealed,
    pub(crate) is_paused: bool,
    /// Why; none if a person did it.
    pub(crate) pause_reason: Option<String>,
    /// Where it goes on; none if that cannot be read.
    pub(crate) bookmark: Option<Bookmark>,
    pub(crate) covered_until: Timestamp,
    pub(crate) due_at: Timestamp,
    /// How many attempts in a row did not work.
    pub(crate) failures: i32,
    /// What is being delivered, as JSON.
    pub(crate) pending: Option<String>,
    pub(crate) last: Option<Attempt>,
}

/// What a person entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Details {
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) schedule: Schedule,
    /// The filter, as a query string.
    pub(crate) query: String,
    pub(crate) sends_empty: bool,
}

/// What only the keys open, and what is shown in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) url: String,
    pub(crate) shown_url: String,
    pub(crate) secret: Option<String>,
}

/// How the latest attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) at: Timestamp,
    pub(crate) worked: bool,
    pub(crate) outcome: String,
}

/// A place in the history, and the clock of its database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) bookmark: Bookmark,
    pub(crate) at: Timestamp,
}

const COLUMNS: &str = "digest_id, connection, name, format, sealed_url, shown_url, sealed_secret, every, hour, zone, query,
                       sends_empty, is_paused, pause_reason, bookmark, covered_until, due_at, failures, pending,
                       last_at, last_worked, last_outcome";

/// Those of a connection, by name.
pub(crate) async fn list(client: &Client, connection: &str) -> Result<Vec<Saved>, Error> {
    let query = format!(
        "SELECT {COLUMNS} FROM pgtrack_dashboard.digest WHERE connection = $1 ORDER BY lower(name), digest_id"
    );
    let rows = client.query(&query, &[&connection]).await.map_err(failed("list the digests"))?;
    Ok(rows.iter().filter_map(read).collect())
}

/// Those of all connections.
pub(crate) async fn all(client: &Client) -> Result<Vec<Saved>, Error> {
    let query = format!("SELECT {COLUMNS} FROM pgtrack_dashboard.digest ORDER BY digest_id");
    let rows = client.query(&query, &[]).await.map_err(failed("list the digests"))?;
    Ok(rows.iter().filter_map(read).collect())
}

/// The one that a URL names.
pub(crate) async fn find(
    client: &Client,
    connection: &str,
    id: &str,
) -> Result<Option<Saved>, Error> {
    let query = format!(
        "SELECT {COLUMNS} FROM pgtrack_dashboard.digest WHERE connection = $1 AND digest_id = $2"
    );
    let row =
        client.query_opt(&query, &[&connection, &id]).await.map_err(failed("look up a digest"))?;
    Ok(row.as_ref().and_then(read))
}

/// Adds one that tells what comes after a place.
pub(crate) async fn add(
    client: &Client,
    connection: &str,
    id: &str,
    details: &Details,
    sealed: &Sealed,
    start: &Reached,
) -> Result<(), Error> {
    let query = "INSERT INTO pgtrack_dashboard.digest (digest_id, connection, name, format, every, hour, zone, query, sends_empty,
                   sealed_url, shown_url, sealed_secret, bookmark, covered_until, due_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    let (word, hour, zone) = written(&details.schedule);
    let due = details.schedule.next(Timestamp::now());
    client
        .execute(
            query,
            &[
                &id,
                &connection,
                &details.name,
                &details.format.word(),
                &word,
                &hour,
                &zone,
                &details.query,
                &details.sends_empty,
                &sealed.url,
                &sealed.shown_url,
                &sealed.secret,
                &start.bookmark.to_string(),
                &start.at,
                &due,
            ],
        )
        .await
        .map_err(failed("add a digest"))?;
    Ok(())
}

/// Changes what a person entered. How far it has come stays, and so does what is being delivered: that is tried at once.
pub(crate) async fn change(
    client: &Client,
    id: &str,
    details: &Details,
    sealed: &Sealed,
) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.digest
                 SET name = $2, format = $3, every = $4, hour = $5, zone = $6, query = $7, sends_empty = $8,
                     sealed_url = $9, shown_url = $10, sealed_secret = $11,
                     due_at = CASE WHEN pending IS NULL THEN $12 ELSE now() END
                 WHERE digest_id = $1";
    let (word, hour, zone) = written(&details.schedule);
    let due = details.schedule.next(Timestamp::now());
    client
        .execute(
            query,
            &[
                &id,
                &details.name,
                &details.format.word(),
                &word,
                &hour,
                &zone,
                &details.query,
                &details.sends_empty,
                &sealed.url,
                &sealed.shown_url,
                &sealed.secret,
                &due,
            ],
        )
        .await
        .map_err(failed("change a digest"))?;
    Ok(())
}

/// Replaces what is sealed.
pub(crate) async fn set_sealed(client: &Client, id: &str, sealed: &Sealed) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.digest SET sealed_url = $2, sealed_secret = $3 WHERE digest_id = $1";
    client
        .execute(query, &[&id, &sealed.url, &sealed.secret])
        .await
        .map_err(failed("keep where a digest is sent"))?;
    Ok(())
}

/// Sends it no more for now.
pub(crate) async fn pause(client: &Client, id: &str) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.digest SET is_paused = true, pause_reason = NULL WHERE digest_id = $1";
    client.execute(query, &[&id]).await.map_err(failed("pause a digest"))?;
    Ok(())
}

/// Sends it again, at once what has come in the meantime.
pub(crate) async fn resume(client: &Client, id: &str) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.digest
                 SET is_paused = false, pause_reason = NULL, failures = 0, due_at = now() WHERE digest_id = $1";
    client.execute(query, &[&id]).await.map_err(failed("resume a digest"))?;
    Ok(())
}

pub(crate) async fn remove(client: &Client, id: &str) -> Result<(), Error> {
    let query = "DELETE FROM pgtrack_dashboard.digest WHERE digest_id = $1";
    client.execute(query, &[&id]).await.map_err(failed("remove a digest"))?;
    Ok(())
}

/// Takes one that is due, so that no other dashboard does, and tells the time; none if none is.
pub(crate) async fn claim(client: &Client) -> Result<Option<(Saved, Timestamp)>, Error> {
    let query = format!(
        "UPDATE pgtrack_dashboard.digest SET claimed_until = now() + interval '{LEASE}'
         WHERE digest_id = (
           SELECT d.digest_id FROM pgtrack_dashboard.digest d
           WHERE NOT d.is_paused AND d.due_at <= now() AND (d.claimed_until IS NULL OR d.claimed_until < now())
           ORDER BY d.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING now() AS claimed_at, {COLUMNS}"
    );
    let row = client.query_opt(&query, &[]).await.map_err(failed("look for digests"))?;
    Ok(row.and_then(|row| Some((read(&row)?, row.get("claimed_at")))))
}

/// Keeps what is about to be delivered, and what will have been told then.
pub(crate) async fn keep(
    client: &Client,
    id: &str,
    pending: &str,
    reached: &Reached,
) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.digest SET pending = $2, pending_bookmark = $3, pending_until = $4
                 WHERE digest_id = $1";
    client
        .execute(query, &[&id, &pending, &reached.bookmark.to_string(), &reached.at])
        .await
        .map_err(failed("keep a digest"))?;
    Ok(())
}

/// What was kept has been delivered: it goes on from there.
pub(crate) async fn told(
    client: &Client,
    id: &str,
    due: Timestamp,
    outcome: &str,
) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.digest
                 SET bookmark = coalesce(pending_bookmark, bookmark), covered_until = coalesce(pending_until, covered_until),
                     pending = NULL, pending_bookmark = NULL, pending_until = NULL, claimed_until = NULL,
                     failures = 0, due_at = $2, last_at = now(), last_worked = true, last_outcome = $3
                 WHERE digest_id = $1";
    client
        .execute(query, &[&id, &due, &outcome])
        .await
        .map_err(failed("note that a digest was delivered"))?;
    Ok(())
}

/// There is nothing to tell before this place; with a reason, if that is no matter of course.
pub(crate) async fn pass(
    client: &Client,
    id: &str,
    due: Timestamp,
    reached: &Reached,
    reason: Option<&str>,
) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.digest
                 SET bookmark = $3, covered_until = $4, claimed_until = NULL, failures = 0, due_at = $2,
                     last_at = CASE WHEN $5::text IS NULL THEN last_at ELSE now() END,
                     last_worked = CASE WHEN $5 IS NULL THEN last_worked ELSE false END,
                     last_outcome = coalesce($5, last_outcome)
                 WHERE digest_id = $1";
    client
        .execute(query, &[&id, &due, &reached.bookmark.to_string(), &reached.at, &reason])
        .await
        .map_err(failed("note that there is nothing to tell"))?;
    Ok(())
}

/// It did not work and is tried again after a while, or not any more.
pub(crate) async fn missed(
    client: &Client,
    id: &str,
    failures: i32,
    again: Option<SignedDuration>,
    outcome: &str,
) -> Result<(), Error> {
    let query = "UPDATE pgtrack_dashboard.digest
                 SET claimed_until = NULL, failures = $2, due_at = now() + make_interval(secs => coalesce($3::float8, 0)),
                     is_paused = is_paused OR $3 IS NULL, pause_reason = CASE WHEN $3 IS NULL THEN $4 ELSE pause_reason END,
                     last_at = now(), last_worked = false, last_outcome = $4
                 WHERE digest_id = $1";
    let seconds = again.map(|again| again.as_secs_f64());
    client
        .execute(query, &[&id, &failures, &seconds, &outcome])
        .await
        .map_err(failed("note that a digest was not delivered"))?;
    Ok(())
}

fn written(schedule: &Schedule) -> (&'static str, i16, &str) {
    match schedule {
        Schedule::Every(_) => (schedule.word(), 0, "UTC"),
        Schedule::Daily { hour, zone } => (schedule.word(), i16::from(*hour), zone),
    }
}

/// One of a newer version that we cannot read is left to that.
fn read(row: &Row) -> Option<Saved> {
    let hour = i8::try_from(row.get::<_, i16>("hour")).ok()?;
    let last_at: Option<Timestamp> = row.get("last_at");
    Some(Saved {
        id: row.get("digest_id"),
        connection: row.get("connection"),
        details: Details {
            name: row.get("name"),
            format: Format::from_word(row.get("format"))?,
            schedule: Schedule::read(row.get("every"), hour, row.get("zone"))?,
            query: row.get("query"),
            sends_empty: row.get("sends_empty"),
        },
        sealed: Sealed {
            url: row.get("sealed_url"),
            shown_url: row.get("shown_url"),
            secret: row.get("sealed_secret"),
        },
        is_paused: row.get("is_paused"),
        pause_reason: row.get("pause_reason"),
        bookmark: Bookmark::parse(row.get("bookmark")),
        covered_until: row.get("covered_until"),
        due_at: row.get("due_at"),
        failures: row.get("failures"),
        pending: row.get("pending"),
        last: last_at.map(|at| Attempt {
            at,
            worked: row.get::<_, Option<bool>>("last_worked").unwrap_or_default(),
            outcome: row.get::<_, Option<String>>("last_outcome").unwrap_or_default(),
        }),
    })
}
