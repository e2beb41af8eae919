//! Test support: real PostgreSQL servers, shared by all test processes of a run, and a database for each test.
//!
//! Servers come from `PGTRACK_POSTGRES_DIR` (`<dir>/<major>/bin`), from where `scripts/postgres`
//! puts them, and from the usual distribution directories.
//! `PGTRACK_TEST_VERSIONS` ("15 18") names the major versions a run must cover, `PGTRACK_TEST_DIR` is where their data is.

mod database;
mod shared;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use database::{Database, connect};
pub use pgtrack_cluster::{Binaries, Cluster, ClusterOptions};
pub use shared::Server;

/// Settings that make a test server fast; durability is of no use to it.
pub const FAST_SETTINGS: [(&str, &str); 8] = [
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("synchronous_commit", "off"),
    ("max_connections", "200"),
    ("shared_buffers", "64MB"),
    ("max_wal_size", "512MB"),
    ("autovacuum", "off"),
    ("jit", "off"),
];

/// Runs a test body against a fresh database on a server of every version under test.
///
/// # Panics
/// When the body panics; the server version is printed first.
pub fn on_each_version(body: impl AsyncFn(Database)) {
    on_servers(versions(), async |server| {
        let database = server.database().await;
        body(database.clone()).await;
        database.remove().await;
    });
}

/// As [`on_each_version`], with a database like the one that `setup` filled; that is done once for each server
/// and `name`, by whichever test comes first.
///
/// # Panics
/// When the body or `setup` panics.
pub fn on_each_version_like(
    name: &str,
    setup: impl AsyncFn(Database),
    body: impl AsyncFn(Database),
) {
    on_like(versions(), name, setup, body);
}

/// As [`on_each_version_like`], on the oldest and the newest version alone: for tests that take long and try what is
/// the same in those between.
///
/// # Panics
/// When the body or `setup` panics.
pub fn on_outer_versions_like(
    name: &str,
    setup: impl AsyncFn(Database),
    body: impl AsyncFn(Database),
) {
    let mut outer = versions();
    let newest = outer.pop();
    outer.truncate(1);
    outer.extend(newest);
    on_like(outer, name, setup, body);
}

fn on_like(
    versions: Vec<Binaries>,
    name: &str,
    setup: impl AsyncFn(Database),
    body: impl AsyncFn(Database),
) {
    on_servers(versions, async |server| {
        let database = server.database_like(name, &setup).await;
        body(database.clone()).await;
        database.remove().await;
    });
}

#[expect(clippy::print_stdout, reason = "says in a failed test's output which version failed")]
fn on_servers(versions: Vec<Binaries>, body: impl AsyncFn(Server)) {
    for binaries in versions {
        println!("--- PostgreSQL {}", binaries.major());
        runtime().block_on(body(Server::shared(&binaries)));
    }
}

/// Runs a test body on a multi-threaded runtime.
///
/// # Panics
/// When the body panics.
pub fn block_on(body: impl Future<Output = ()>) {
    runtime().block_on(body);
}

/// The server programs of every version under test, oldest first.
///
/// # Panics
/// When a version named in `PGTRACK_TEST_VERSIONS` is missing, or none is installed at all.
pub fn versions() -> Vec<Binaries> {
    let installed = installed();
    let Ok(wanted) = env::var("PGTRACK_TEST_VERSIONS") else {
        assert!(!installed.is_empty(), "no PostgreSQL server found; run `make postgres`");
        return installed;
    };
    wanted
        .split_whitespace()
        .map(|major| {
            installed
                .iter()
                .find(|binaries| binaries.major().to_string() == major)
                .unwrap_or_else(|| {
                    panic!("PostgreSQL {major} is not installed; run `make postgres`")
                })
                .clone()
        })
        .collect()
}

/// The server programs of every version that is installed, whether under test or not, oldest first.
pub fn installed() -> Vec<Binaries> {
    pgtrack_cluster::installed_versions(&server_directories())
}

/// The newest version under test, for tests where one server is enough.
///
/// # Panics
/// As [`versions`] does.
pub fn newest() -> Binaries {
    versions().pop().expect("`versions` is never empty")
}

/// The newest server that a `pg_dump` and its fellow client programs can work with: some refuse one that is newer than
/// themselves.
///
/// # Panics
/// When there is none, or the program does not tell its version.
pub fn newest_for(pg_dump: &Path) -> Binaries {
    let output = Command::new(pg_dump).arg("--version").output().expect("pg_dump can be run");
    let version = String::from_utf8(output.stdout).expect("a version is ASCII");
    let number = version.split_whitespace().nth(2).expect("pg_dump (PostgreSQL) NUMBER");
    let major = number.split(['.', 'd', 'b', 'r']).next().and_then(|major| major.parse().ok());
    let major: u32 = major.unwrap_or_else(|| panic!("not a version: {number}"));
    let usable = installed().into_iter().rfind(|binaries| binaries.major() <= major);
    usable.unwrap_or_else(|| panic!("no server is as old as pg_dump {number}"))
}

/// Starts a server of this test's own, for tests that stop, crash or configure it.
///
/// # Panics
/// When it does not start.
pub fn own_server(binaries: &Binaries, settings: &[(&str, &str)]) -> Cluster {
    let settings = FAST_SETTINGS.iter().chain(settings).map(|(n, v)| ((*n).into(), (*v).into()));
    let options = ClusterOptions { settings: settings.collect(), ..ClusterOptions::default() };
    Cluster::start(binaries, options).unwrap_or_else(|error| panic!("{error}"))
}

fn server_directories() -> Vec<PathBuf> {
    let home_cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    [
        env::var_os("PGTRACK_POSTGRES_DIR").map(PathBuf::from),
        Some(PathBuf::from("/var/cache/pg_track/postgresql")),
        home_cache.map(|cache| cache.join("pg_track/postgresql")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be built")
}
