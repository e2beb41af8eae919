//! How the database is found, and how the way to it is protected.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use pgtrack_testkit::{newest, own_server};

use super::support::on_shop;
use crate::program::pgtrack;

#[test]
fn the_environment_names_the_database() {
    on_shop(async |shop| {
        let home = std::env::temp_dir().join(format!("pgtrack-home-{}", shop.database.name()));
        fs::create_dir_all(&home).unwrap();
        let port = shop.database.server().port().to_string();
        let name = shop.database.name();
        let service =
            format!("[shop]\nhost=127.0.0.1\nport={port}\ndbname={name}\nuser=postgres\n");
        fs::write(home.join(".pg_service.conf"), service).unwrap();
        for variables in [
            vec![
                ("PGHOST", "127.0.0.1"),
                ("PGPORT", &port),
                ("PGUSER", "postgres"),
                ("PGDATABASE", name),
            ],
            vec![("PGSERVICE", "shop")],
        ] {
            let output = pgtrack()
                .args(["log", "--oneline"])
                .env("HOME", &home)
                .envs(variables)
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3);
        }
        fs::remove_dir_all(home).unwrap();
    });
}

#[test]
fn mistakes_are_answered_with_what_to_do() {
    for (arguments, expected) in [
        (["log", "--db", "mysql://h/d"], "it should begin with postgresql://"),
        (
            ["log", "--db", "postgresql://u@127.0.0.1:1/d"],
            "could not connect to database `d` at 127.0.0.1:1 as `u`",
        ),
        (
            ["log", "--db", "postgresql://u@h/d?sslmode=on"],
            "it is disable, allow, prefer, require, verify-ca or verify-full",
        ),
    ] {
        let output = pgtrack().args(arguments).env("HOME", "/nonexistent").output().unwrap();
        let report = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(report.contains(expected), "{report}");
    }
}

#[test]
fn encryption_is_as_sslmode_says() {
    let directory = std::env::temp_dir().join(format!("pgtrack-tls-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = directory.join("server.crt");
    fs::write(&certificate, made.cert.pem()).unwrap();
    let server = own_server(&newest(), &[]);
    let url = server.url("postgres");
    let port = server.port();
    let run = |url: &str| {
        let output =
            pgtrack().args(["install", "--db", url]).env("HOME", "/nonexistent").output().unwrap();
        let report = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.code(), report)
    };
    // Without TLS on the server, what asks for it is refused.
    assert_eq!(run(&url).0, Some(0));
    let (code, report) = run(&format!("{url}?sslmode=require"));
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("server does not support TLS"), "{report}");

    let setting = |name: &str, value: &str| {
        crate::program::psql(&url, &format!("ALTER SYSTEM SET {name} = '{value}'"));
    };
    let copy = |name: &str, content: &str| {
        crate::program::psql(
            &url,
            &format!(
                "COPY (SELECT unnest(string_to_array(trim($x${content}$x$), E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
            ),
        );
    };
    copy("server.crt", &made.cert.pem());
    copy("server.key", &made.signing_key.serialize_pem());
    setting("ssl", "on");
    crate::program::psql(&url, "SELECT pg_reload_conf()");
    let is_on = || {
        run(&format!("postgresql://postgres@localhost:{port}/postgres?sslmode=require")).0
            == Some(0)
    };
    let started = std::time::Instant::now();
    while !is_on() {
        assert!(started.elapsed().as_secs() < 20, "the server takes up TLS");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let root = certificate.to_str().unwrap();
    for (host, parameters, expected) in [
        ("localhost", format!("sslmode=verify-full&sslrootcert={root}"), Some(0)),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={root}"), Some(0)),
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={root}"), Some(1)),
        ("localhost", "sslmode=verify-full&sslrootcert=system".to_owned(), Some(1)),
        ("localhost", "sslmode=verify-full".to_owned(), Some(1)),
        ("localhost", "sslmode=disable".to_owned(), Some(0)),
    ] {
        let (code, report) =
            run(&format!("postgresql://postgres@{host}:{port}/postgres?{parameters}"));
        assert_eq!(code, expected, "{host} {parameters}: {report}");
    }
    // What serve does for itself goes the same way, on a server that admits nothing else.
    let only_tls = "hostssl all all all trust";
    crate::program::psql(
        &url,
        &format!("COPY (SELECT '{only_tls}') TO PROGRAM 'cat > pg_hba.conf'"),
    );
    crate::program::psql(&url, "SELECT pg_reload_conf()");
    let started = std::time::Instant::now();
    while run(&format!("{url}?sslmode=disable")).0 == Some(0) {
        assert!(started.elapsed().as_secs() < 20, "the server takes up its rules");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(run(&url).0, Some(0));
    assert_eq!(served(&format!("{url}?sslmode=require")), "1.0");
    fs::remove_dir_all(directory).unwrap();
}

/// The version that is found in a new database through `serve`, which has to install it first.
fn served(upstream: &str) -> String {
    let mut process = pgtrack()
        .args([
            "serve",
            "--upstream",
            upstream,
            "--listen",
            "127.0.0.1:0",
            "--dashboard",
            "127.0.0.1:0",
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(process.stderr.take().unwrap());
    let mut lines = log.lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.split("proxy listens on ").nth(1).map(str::to_owned));
    let address = address.unwrap();
    // The log has to be read, or it would fill up.
    let reading = std::thread::spawn(move || lines.count());
    let url = |database: &str| format!("postgresql://postgres@{address}/{database}");
    crate::program::psql(&url("postgres"), "CREATE DATABASE fresh");
    let asked = std::time::Instant::now();
    let version = loop {
        let output = crate::program::run_psql(&url("fresh"), "SELECT pgtrack.version()");
        if output.status.success() {
            break String::from_utf8(output.stdout).unwrap().trim().to_owned();
        }
        assert!(asked.elapsed().as_secs() < 20, "{}", String::from_utf8_lossy(&output.stderr));
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    process.kill().unwrap();
    process.wait().unwrap();
    reading.join().unwrap();
    version
}
