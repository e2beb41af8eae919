//! psql, with every feature of the protocol that it has.

use std::path::Path;

use pgtrack_testkit::on_each_version;
use tokio::process::Command;

use super::{check_same, url};
use crate::support::program;

#[test]
fn a_long_session_of_psql() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/session.psql");
    let script = script.to_str().unwrap();
    on_each_version(async |database| {
        let copy = std::env::temp_dir().join(database.name());
        let output = check_same(&database, |address| {
            let mut command = Command::new(program("psql"));
            command.args(["-X", "-q", "-f", script, "-v"]);
            command.arg(format!("file={script}")).arg("-v");
            command.arg(format!("copy={}", copy.display())).arg(url(address, &database));
            command
        })
        .await;
        // A large object that went up by function calls and came down again is what it was.
        assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(script).unwrap());
        std::fs::remove_file(copy).unwrap();
        for expected in [
            "22012: division by zero",
            "merged",
            "WARNING:  01234: a warning",
            "57014: canceling statement due to statement timeout",
            "Asynchronous notification \"news\"",
            "57P01: terminating connection due to administrator command",
        ] {
            assert!(output.contains(expected), "{expected} is missing in:\n{output}");
        }
    });
}
