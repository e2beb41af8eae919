//! Authentication, which the proxy only relays.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use pgtrack_proxy::{Config, Upstream};
use pgtrack_testkit::{Cluster, block_on, connect, own_server, versions};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, NoTls};

use crate::support::{Scripted, TestProxy, Wire, config, message, startup};

/// Each role is authenticated by the method of its name.
const HBA: &str = "
local all all trust
host all postgres 127.0.0.1/32 trust
host all scram 127.0.0.1/32 scram-sha-256
host all md5 127.0.0.1/32 md5
host all cleartext 127.0.0.1/32 password
";

async fn server_with_passwords(binaries: &pgtrack_testkit::Binaries) -> Cluster {
    let mut server = own_server(binaries, &[]);
    connect(&server.url("postgres"))
        .await
        .batch_execute(
            "CREATE ROLE scram LOGIN PASSWORD 'secret'; CREATE ROLE cleartext LOGIN PASSWORD 'secret';
             SET password_encryption = 'md5'; CREATE ROLE md5 LOGIN PASSWORD 'secret'",
        )
        .await
        .unwrap();
    server.stop().unwrap();
    fs::write(server.directory().join("data/pg_hba.conf"), HBA).unwrap();
    server.start_again().unwrap();
    server
}

async fn log_in(address: SocketAddr, role: &str, password: &str) -> Result<Client, Error> {
    let url = format!("postgresql://{role}:{password}@{address}/postgres");
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[test]
fn case_25_and_28_passwords_are_checked_by_the_server_in_every_method() {
    let all = versions();
    for binaries in [&all[0], &all[all.len() - 1]] {
        block_on(async {
            let server = server_with_passwords(binaries).await;
            let direct = (Ipv4Addr::LOCALHOST, server.port()).into();
            let proxy = TestProxy::to(direct).await;
            for role in ["scram", "md5", "cleartext"] {
                let client = log_in(proxy.address, role, "secret").await.unwrap();
                let row = client.query_one("SELECT session_user::text", &[]).await.unwrap();
                assert_eq!(row.get::<_, &str>(0), role);

                let refused = log_in(proxy.address, role, "wrong").await.err().unwrap();
                assert_eq!(refused.code(), Some(&SqlState::INVALID_PASSWORD));
                let directly = log_in(direct, role, "wrong").await.err().unwrap();
                assert_eq!(refused.to_string(), directly.to_string());
            }
        });
    }
}

#[test]
fn the_upstream_can_be_reached_over_its_unix_socket() {
    block_on(async {
        let server = own_server(&pgtrack_testkit::newest(), &[]);
        let host = server.directory().to_str().unwrap().to_owned();
        let upstream = Upstream { host, port: server.port() };
        let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
        let proxy = TestProxy::with(Config { upstream: upstream.into(), ..config(anywhere) }).await;
        let client = log_in(proxy.address, "postgres", "").await.unwrap();
        let row = client
            .query_one("SELECT inet_client_addr() IS NULL, current_setting('pgtrack.ctx')", &[])
            .await
            .unwrap();
        assert!(row.get::<_, bool>(0), "the server sees a unix socket");
        assert!(row.get::<_, &str>(1).starts_with("2 127.0.0.1 "), "the context names the client");
    });
}

#[test]
fn case_29_a_token_of_60_kb_is_relayed() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        let (mut server, _packet) = upstream.accept().await;
        let sasl = message(b'R', b"\0\0\0\x0aOAUTHBEARER\0\0");
        server.send(&sasl).await;
        assert_eq!(client.message().await.body, sasl[5..]);
        let token = vec![b'x'; 60_000];
        client.send(&message(b'p', &token)).await;
        let received = server.message().await;
        assert_eq!((received.tag, received.body), (b'p', token));
    });
}
