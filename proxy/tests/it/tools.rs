//! PostgreSQL's own programs, through the proxy.

use std::env;
use std::path::PathBuf;
use std::process::Output;

use pgtrack_testkit::{block_on, newest, on_each_version, versions};
use tokio::process::Command;

use crate::support::{Scripted, TestProxy};

/// A client program: from `PATH`, or from any server that was installed with its clients.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|directory| directory.join(name));
    let with_servers = versions().into_iter().rev().map(|binaries| binaries.program(name));
    in_path.chain(with_servers).find(|program| program.exists()).unwrap_or_else(|| name.into())
}

async fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(program(name)).args(arguments).output().await.unwrap()
}

fn check_success(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn psql_works() {
    on_each_version(async |database| {
        let proxy = TestProxy::before(database.server()).await;
        let script =
            "CREATE TABLE t (x int);\n\\copy t FROM PROGRAM 'seq 1000'\nSELECT sum(x) FROM t;";
        let file = env::temp_dir().join(format!("{}.sql", database.name()));
        std::fs::write(&file, script).unwrap();
        let url = proxy.url(database.name());
        let output = run("psql", &["-XAtq", "-f", file.to_str().unwrap(), &url]).await;
        std::fs::remove_file(&file).unwrap();
        assert_eq!(check_success(&output).lines().last(), Some("500500"));
    });
}

#[test]
fn pgbench_works_in_all_protocols() {
    block_on(async {
        let database = pgtrack_testkit::Server::shared(&newest()).database().await;
        let proxy = TestProxy::before(database.server()).await;
        let url = proxy.url(database.name());
        check_success(&run("pgbench", &["-i", "-q", "-s", "1", &url]).await);
        for protocol in ["simple", "extended", "prepared"] {
            let output = run("pgbench", &["-n", "-c", "8", "-T", "3", "-M", protocol, &url]).await;
            let report = check_success(&output);
            assert!(report.contains("number of failed transactions: 0 "), "{report}");
        }
        database.remove().await;
    });
}

#[test]
fn case_67_pg_isready_says_rejecting_when_the_upstream_is_down() {
    block_on(async {
        let closed = Scripted::listen().await.address;
        let proxy = TestProxy::to(closed).await;
        let port = proxy.address.port().to_string();
        let output = run("pg_isready", &["-h", "127.0.0.1", "-p", &port]).await;
        // Manual, "pg_isready", "Exit Status".
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    });
}
