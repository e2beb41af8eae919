//! Mistakes on the command line, in the configuration, and in what is asked of the database.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::program::{Demo, pgtrack, run_psql};

fn failure(arguments: &[&str]) -> String {
    let output = pgtrack().args(arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_mistake_in_setting_up_is_answered_with_what_to_do() {
    let config = std::env::temp_dir().join(format!("pgtrack-bad-{}.toml", std::process::id()));
    std::fs::write(&config, "upstream = \"postgresql://u@h/d\"\n[proxi]\nlisten = []\n").unwrap();
    let path = config.to_str().unwrap();
    for (arguments, expected) in [
        (&["serve"] as &[&str], "hint: use `--upstream postgresql://"),
        (&["serve", "--upstream", "mysql://h/d"], "hint: write it as postgresql://"),
        (&["serve", "--upstream", "postgresql://h/d"], "it names no user"),
        (
            &["serve", "--config", "/nonexistent.toml"],
            "could not read the configuration file `/nonexistent.toml`",
        ),
        (&["serve", "--config", path], "hint: did you mean `proxy`?"),
        (&["demo", "--pg-bindir", "/nonexistent"], "hint: install PostgreSQL 15 or newer"),
        (&["serve", "--listen", "here", "--upstream", "x"], "invalid value 'here'"),
        (&["demoo"], "a similar subcommand exists: 'demo'"),
        (
            &["serve", "--upstream", "postgresql://u@127.0.0.1:1/d", "--listen", "192.0.2.1:1"],
            "could not listen on 192.0.2.1:1",
        ),
    ] {
        let report = failure(arguments);
        assert!(report.contains(expected), "{arguments:?}\n{report}");
    }
    std::fs::remove_file(config).unwrap();
}

#[test]
fn an_unreachable_upstream_is_57p03_for_clients_and_reported() {
    let mut process = pgtrack()
        .args([
            "serve",
            "--upstream",
            "postgresql://u@127.0.0.1:1/d",
            "--listen",
            "127.0.0.1:0",
            "--dashboard",
            "127.0.0.1:0",
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(process.stderr.take().unwrap());
    let address = log
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.split("proxy listens on ").nth(1).map(str::to_owned));
    let output = run_psql(&format!("postgresql://u@{}/d", address.unwrap()), "SELECT 1");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(
        report.contains("FATAL:  could not connect to upstream server \"127.0.0.1:1\""),
        "{report}"
    );
    assert!(report.contains("HINT:"), "{report}");
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn psql_shows_the_hints_of_the_sql_interface_through_the_proxy() {
    let demo = Demo::start(&["--no-traffic"]);
    demo.psql(
        "CREATE TABLE demo.notes (note text); CREATE TABLE public.plain (id int PRIMARY KEY)",
    );
    for (sql, expected) in [
        ("SELECT pgtrack.undo('userz', 1)", "ERROR:  table \"userz\" does not exist"),
        ("SELECT pgtrack.undo('users', 1, 'public')", "HINT:  Did you mean 'demo.users'?"),
        (
            "SELECT pgtrack.undo('notes', 1)",
            "HINT:  Add one: ALTER TABLE demo.notes ADD PRIMARY KEY (...).",
        ),
        (
            "SELECT pgtrack.undo('users', 999)",
            "HINT:  SELECT * FROM pgtrack.changes('demo.users') shows which rows changed.",
        ),
        (
            "SELECT pgtrack.undo('users', 'one')",
            "HINT:  The primary key is (id integer). Write it as '{\"id\": ...}', or as the value alone.",
        ),
        (
            "SELECT pgtrack.undo('public.plain', 1)",
            "HINT:  Start with SELECT * FROM pgtrack.track('public.plain').",
        ),
    ] {
        let output = run_psql(&demo.proxy, sql);
        let report = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && report.contains(expected), "{sql}\n{report}");
    }
}
