//! Installs pg_track upstream, and upgrades what is older.

use std::time::Instant;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::Error;

/// The SQL that is installed; the same file that `CREATE EXTENSION pg_track` runs.
const SCRIPT: &str = include_str!("../../sql/pg_track--1.0.sql");
/// The SQL that takes it out of a database again.
const UNINSTALL: &str = include_str!("../../sql/pg_track--uninstall.sql");
/// The version that is installed.
const VERSION: &str = "1.0";
/// What of that version: a script with a higher one is run where an older build of the same version is.
/// The script says the same.
const REVISION: i32 = 5;

/// What [`install`] found or did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installation {
    /// This or a compatible newer version was there.
    Present,
    /// It was installed.
    Installed,
    /// An older version was upgraded.
    Upgraded,
}

/// What a database has of pg_track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// Nothing.
    Missing,
    /// An older version, which can be upgraded.
    Outdated(String),
    /// A version that this program understands.
    Current(String),
    /// A version that this program does not understand.
    Newer(String),
}

/// Looks what a database has of pg_track.
///
/// # Errors
/// When the database cannot be asked.
pub async fn installed(client: &Client) -> Result<Installed, Error> {
    let Some(found) = build(client).await? else { return Ok(Installed::Missing) };
    Ok(match found.is_current() {
        Ok(true) => Installed::Current(found.version),
        Ok(false) => Installed::Outdated(found.version),
        Err(_) => Installed::Newer(found.version),
    })
}

/// The SQL that [`install`] runs.
pub fn script() -> &'static str {
    SCRIPT
}

/// What a proxy signs with, so that nobody else can say what it says about a client. Each database has a key of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyKey {
    /// 32 random bytes.
    pub key: Vec<u8>,
    /// What the server's clock said, in milliseconds since 1970 …
    pub unix_millis: i64,
    /// … at this moment, as exactly as can be known from here.
    pub read: Instant,
    /// Whether what is signed is believed for the sessions of all roles. If not, the owner of pg_track must become a
    /// member of `pg_read_all_stats`: it has to see when a session began.
    pub is_believed: bool,
    /// The owner of pg_track.
    pub owner: String,
}

/// Reads the newest key with which proxies sign, and the server's clock.
///
/// # Errors
/// When it cannot be read: only the owner of pg_track and the service's role may.
pub async fn proxy_key(client: &Client) -> Result<ProxyKey, Error> {
    let sql = "SELECT k.key, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, pg_has_role(n.nspowner, 'pg_read_all_stats', 'USAGE'),
                      pg_get_userbyid(n.nspowner)::text
               FROM pgtrack.proxy_key k, pg_namespace n
               WHERE n.nspname = 'pgtrack' ORDER BY k.key_id DESC LIMIT 1";
    let failed = Error::query("read the key for signatures");
    // Prepared first, so that the time between question and answer is short.
    let statement =
        client.prepare(sql).await.map_err(Error::query("read the key for signatures"))?;
    let asked = Instant::now();
    let row = client.query_one(&statement, &[]).await.map_err(failed)?;
    Ok(ProxyKey {
        key: row.get(0),
        unix_millis: row.get(1),
        read: asked + asked.elapsed() / 2,
        is_believed: row.get(2),
        owner: row.get(3),
    })
}

/// Makes sure that pg_track is installed. Any number of programs may do this at the same time.
///
/// # Errors
/// When the database has a newer, incompatible version, is on a standby, or the script fails.
pub async fn install(client: &mut Client) -> Result<Installation, Error> {
    // Where nothing is installed there is nothing to lock yet: whoever comes second finds what the first has made.
    for _ in 0..4 {
        match try_install(client).await {
            Err(Error::Query { source, .. }) if was_overtaken(&source) => {}
            outcome => return outcome,
        }
    }
    try_install(client).await
}

/// Whether somebody else made the same objects at the same time.
fn was_overtaken(error: &tokio_postgres::Error) -> bool {
    let overtaken =
        [SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_SCHEMA, SqlState::DUPLICATE_OBJECT];
    // "tuple concurrently updated", of a role.
    error.code().is_some_and(|code| overtaken.contains(code) || *code == SqlState::INTERNAL_ERROR)
}

async fn try_install(client: &mut Client) -> Result<Installation, Error> {
    // Without a lock first: this is asked often and answered "it is there".
    if let Some(found) = build(client).await?
        && found.is_current()?
    {
        return Ok(Installation::Present);
    }
    let row = client
        .query_one(
            "SELECT pg_is_in_recovery(), EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_track')",
            &[],
        )
        .await
        .map_err(Error::query("look at the server"))?;
    if row.get(0) {
        return Err(Error::Standby);
    }
    let is_extension: bool = row.get(1);

    let transaction = client.transaction().await.map_err(Error::query("begin the installation"))?;
    if build(transaction.client()).await?.is_some() {
        // The lock of the script's guard, taken before the second look.
        transaction
            .batch_execute("LOCK TABLE pgtrack.installed_version IN SHARE UPDATE EXCLUSIVE MODE")
            .await
            .map_err(Error::query("wait for other installers"))?;
    }
    let outcome = match build(transaction.client()).await? {
        Some(found) if found.is_current()? => return Ok(Installation::Present),
        Some(found) if is_extension => {
            return Err(Error::OutdatedExtension { found: found.version });
        }
        Some(_) => Installation::Upgraded,
        None => Installation::Installed,
    };
    transaction
        .batch_execute(&without_psql_lines(SCRIPT))
        .await
        .map_err(Error::query("install pg_track"))?;
    transaction.commit().await.map_err(Error::query("commit the installation"))?;
    Ok(outcome)
}

/// Takes pg_track out of a database, with everything that it recorded. Tracked tables stay as they are.
///
/// # Errors
/// When we may not, or somebody uses what is to be dropped for too long. Nothing is changed then.
pub async fn uninstall(client: &mut Client) -> Result<(), Error> {
    let action = "uninstall pg_track";
    let transaction = client.transaction().await.map_err(Error::query(action))?;
    let script =
        format!("DROP EXTENSION IF EXISTS pg_track CASCADE;\n{}", without_psql_lines(UNINSTALL));
    transaction
        .batch_execute("SET LOCAL lock_timeout = '10s'; SET LOCAL client_min_messages = warning")
        .await
        .map_err(Error::query(action))?;
    transaction.batch_execute(&script).await.map_err(Error::query(action))?;
    transaction.commit().await.map_err(Error::query(action))
}

/// What was installed last.
#[derive(Debug)]
struct Build {
    version: String,
    revision: i32,
}

impl Build {
    /// Whether it needs nothing from us. Versions with the same major number understand each other.
    fn is_current(&self) -> Result<bool, Error> {
        let (found_major, found_minor) = parse(&self.version);
        let (major, minor) = parse(VERSION);
        if found_major > major {
            let found = self.version.clone();
            return Err(Error::NewerVersion { found, supported: VERSION });
        }
        Ok((found_major, found_minor, self.revision) >= (major, minor, REVISION)
            || (found_major, found_minor) > (major, minor))
    }
}

async fn build(client: &Client) -> Result<Option<Build>, Error> {
    let action = "look for pg_track";
    // Not `to_regclass`: after waiting for a lock it may still remember that there was nothing.
    let query =
        "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                                WHERE n.nspname = 'pgtrack' AND c.relname = 'installed_version')";
    let exists: bool = client.query_one(query, &[]).await.map_err(Error::query(action))?.get(0);
    if !exists {
        return Ok(None);
    }
    // The first builds had no revision. What belongs to a superuser came from a dump, or from before there was an owner.
    let query = "SELECT v.version,
                        CASE WHEN o.rolsuper THEN 0 ELSE coalesce((to_jsonb(v) ->> 'revision')::integer, 1) END AS revision
                 FROM pgtrack.installed_version v, pg_namespace n JOIN pg_roles o ON o.oid = n.nspowner
                 WHERE n.nspname = 'pgtrack' ORDER BY v.installed_at DESC LIMIT 1";
    let row = client.query_opt(query, &[]).await.map_err(Error::query(action))?;
    Ok(row.map(|row| Build { version: row.get("version"), revision: row.get("revision") }))
}

fn parse(version: &str) -> (u32, u32) {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// The script without psql's own commands, which stand on lines of their own. CREATE EXTENSION skips them too.
fn without_psql_lines(script: &str) -> String {
    script.lines().filter(|line| !line.starts_with('\\')).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Build, Error, REVISION, SCRIPT};

    fn is_current(version: &str, revision: i32) -> Result<bool, Error> {
        Build { version: version.to_owned(), revision }.is_current()
    }

    #[test]
    fn a_newer_minor_version_is_good_enough_and_a_newer_major_one_is_not() {
        assert!(is_current("1.0", REVISION).unwrap());
        assert!(is_current("1.0", REVISION + 1).unwrap());
        assert!(!is_current("1.0", REVISION - 1).unwrap());
        assert!(is_current("1.7", 1).unwrap());
        assert!(!is_current("0.9", REVISION).unwrap());
        assert!(matches!(is_current("2.0", 1), Err(Error::NewerVersion { .. })));
    }

    #[test]
    fn the_script_is_of_this_revision() {
        assert!(SCRIPT.contains(&format!("\n-- Schema revision {REVISION}.\n")));
        assert!(SCRIPT.contains(&format!("VALUES ('1.0', {REVISION})")));
    }
}
