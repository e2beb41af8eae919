//! Forgetting what an archive holds.

use jiff::{SignedDuration, Timestamp};
use pgtrack_tracker::care::Purged;
use tokio_postgres::{Client, Transaction};

use crate::Error;
use crate::export::{begin, identity, lock, require, unlock};
use crate::location::Archive;
use crate::verify::verify;

/// Whether [`purge`] would find in the archive all that it removes.
///
/// # Errors
/// When it would not; [`Error::NotArchived`] says what is missing.
pub async fn plan_purge(
    client: &mut Client,
    archive: &Archive,
    age: SignedDuration,
) -> Result<(), Error> {
    let transaction = begin(client).await?;
    purgeable(&transaction, archive, age).await?;
    transaction.commit().await.map_err(Error::query("end reading the history"))
}

/// Removes the history that is older and that the archive holds: its files are read back and compared with the database,
/// value by value. `url` is noted in the audit. Copies of dropped tables (`pgtrack.keep()`) are in no archive, and stay.
///
/// # Errors
/// When the archive lacks something; nothing is removed then. When we are not pg_track's owner.
pub async fn purge(
    client: &mut Client,
    archive: &Archive,
    age: SignedDuration,
    url: &str,
) -> Result<Vec<Purged>, Error> {
    lock(client).await?;
    let result = remove(client, archive, age, url).await;
    unlock(client).await?;
    result
}

/// Compares and removes in one snapshot: what is removed is what was compared.
async fn remove(
    client: &mut Client,
    archive: &Archive,
    age: SignedDuration,
    url: &str,
) -> Result<Vec<Purged>, Error> {
    let failed = || Error::query("purge the history");
    let transaction = begin(client).await?;
    let (until, condition) = purgeable(&transaction, archive, age).await?;
    transaction.execute("SELECT pgtrack._lock_installation()", &[]).await.map_err(failed())?;
    let rows = transaction
        .query(
            "SELECT * FROM pgtrack._purge($1, $2, jsonb_build_object('older_than', make_interval(secs => $3), 'exported', $4::text))",
            &[&until, &condition, &age.as_secs_f64(), &url],
        )
        .await
        .map_err(failed())?;
    transaction.commit().await.map_err(failed())?;
    Ok(rows
        .iter()
        .map(|row| Purged {
            table: row.get("table"),
            statements: row.get("statements"),
            changes: row.get("changes"),
        })
        .collect())
}

/// The moment, and the condition for the statements to remove, which the archive holds.
async fn purgeable(
    transaction: &Transaction<'_>,
    archive: &Archive,
    age: SignedDuration,
) -> Result<(Timestamp, String), Error> {
    let row = transaction
        .query_one(
            "SELECT p.until, pgtrack._purgeable(p.until) AS condition
             FROM (SELECT clock_timestamp() - make_interval(secs => $1) AS until OFFSET 0) p",
            &[&age.as_secs_f64()],
        )
        .await
        .map_err(Error::query("find what is so old"))?;
    let condition: String = row.get("condition");
    if let Some(identity) = identity(transaction).await? {
        require(archive, &identity).await?;
    }
    verify(transaction, archive, &condition).await?;
    Ok((row.get("until"), condition))
}
