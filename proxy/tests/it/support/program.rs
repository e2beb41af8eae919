//! PostgreSQL's own client programs.

use std::env;
use std::path::PathBuf;
use std::process::Output;

use pgtrack_testkit::{Binaries, newest_for, versions};
use tokio::process::Command;

/// A client program: from `PATH`, or from any server that was installed with its clients.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let in_path = env::split_paths(&path).map(|directory| directory.join(name));
    let with_servers = versions().into_iter().rev().map(|binaries| binaries.program(name));
    in_path.chain(with_servers).find(|program| program.exists()).unwrap_or_else(|| name.into())
}

pub(crate) async fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(program(name)).args(arguments).output().await.unwrap()
}

pub(crate) fn check_success(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The newest server that the installed client programs can dump and replicate.
pub(crate) fn for_tools() -> Binaries {
    newest_for(&program("pg_dump"))
}

/// Runs a statement in psql, with connection parameters such as `sslmode=require`. Returns what it prints, or its error.
pub(crate) async fn psql(connection: &str, statement: &str) -> Result<String, String> {
    // Neither the caller's home nor its environment must matter.
    let isolated =
        format!("{connection} sslcert=/nonexistent sslrootcert=/nonexistent gssencmode=disable");
    let connection = if connection.contains("sslcert=") || connection.contains("sslrootcert=") {
        connection
    } else {
        &isolated
    };
    let output = run("psql", &["-XAtq", "-c", statement, connection]).await;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
