//! Replication by hand, on every version: both sides of `COPY BOTH`.

use std::net::Ipv4Addr;

use pgtrack_testkit::{Cluster, block_on, connect, own_server, versions};

use crate::support::{TestProxy, Wire, copy_data, copy_done, query, startup};

/// A standby's status update that asks for an answer; manual, "Standby status update".
fn status_update() -> Vec<u8> {
    let mut body = vec![b'r'];
    body.extend([0; 4 * 8]);
    body.push(1);
    copy_data(&body)
}

async fn replication(server: &Cluster, proxy: &TestProxy, value: &str) -> Wire {
    let mut client = Wire::connect(proxy.address).await;
    let parameters = [("user", "postgres"), ("database", "postgres"), ("replication", value)];
    client.send(&startup(&parameters)).await;
    client.until(b'Z').await;
    let admin = connect(&server.url("postgres")).await;
    admin.batch_execute("CREATE TABLE IF NOT EXISTS t (text text)").await.unwrap();
    client
}

/// Starts a stream, sees a change in it, keeps the server informed, and ends it.
async fn check_stream(server: &Cluster, mut client: Wire, start: &str) {
    client.send(&query(start)).await;
    assert_eq!(client.message().await.tag, b'W');
    let admin = connect(&server.url("postgres")).await;
    admin.batch_execute("INSERT INTO t VALUES ('something to replicate')").await.unwrap();
    let text = b"something to replicate";
    loop {
        let message = client.message().await;
        assert_eq!(message.tag, b'd');
        if message.body.windows(text.len()).any(|window| window == text) {
            break;
        }
    }
    client.send(&status_update()).await;
    while client.message().await.body.first() != Some(&b'k') {}
    client.send(&copy_done()).await;
    let end = client.until(b'Z').await;
    let tags: Vec<u8> =
        end.iter().map(|message| message.tag).skip_while(|tag| *tag == b'd').collect();
    assert!(tags.starts_with(b"c") && tags.ends_with(b"CZ"), "{}", tags.escape_ascii());
    // The session goes on.
    client.query("IDENTIFY_SYSTEM").await;
}

fn on_oldest_and_newest(body: impl AsyncFn(Cluster, TestProxy)) {
    let all = versions();
    for binaries in [&all[0], &all[all.len() - 1]] {
        block_on(async {
            let server = own_server(binaries, &[("wal_level", "logical")]);
            let proxy = TestProxy::to((Ipv4Addr::LOCALHOST, server.port()).into()).await;
            body(server, proxy).await;
        });
    }
}

#[test]
fn case_51_physical_replication() {
    on_oldest_and_newest(async |server, proxy| {
        let client = replication(&server, &proxy, "true").await;
        let admin = connect(&server.url("postgres")).await;
        let row = admin.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await.unwrap();
        let start = format!("START_REPLICATION PHYSICAL {}", row.get::<_, &str>(0));
        check_stream(&server, client, &start).await;
    });
}

#[test]
fn case_51_logical_replication() {
    on_oldest_and_newest(async |server, proxy| {
        let mut client = replication(&server, &proxy, "database").await;
        client.query("CREATE PUBLICATION p FOR TABLE t").await;
        client.query("CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput").await;
        let start =
            "START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'p')";
        check_stream(&server, client, start).await;
    });
}
