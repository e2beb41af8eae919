use std::path::Path;

use pgtrack_proxy::ListenAddress;

use super::{Config, File, parse};
use crate::args::ServeOptions;
use crate::error::Error;

fn report(text: &str) -> String {
    parse(text, Path::new("pgtrack.toml")).unwrap_err().report()
}

fn options(upstream: Option<&str>) -> ServeOptions {
    ServeOptions {
        config: None,
        upstream: upstream.map(str::to_owned),
        listen: None,
        dashboard: None,
    }
}

fn with_variables(text: &str, variables: &[(&str, &str)]) -> Result<Config, Error> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::assemble(text, Path::new("f"), &options(Some("postgresql://ada@h/d")), variables)
}

/// The keys that a table of the configuration knows, as its own refusal names them.
fn keys(table: &str) -> Vec<String> {
    let report = report(&format!("{table}no_such_key = 1\n"));
    let list = report.split("expected ").nth(1).unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_example_file_names_every_key_with_its_default() {
    let example = include_str!("../../../config.example.toml");
    let uncommented = |line: &'static str| {
        line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line)
    };
    let all_keys = example.lines().map(uncommented).collect::<Vec<_>>().join("\n");
    let file = parse(&all_keys, Path::new("config.example.toml")).unwrap();
    let default = File::default();
    // How many threads there are by default depends on the machine.
    let proxy = super::Proxy { threads: default.proxy.threads, ..file.proxy };
    assert_eq!(proxy, default.proxy);
    assert_eq!(file.dashboard, default.dashboard);
    assert!(file.upstream.is_some());
    assert_eq!(file.client_tls, default.client_tls);
    assert_eq!(file.upstream_tls, default.upstream_tls);
    assert_eq!(file.scram, default.scram);
    assert_eq!(file.audit, default.audit);
    let tables = ["proxy", "client_tls", "upstream_tls", "scram", "audit", "dashboard", "monitor"];
    for table in tables {
        let section = all_keys.split(&format!("\n[{table}]\n")).nth(1).expect(table);
        let section = section.split("\n[").next().unwrap();
        for key in keys(&format!("[{table}]\n")) {
            // A key without a default shows an example.
            let shown = ["\n", "\n#"].map(|start| format!("{start}{key} = "));
            let section = format!("\n{section}");
            assert!(shown.iter().any(|line| section.contains(line)), "[{table}] {key}");
        }
    }
    for key in keys("") {
        let place = if tables.contains(&key.as_str()) || key == "databases" {
            format!("\n[{key}]\n")
        } else if ["guard", "policy"].contains(&key.as_str()) {
            format!("\n#[[{key}]]\n")
        } else {
            format!("\n{key} = ")
        };
        assert!(all_keys.contains(&place), "{key}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_place_and_a_suggestion() {
    let report = report("upstream = \"postgresql://x\"\n[proxy]\nlisen = [\"127.0.0.1:1\"]\n");
    assert!(report.starts_with("pgtrack.toml: TOML parse error at line 3"), "{report}");
    assert!(report.contains("unknown field `lisen`"), "{report}");
    assert!(report.ends_with("hint: did you mean `listen`?"), "{report}");
}

#[test]
fn a_wrong_value_is_refused_with_its_place() {
    for (text, line, reason) in [
        ("[dashboard]\nlisten = \"here\"\n", "line 2", "socket address"),
        ("[proxy]\n\nlisten = [\"here\"]\n", "line 3", "is not an address to listen on"),
        ("[proxy]\nunix_socket_mode = \"999\"\n", "line 2", "octal"),
        ("[proxy]\nproxy_protocol_from = [\"10.0.0.0/99\"]\n", "line 2", "10.0.0.0/99"),
    ] {
        let report = report(text);
        assert!(report.contains(line) && report.contains(reason), "{report}");
    }
}

#[test]
fn environment_variables_override_the_file() {
    let file = "[proxy]\nmax_sessions = 1\nreuse_port = true\n";
    let variables = [
        ("PGTRACK_PROXY_MAX_SESSIONS", "7"),
        ("PGTRACK_PROXY_LISTEN", "127.0.0.1:1,/run/pgtrack/.s.PGSQL.1"),
        ("PGTRACK_PROXY_UNIX_SOCKET_MODE", "\"0700\""),
        ("PGTRACK_MONITOR_LISTEN", "127.0.0.1:9187"),
        ("PGTRACK_LOG", "debug"),
        ("HOME", "/root"),
    ];
    let config = with_variables(file, &variables).unwrap();
    assert_eq!((config.proxy.max_sessions, config.proxy.reuse_port), (7, true));
    assert_eq!(config.proxy.listen.len(), 2);
    assert_eq!(config.proxy.unix_socket_mode, 0o700);
    assert_eq!(config.monitor.listen, Some("127.0.0.1:9187".parse().unwrap()));

    let mistyped = with_variables(file, &[("PGTRACK_PROXY_MAX_SESSION", "7")]).unwrap_err();
    let report = mistyped.report();
    assert!(report.starts_with("environment: "), "{report}");
    assert!(report.ends_with("hint: did you mean `max_sessions`?"), "{report}");
}

#[test]
fn databases_have_upstreams_of_their_own() {
    let config = with_variables("[databases]\nshop = \"postgresql://ada@one,two/shop\"\n", &[]);
    let config = config.unwrap();
    let proxy = config.proxy.with_upstreams(&config.upstreams);
    assert_eq!(proxy.databases["shop"].to_string(), "one:5432,two:5432");
    assert_eq!(proxy.upstream.to_string(), "h:5432");
}

#[test]
fn the_command_line_wins_and_an_upstream_is_needed() {
    let listen = Some("127.0.0.1:7000".parse().unwrap());
    let given = ServeOptions { listen, ..options(Some("postgresql://ada@h/d")) };
    let config = Config::assemble("", Path::new("f"), &given, []).unwrap();
    assert_eq!(config.proxy.listen, ["127.0.0.1:7000".parse::<ListenAddress>().unwrap()]);
    assert_eq!(config.dashboard.listen.port(), 8080);
    let missing = Config::assemble("", Path::new("f"), &options(None), []).unwrap_err();
    assert!(missing.report().contains("hint: use `--upstream"));
}
