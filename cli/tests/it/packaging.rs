//! What comes along with the program: rules for Prometheus, a dashboard for Grafana, the root of a container image,
//! and the packages' descriptions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pgtrack_testkit::on_each_version;

use crate::operating::{Service, content, service};
use crate::program::pgtrack;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// The metrics that a text names.
fn metrics(text: &str) -> BTreeSet<&str> {
    let is_part =
        |character: char| character.is_ascii_lowercase() || "_0123456789".contains(character);
    text.split(|character| !is_part(character))
        .filter(|word| ["pgtrack_", "process_"].iter().any(|start| word.starts_with(start)))
        .collect()
}

#[test]
fn grafana_and_prometheus_ask_for_metrics_that_there_are() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("packaging/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    let rules = read("packaging/alerts.yml");
    let rules: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert!(expressions.len() > 10 && rules.len() > 5);
    on_each_version(async |database| {
        let service = service(&database);
        let (_, text) = service.get("/metrics");
        let known: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
            .collect();
        for expression in expressions.iter().chain(&rules) {
            let named = metrics(expression);
            assert!(!named.is_empty(), "{expression}");
            assert!(named.is_subset(&known), "{expression}");
        }
        // A counter is asked for its rate, and nothing else is.
        for expression in expressions.iter().chain(&rules) {
            let is_rate = expression.contains("rate(") || expression.contains("increase(");
            assert_eq!(is_rate, expression.contains("_total"), "{expression}");
        }
        let dashboard = expressions.join(" ");
        let missing: Vec<_> = known.difference(&metrics(&dashboard)).copied().collect();
        assert!(missing.is_empty(), "the dashboard does not show {missing:?}");
    });
}

/// The labels of each metric in what `/metrics` says.
fn labels(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let names = samples.filter_map(|line| {
        let (name, rest) = line.split_once(['{', ' '])?;
        let labels = rest.split('"').step_by(2).filter_map(|part| part.strip_suffix('='));
        Some((name, labels.map(|label| label.trim_start_matches(',')).collect()))
    });
    names.collect()
}

/// The names of labels that an expression selects by.
fn selected(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(['{', '}', ',']).filter_map(|part| part.split_once(['=', '~'])).filter_map(
        |(label, _)| label.chars().all(|letter| letter.is_ascii_lowercase()).then_some(label),
    )
}

#[test]
fn labels_that_the_dashboard_and_the_rules_name_are_there() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&read("packaging/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let targets: Vec<(&str, &str)> = targets
        .map(|target| (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap()))
        .collect();
    // Prometheus adds these.
    let added = BTreeSet::from(["instance", "job"]);
    on_each_version(async |database| {
        // Roles of servers are there where they matter.
        let upstream = format!("{}?target_session_attrs=read-write", database.url());
        let service = Service::start(database.name(), &content(&upstream, 10), &[]);
        let until = Instant::now() + Duration::from_secs(30);
        let mut text = service.get("/metrics").1;
        while !text.contains("\npgtrack_proxy_upstream_role{") {
            assert!(Instant::now() < until, "{text}");
            std::thread::sleep(Duration::from_millis(50));
            text = service.get("/metrics").1;
        }
        let known = labels(&text);
        for (expression, legend) in &targets {
            let metric = metrics(expression).into_iter().next().unwrap();
            let has = |label: &str| known[metric].contains(label) || added.contains(label);
            let shown = legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap());
            for label in shown.chain(selected(expression)) {
                assert!(has(label), "{expression}: {label}");
            }
        }
        // What is told apart by a label is shown apart.
        for (metric, labels) in &known {
            for label in labels {
                let is_shown = targets.iter().any(|(expression, legend)| {
                    expression.contains(metric) && legend.contains(&format!("{{{{{label}}}}}"))
                });
                assert!(is_shown, "{metric}: {label}");
            }
        }
        let rules = read("packaging/alerts.yml");
        for shown in rules.split("$labels.").skip(1) {
            let label = shown.split(|letter: char| !letter.is_ascii_lowercase()).next().unwrap();
            assert!(added.contains(label), "{label}");
        }
        for expression in rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")) {
            let expression = expression.split("==").next().unwrap();
            assert!(selected(expression).all(|label| added.contains(label)), "{expression}");
        }
    });
}

#[test]
fn a_running_service_is_asked_how_it_is() {
    on_each_version(async |database| {
        let service = service(&database);
        let monitor = service.monitor.clone();
        let check = |monitor: &str| {
            let output = pgtrack()
                .args(["check", "--running", "--config", service.config.to_str().unwrap()])
                .env("PGTRACK_MONITOR_LISTEN", monitor)
                .output()
                .unwrap();
            (output.status.success(), String::from_utf8(output.stderr).unwrap())
        };
        assert_eq!(check(&monitor), (true, String::new()));
        let (is_ready, report) = check("127.0.0.1:1");
        assert!(!is_ready && report.contains("could not ask 127.0.0.1:1 how it is"), "{report}");
    });
}

#[test]
fn the_root_of_the_image_is_all_that_the_program_needs() {
    let directory = std::env::temp_dir().join(format!("pgtrack-image-{}", std::process::id()));
    let status = Command::new(root().join("packaging/image-root"))
        .args([env!("CARGO_BIN_EXE_pgtrack"), directory.to_str().unwrap()])
        .status()
        .unwrap();
    assert!(status.success());
    let mut loaders = Vec::new();
    let mut libraries = Vec::new();
    files(&directory, &mut |path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.starts_with("ld-linux") {
            loaders.push(path.to_owned());
        } else if name.contains(".so") {
            libraries.push(path.parent().unwrap().to_owned());
        }
    });
    // With the loader and the libraries of that root, and no others.
    let libraries: Vec<&str> = libraries.iter().map(|path| path.to_str().unwrap()).collect();
    let output = Command::new(&loaders[0])
        .args(["--inhibit-cache", "--library-path", &libraries.join(":")])
        .arg(directory.join("usr/bin/pgtrack"))
        .args(["check", "--upstream", "postgresql://u@h/d"])
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    fs::remove_dir_all(directory).unwrap();
}

fn files(place: &Path, found: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found(&path) }
    }
}

#[test]
fn packages_take_files_that_there_are() {
    let manifest: toml::Table = read("cli/Cargo.toml").parse().unwrap();
    let metadata = &manifest["package"]["metadata"];
    let deb = metadata["deb"]["assets"].as_array().unwrap().iter().map(|asset| asset[0].as_str());
    let rpm = metadata["generate-rpm"]["assets"].as_array().unwrap();
    let rpm = rpm.iter().map(|asset| asset["source"].as_str());
    for source in deb.chain(rpm).map(Option::unwrap) {
        // What is built is not there yet, and * stands for several.
        let fixed = source.split('*').next().unwrap();
        let path = root().join("cli").join(fixed);
        let is_there = path.exists()
            || path.parent().is_some_and(|parent| {
                let start = path.file_name().unwrap().to_str().unwrap();
                fs::read_dir(parent).is_ok_and(|mut entries| {
                    entries.any(|entry| {
                        entry.unwrap().file_name().to_str().unwrap().starts_with(start)
                    })
                })
            });
        assert!(is_there || source.contains("target/"), "{source}");
    }
}

#[test]
fn the_bill_of_materials_names_every_crate_once_with_its_license() {
    let output = Command::new(root().join("scripts/sbom")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bill: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let components = bill["components"].as_array().unwrap();
    let lock: toml::Table = read("Cargo.lock").parse().unwrap();
    let locked: Vec<_> = lock["package"].as_array().unwrap().iter().collect();
    let mut names = BTreeSet::new();
    for component in components {
        let (name, version) = (&component["name"], &component["version"]);
        let package = locked.iter().find(|package| {
            package["name"].as_str() == name.as_str()
                && package["version"].as_str() == version.as_str()
        });
        let checksum = package.unwrap_or_else(|| panic!("{component}")).get("checksum");
        let hash = component.pointer("/hashes/0/content");
        let hash = hash.and_then(serde_json::Value::as_str);
        assert_eq!(hash, checksum.and_then(toml::Value::as_str), "{component}");
        assert!(component.pointer("/licenses/0/expression").is_some(), "{component}");
        assert!(names.insert(format!("{name} {version}")), "{component}");
    }
    let is_named = |name: &str| components.iter().any(|component| component["name"] == name);
    assert!(is_named("pgtrack-proxy") && is_named("tokio") && is_named("pg_query"));
    // It tests, and is no part of the program.
    assert!(!is_named("pgtrack-testkit"));
}

#[test]
fn the_unit_starts_what_there_is() {
    let unit = read("packaging/pgtrack.service");
    let options: BTreeSet<&str> =
        unit.split_whitespace().filter(|word| word.starts_with("--")).collect();
    assert_eq!(options, BTreeSet::from(["--config"]));
    assert!(unit.contains("Type=notify\n") && unit.contains("User=pgtrack\n"));
    // The folder of the spool that the example of a configuration names.
    assert!(read("config.example.toml").contains("\n#spool = \"/var/lib/pgtrack/audit.spool\"\n"));
    assert!(
        unit.contains("StateDirectory=pgtrack\n") && unit.contains("StateDirectoryMode=0700\n")
    );
}
