//! `make -C sql install`, then `CREATE EXTENSION pg_track`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pgtrack_testkit::{Binaries, Server, block_on, connect, versions};

/// Runs `make -C sql install` with a `pg_config`.
fn make_install(pg_config: &Path, destination: Option<&Path>) {
    let mut make = Command::new("make");
    make.args(["-s", "-C", concat!(env!("CARGO_MANIFEST_DIR"), "/../sql"), "install"]);
    make.arg(format!("PG_CONFIG={}", pg_config.display()));
    if let Some(directory) = destination {
        make.arg(format!("DESTDIR={}", directory.display()));
    }
    let output = make.output().expect("make can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn temporary_directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("pgtrack-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory can be created");
    directory
}

/// The server builds from npm come without `pg_config`; this one answers for them.
fn pg_config_of(binaries: &Binaries, directory: &Path) -> PathBuf {
    let share = binaries.program("../share/postgresql");
    let script = format!("#!/bin/sh\n[ \"$1\" != --sharedir ] || echo '{}'\n", share.display());
    let path = directory.join(format!("pg_config-{}", binaries.major()));
    fs::write(&path, script).expect("a script can be written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .expect("it can be made executable");
    path
}

#[test]
fn the_extension_is_created_works_and_is_dropped() {
    let directory = temporary_directory("create-extension");
    // Only servers of our own: a test does not install anything into the system's.
    let own: Vec<_> =
        versions().into_iter().filter(|binaries| !binaries.program("pg_config").exists()).collect();
    assert!(!own.is_empty(), "this needs a server from `make postgres`");
    for binaries in own {
        make_install(&pg_config_of(&binaries, &directory), None);
        block_on(async {
            let database = Server::shared(&binaries).database().await;
            let client = connect(&database.url()).await;
            client
                .batch_execute(
                    "CREATE EXTENSION pg_track;
                     CREATE TABLE t (id int PRIMARY KEY, v text);
                     SELECT pgtrack.track('t')",
                )
                .await
                .expect("the extension can be created");
            client.batch_execute("INSERT INTO t VALUES (1, 'a')").await.expect("it records");
            client.batch_execute("UPDATE t SET v = 'b'").await.expect("it records");
            let text = "SELECT pgtrack.undo('t', 1), (SELECT extversion FROM pg_extension WHERE extname = 'pg_track'),
                               (SELECT count(*) FROM pg_extension WHERE extname = 'pg_track' AND cardinality(extconfig) > 4)";
            let row = client.query_one(text, &[]).await.expect("it undoes");
            assert_eq!(
                row.get::<_, &str>(0),
                "public.t (id=1): row updated: v, now as after version 1"
            );
            assert_eq!(row.get::<_, &str>(1), "1.0.5");
            assert_eq!(row.get::<_, i64>(2), 1, "a dump carries the history");
            let error = client
                .batch_execute("DROP EXTENSION pg_track")
                .await
                .expect_err("history depends on it");
            assert_eq!(error.code().map(|state| state.code().to_owned()).as_deref(), Some("2BP01"));
            client
                .batch_execute("DROP EXTENSION pg_track CASCADE")
                .await
                .expect("it can be dropped");
            client.batch_execute("UPDATE t SET v = 'c'").await.expect("the table works on");
            database.remove().await;
        });
    }
    fs::remove_dir_all(directory).expect("the directory can be removed");
}

#[test]
fn make_install_puts_the_files_where_the_server_looks() {
    let directory = temporary_directory("make-install");
    make_install(Path::new("pg_config"), Some(&directory));
    let output =
        Command::new("pg_config").arg("--sharedir").output().expect("pg_config can be run");
    let share = String::from_utf8(output.stdout).expect("a path");
    let place = directory.join(share.trim().trim_start_matches('/')).join("extension");
    for file in [
        "pg_track.control",
        "pg_track--1.0.5.sql",
        "pg_track--1.0--1.0.5.sql",
        "pg_track--1.0.4--1.0.5.sql",
    ] {
        assert!(place.join(file).exists(), "{file}");
    }
    fs::remove_dir_all(directory).expect("the directory can be removed");
}
