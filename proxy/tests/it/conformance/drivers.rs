//! Drivers, with the features that applications use: psycopg (which is libpq), asyncpg, node-postgres.
//! `tokio-postgres` has a file of its own, `verbatim`, and is what most other tests here use.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pgtrack_proxy::{ClientTlsMode, Config, SslMode, UpstreamTls, VerifierQuery, VerifierSource};
use pgtrack_testkit::{block_on, newest, on_each_version};
use tokio::process::Command;

use super::{check_lines, check_same, output_of, url};
use crate::support::{Certificates, TestProxy, TlsServer};

/// A script of a driver.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name)
}

/// Something that `scripts/drivers` has installed.
fn installed(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let installed = root.join("target/drivers").join(path);
    assert!(installed.exists(), "the drivers are not installed; run scripts/drivers");
    installed
}

fn python(name: &str, connection: &str) -> Command {
    let mut command = Command::new(installed("python/bin/python"));
    command.arg("-B").arg(script(name)).arg(connection);
    command
}

fn node(name: &str, connection: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(script(name)).arg(connection).env("NODE_PATH", installed("node/node_modules"));
    command
}

fn check_driver(run: fn(&str) -> Command, lines: usize, last_line: &str) {
    on_each_version(async |database| {
        let output = check_same(&database, |address| run(&url(address, &database))).await;
        assert!(output.contains(last_line) && output.lines().count() > lines, "{output}");
        assert!(output.ends_with("\nexit status: 0\n"), "{output}");
    });
}

#[test]
fn psycopg() {
    check_driver(|url| python("psycopg_driver.py", url), 30, "concurrently: [1, 3, 6,");
}

#[test]
fn asyncpg() {
    check_driver(|url| python("asyncpg_driver.py", url), 25, "pooled: [0, 1, 2,");
}

#[test]
fn node_postgres() {
    check_driver(|url| node("node_postgres.cjs", url), 20, "pooled: [0,1,2,");
}

#[test]
fn every_driver_logs_in_with_scram_over_tls_on_both_legs() {
    block_on(async {
        let certificates = Certificates::new();
        certificates.sign("proxy", "localhost", &["localhost"]);
        let server = TlsServer::start(&newest(), &certificates).await;
        let admin = pgtrack_testkit::connect(&server.cluster.url("postgres")).await;
        admin.batch_execute("CREATE DATABASE d OWNER ada").await.unwrap();
        let query = VerifierQuery {
            user: "postgres".into(),
            password: None,
            database: "postgres".into(),
            sql: VerifierQuery::DEFAULT_SQL.into(),
        };
        let proxy = TestProxy::with(Config {
            client_tls: certificates.client_tls(ClientTlsMode::Require, "proxy"),
            upstream_tls: UpstreamTls { mode: SslMode::Require, ..UpstreamTls::default() },
            verifiers: Some(VerifierSource::Query(query)),
            ..server.config()
        })
        .await;
        let url = |address: SocketAddr, parameters: &str| {
            format!("postgresql://ada:secret@{address}/d{parameters}")
        };
        for parameters in ["?sslmode=require", "?sslmode=require&channel_binding=require"] {
            check_both(&server, &proxy, |address| {
                python("psycopg_driver.py", &url(address, parameters))
            })
            .await;
        }
        check_both(&server, &proxy, |address| {
            python("asyncpg_driver.py", &url(address, "?sslmode=require"))
        })
        .await;
        for binding in ["unbound", "bound"] {
            check_both(&server, &proxy, |address| {
                let mut command = node("node_postgres.cjs", &url(address, ""));
                command.env("CONFORMANCE_TLS", binding);
                command
            })
            .await;
        }
    });
}

/// As `check_same`, where a recorder would see nothing.
async fn check_both(
    server: &TlsServer,
    proxy: &TestProxy,
    command: impl Fn(SocketAddr) -> Command,
) {
    let directly = output_of(command(server.address()), server.address()).await;
    let through_proxy = output_of(command(proxy.address), proxy.address).await;
    check_lines(&directly, &through_proxy);
    assert!(directly.ends_with("\nexit status: 0\n"), "{directly}");
}

#[test]
fn case_10_and_21_the_newest_libpq_uses_direct_tls_and_protocol_3_2() {
    block_on(async {
        let certificates = Certificates::new();
        certificates.sign("proxy", "localhost", &["localhost"]);
        let server = TlsServer::start(&newest(), &certificates).await;
        let proxy = TestProxy::with(Config {
            client_tls: certificates.client_tls(ClientTlsMode::Require, "proxy"),
            ..server.config()
        })
        .await;
        // The server must know 3.2, or else libpq is told so and refuses.
        let version = if server.cluster.binaries().major() >= 18 { "3.2" } else { "3.0" };
        let connection = format!(
            "host=127.0.0.1 port={} user=postgres dbname=postgres sslmode=require sslnegotiation=direct \
             min_protocol_version={version} max_protocol_version={version}",
            proxy.address.port()
        );
        let code = "import psycopg, sys\n\
            connection = psycopg.connect(sys.argv[1])\n\
            print(connection.pgconn.ssl_in_use, connection.execute('SELECT 1').fetchone())";
        let mut command = Command::new(installed("python/bin/python"));
        command.args(["-c", code, &connection]);
        let output = output_of(command, proxy.address).await;
        assert_eq!(output, "True (1,)\n\nexit status: 0\n");
    });
}
