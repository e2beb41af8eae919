//! Where the proxy listens, and whom it believes.

use std::net::{Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pgtrack_proxy::{Config, ListenAddress, ListenOptions, Proxy};
use pgtrack_testkit::{block_on, on_each_version};
use tokio_postgres::config::Host;

use crate::support::{Scripted, TestProxy, Wire, config, server_address, startup};

#[test]
fn clients_reach_it_over_ipv6() {
    on_each_version(async |database| {
        let listen = vec![SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into()];
        let limits = Config { listen, ..config(server_address(database.server())) };
        let proxy = TestProxy::with(limits).await;
        let client = proxy.connect(database.name()).await;
        let row = client.query_one("SHOW pgtrack.ctx", &[]).await.unwrap();
        assert!(row.get::<_, &str>(0).starts_with("2 ::1 "));
    });
}

#[test]
fn clients_reach_it_over_a_unix_socket_that_leaves_with_it() {
    on_each_version(async |database| {
        let directory = std::env::temp_dir().join(database.name());
        std::fs::create_dir(&directory).unwrap();
        let socket = directory.join(".s.PGSQL.6432");
        // Somebody was killed here.
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let settings = Config {
            listen: vec![
                ListenAddress::Unix(socket.clone()),
                SocketAddr::from(([127, 0, 0, 1], 0)).into(),
            ],
            listen_options: ListenOptions { unix_socket_mode: 0o700, ..ListenOptions::default() },
            ..config(server_address(database.server()))
        };
        let mut proxy = TestProxy::with(settings.clone()).await;
        let mode = std::fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let context = context_over(&directory, 6432, database.name()).await;
        assert!(context.starts_with("2 - - "), "{context}");

        let provision = std::sync::Arc::new(|_database: String| async { Ok(None) });
        let second = Proxy::bind(settings, provision).await.err().expect("it is taken");
        assert!(second.to_string().contains(".s.PGSQL.6432"), "{second}");
        proxy.shut_down();
        proxy.ended().await;
        assert!(!socket.exists());
        std::fs::remove_dir(&directory).unwrap();
    });
}

async fn context_over(directory: &Path, port: u16, database: &str) -> String {
    let mut settings = tokio_postgres::Config::new();
    settings.host_path(directory).port(port).user("postgres").dbname(database);
    assert!(matches!(settings.get_hosts(), [Host::Unix(_)]));
    let (client, connection) = settings.connect(tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let row = client.query_one("SHOW pgtrack.ctx", &[]).await.unwrap();
    connection.abort();
    row.get(0)
}

#[test]
fn two_proxies_can_share_a_port() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let listen_options = ListenOptions { reuse_port: true, ..ListenOptions::default() };
        let first = TestProxy::with(Config { listen_options, ..config(upstream.address) }).await;
        let listen = vec![first.address.into()];
        let settings = Config { listen, listen_options, ..config(upstream.address) };
        let mut second = TestProxy::with(settings).await;
        assert_eq!(first.address, second.address);
        // When one leaves, the other serves everybody.
        second.shut_down();
        second.ended().await;
        let mut client = Wire::connect(first.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        upstream.admit().await;
        client.until(b'Z').await;
    });
}

#[test]
fn case_80_a_trusted_load_balancer_names_the_client() {
    on_each_version(async |database| {
        let proxy_protocol_from = vec!["127.0.0.0/8".parse().unwrap()];
        let settings = Config { proxy_protocol_from, ..config(server_address(database.server())) };
        let proxy = TestProxy::with(settings).await;
        let version_2 = |command: u8, family: u8, rest: &[u8]| {
            let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
            [b"\r\n\r\n\0\r\nQUIT\n".as_slice(), &[command, family], &length, rest].concat()
        };
        let v4 = [203, 0, 113, 7, 10, 0, 0, 1, 0xd4, 0x31, 0x15, 0x38];
        for (header, expected) in [
            (b"PROXY TCP4 203.0.113.7 10.0.0.1 54321 5432\r\n".to_vec(), "2 203.0.113.7 54321 "),
            (b"PROXY TCP6 2001:db8::1 ::1 5 6\r\n".to_vec(), "2 2001:db8::1 5 "),
            (b"PROXY UNKNOWN\r\n".to_vec(), "2 127.0.0.1 "),
            (version_2(0x21, 0x11, &v4), "2 203.0.113.7 54321 "),
            (version_2(0x20, 0x00, b""), "2 127.0.0.1 "),
        ] {
            let mut client = Wire::connect(proxy.address).await;
            let who = startup(&[("user", "postgres"), ("database", database.name())]);
            client.send(&[header.as_slice(), &who].concat()).await;
            client.until(b'Z').await;
            let context = client.value("SHOW pgtrack.ctx").await;
            assert!(context.starts_with(expected), "{context}");
        }
        // It must say so.
        let mut silent = Wire::connect(proxy.address).await;
        silent.send(&startup(&[("user", "postgres"), ("database", database.name())])).await;
        silent.send(&[b'x'; 200]).await;
        assert_eq!(silent.rest().await, b"");
    });
}

#[test]
fn case_80_a_header_from_anybody_else_is_no_startup_packet() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy_protocol_from = vec!["10.0.0.0/8".parse().unwrap()];
        let settings = Config { proxy_protocol_from, ..config(upstream.address) };
        let proxy = TestProxy::with(settings).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(b"PROXY TCP4 203.0.113.7 10.0.0.1 54321 5432\r\n").await;
        client.send(&startup(&[("user", "ada")])).await;
        assert_eq!(client.rest().await, b"");
        assert_eq!(proxy.counters.violations.value(), 1);
    });
}
