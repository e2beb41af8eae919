//! The rules of the house that a program can check; ARCHITECTURE.md gives them in words.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "house/spoken.rs"]
mod spoken;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every source file of the repository with one of these endings, with its path from the root.
fn sources(endings: &[&str]) -> Vec<(String, String)> {
    fn walk(directory: &Path, endings: &[&str], found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                walk(&path, endings, found);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let place = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((place, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), endings, &mut found);
    assert!(!found.is_empty());
    found
}

#[track_caller]
fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// The crates of ours that a crate's own code (not its tests) depends on.
fn dependencies(package: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
    let own = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    own.lines()
        .filter_map(|line| Some(line.strip_prefix("pgtrack-")?.split('.').next()?.to_owned()))
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    for (package, allowed) in [
        ("cluster", &[] as &[&str]),
        ("connect", &[]),
        ("tracker", &[]),
        ("archive", &["tracker"]),
        ("proxy", &["connect", "tracker"]),
        ("dashboard", &["connect", "tracker"]),
        ("testkit", &["cluster"]),
        ("cli", &["archive", "cluster", "connect", "dashboard", "proxy", "tracker"]),
    ] {
        for dependency in dependencies(package) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{package} must not depend on {dependency}"
            );
        }
    }
}

#[test]
fn each_crate_keeps_to_its_own_trade() {
    for (place, word, reason) in [
        ("tracker/src/", "axum", "the tracker knows no HTTP"),
        ("tracker/src/", "maud", "the tracker knows no HTML"),
        ("tracker/src/", "rustls", "the tracker knows no TLS"),
        ("tracker/src/", "parquet", "the tracker knows no files of the archive"),
        ("archive/src/", "rustls::Client", "the archive takes connected clients"),
        ("archive/src/", "env::", "only the command line reads the environment"),
        ("proxy/src/", "axum", "the proxy knows no HTTP"),
        ("proxy/src/", "SystemTime", "timeouts are monotonic: a clock that jumps ends no session"),
        ("proxy/src/protocol", "tokio", "the protocol does no I/O"),
        ("proxy/src/protocol", "std::net", "the protocol does no I/O"),
        ("dashboard/src/view", "async ", "views are pure"),
        ("dashboard/src/view", ".await", "views are pure"),
        ("dashboard/src/view", "tokio", "views are pure"),
        ("dashboard/src/view", "::now()", "views get the time"),
    ] {
        let broken = sources(&[".rs"])
            .into_iter()
            .filter(|(path, text)| path.starts_with(place) && text.contains(word))
            .map(|(path, _)| path)
            .collect::<Vec<_>>();
        assert_none(&broken, &format!("`{word}`: {reason}"));
    }
    let broken = sources(&[".rs", ".toml"])
        .into_iter()
        .filter(|(path, text)| {
            text.contains("pg_query::")
                && !path.starts_with("tracker/src/statement")
                && !path.starts_with("testkit/tests/")
        })
        .map(|(path, _)| path)
        .collect::<Vec<_>>();
    assert_none(&broken, "only the statement analysis names the SQL parser");
}

#[test]
fn the_dashboard_reads_rows_in_one_place() {
    let readers = [
        "history::row(",
        "history::table(",
        "history::statement(",
        "history::transaction(",
        "history::deleted(",
        "history::blame(",
        "past::rows(",
        "past::diff(",
        "feed::newest(",
        "feed::transaction(",
        "feed::transactions(",
        "activity::statement(",
        "activity::statements(",
        "activity::transactions(",
        "activity::among(",
        "activity::summary(",
        "revert::plan(",
    ];
    let broken = sources(&[".rs"])
        .into_iter()
        .filter(|(path, text)| {
            path.starts_with("dashboard/src/")
                && path != "dashboard/src/reading.rs"
                && readers.iter().any(|reader| text.contains(reader))
        })
        .map(|(path, _)| path)
        .collect::<Vec<_>>();
    assert_none(
        &broken,
        "only dashboard/src/reading.rs reads rows: it hides what a person may not see",
    );
}

/// A translator finds every text of the dashboard in one place.
#[test]
fn the_dashboard_says_only_what_is_in_its_table_of_words() {
    let is_elsewhere =
        |path: &str| path.starts_with("dashboard/src/") && !path.starts_with("dashboard/src/words");
    let mut broken = Vec::new();
    for (path, text) in sources(&[".rs"]).into_iter().filter(|(path, _)| is_elsewhere(path)) {
        broken.extend(spoken::texts(&text).iter().map(|text| format!("{path}: {text:?}")));
    }
    for (path, text) in sources(&[".css", ".js"]) {
        let says = |line: &&str| {
            let shown = line.split_once("content: ").or(line.split_once("textContent = "));
            shown.is_some_and(|(_, value)| {
                let mut quoted = value.split(['"', '\'', '`']).skip(1).step_by(2);
                quoted.any(|text| text.chars().any(char::is_alphabetic))
            })
        };
        let lines = text.lines().filter(|_| path.starts_with("dashboard/assets/")).filter(says);
        broken.extend(lines.map(|line| format!("{path}: {}", line.trim())));
    }
    assert_none(&broken, "these texts belong to dashboard/src/words");
}

#[test]
fn every_file_says_what_it_is_and_stays_readable() {
    let mut broken = Vec::new();
    for (path, text) in sources(&[".rs"]) {
        if !text.starts_with("//!") && !path.ends_with("/tests.rs") {
            broken.push(format!("{path} does not begin with //!"));
        }
        if path.ends_with("/mod.rs") {
            broken.push(format!("{path} should be named after its module"));
        }
        let lines = text.lines().count();
        if lines > 600 && !path.contains("/tests") {
            broken.push(format!("{path} has {lines} lines"));
        }
    }
    assert_none(&broken, "files");
}

#[test]
fn every_crate_has_the_lints_and_takes_its_versions_from_the_workspace() {
    let mut broken = Vec::new();
    for (path, text) in sources(&["Cargo.toml"]) {
        // The workspace itself, and what only cargo-fuzz builds.
        if path == "Cargo.toml" || path == "fuzz/Cargo.toml" {
            continue;
        }
        if !text.contains("[lints]\nworkspace = true") {
            broken.push(format!("{path}: no [lints] workspace = true"));
        }
        let dependencies = text.split("dependencies]").skip(1).flat_map(|part| {
            part.lines()
                .skip(1)
                .take_while(|line| !line.starts_with('['))
                .filter(|line| line.contains('='))
        });
        broken.extend(
            dependencies
                .filter(|line| !line.contains("workspace = true") && !line.starts_with('#'))
                .map(|line| format!("{path}: {line}")),
        );
    }
    assert_none(&broken, "manifests");
}

#[test]
fn the_extension_s_file_is_what_its_parts_make() {
    let folder = root().join("sql");
    let parts = fs::read_to_string(folder.join("parts")).unwrap();
    let mut assembled = String::new();
    for (index, part) in parts.lines().enumerate() {
        if index > 0 {
            assembled.extend(["\n-- ==== ", part, " ====\n\n"]);
        }
        assembled += &fs::read_to_string(folder.join(part)).unwrap();
    }
    let committed = fs::read_to_string(folder.join("pg_track--1.0.sql")).unwrap();
    assert!(committed == assembled, "sql/pg_track--1.0.sql is old: run `make sql`");

    let known: Vec<_> = parts.lines().map(|part| format!("sql/{part}")).collect();
    let stray: Vec<_> = sources(&[".sql"])
        .into_iter()
        .map(|(place, _)| place)
        .filter(|place| place.matches('/').count() == 2 && place.starts_with("sql/"))
        .filter(|place| !place.starts_with("sql/golden/") && !known.contains(place))
        .collect();
    assert_none(&stray, "sql/parts names every part");
}

#[test]
fn sql_is_written_as_agreed() {
    let mut broken = Vec::new();
    for (path, text) in sources(&[".sql"]) {
        for (number, line) in text.lines().enumerate() {
            let place = format!("{path}:{}", number + 1);
            if line.contains('\t') || line.ends_with(' ') {
                broken.push(format!("{place}: tab or trailing space"));
            }
            // One raises it again.
            if line.to_uppercase().contains("WHEN OTHERS")
                && line.trim() != "EXCEPTION WHEN OTHERS OR query_canceled OR assert_failure THEN"
            {
                broken.push(format!("{place}: swallows every exception"));
            }
        }
    }
    // Functions with a string body look names up when they run: their search_path is pinned, or they name everything
    // in full because the caller's own search_path is the point.
    let script = fs::read_to_string(root().join("sql/pg_track--1.0.sql")).unwrap();
    let unpinned_on_purpose = [
        "pgtrack._table(",
        "pgtrack._schema_or_table(",
        "pgtrack.log(",
        "pgtrack.as_of(rowtype anyelement, point timestamptz)",
        "pgtrack.diff(",
        "pgtrack.revert_table(",
        "pgtrack.revert_schema(",
        "pgtrack.plan_revert_table(",
        "pgtrack.plan_revert_schema(",
        "pgtrack.keep(",
        "pgtrack.recover(",
        // They note the path of the command that fires them.
        "pgtrack._before_ddl(",
        "pgtrack._on_ddl_triggers(",
        // Called for each row of a history that is converted.
        "pgtrack._if_meant(",
    ];
    for function in script.split("\nCREATE OR REPLACE FUNCTION ").skip(1) {
        let head = function.split(" AS $").next().unwrap();
        let is_bound_when_created = head.contains("BEGIN ATOMIC");
        let is_pinned = head.contains("SET search_path = pg_catalog, pg_temp");
        if !is_bound_when_created
            && !is_pinned
            && !unpinned_on_purpose.iter().any(|name| function.starts_with(name))
        {
            broken.push(format!("search_path is not pinned: {}", function.lines().next().unwrap()));
        }
        if !is_bound_when_created && !is_pinned {
            let declared = function.split("\nDECLARE\n").nth(1).unwrap_or_default();
            let declared = declared.split("\nBEGIN\n").next().unwrap();
            let bare = declared.lines().find(|line| !line.contains("pg_catalog."));
            broken.extend(bare.map(|line| format!("a type without its schema: {line}")));
        }
    }
    assert_none(&broken, "SQL");
}

/// The hard cases that history has to survive are numbered 1 to 80.
#[test]
fn every_case_has_a_test_of_its_number_or_is_a_stated_limit() {
    let limits = fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let mut numbers: Vec<String> = Vec::new();
    for (_, text) in sources(&[".rs"]) {
        for name in text.split("fn case_").skip(1) {
            let parts = name.split('_');
            numbers
                .extend(parts.take_while(|part| part.parse::<u8>().is_ok()).map(ToOwned::to_owned));
        }
    }
    let missing: Vec<_> = (1..=80)
        .map(|case| format!("{case:02}"))
        .filter(|case| !numbers.contains(case) && !limits.contains(&format!("(case {case})")))
        .collect();
    assert_none(&missing, "these cases have no test");
}
