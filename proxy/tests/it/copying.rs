//! COPY in both directions.

use std::time::Duration;

use pgtrack_testkit::{Server, block_on, connect, newest, on_each_version};

use crate::support::{
    TestProxy, Wire, bind, copy_data, copy_done, execute, field, parse, peak_growth, query, sync,
    within,
};

/// About 100 MB in rows of 100 bytes.
const ROWS: usize = 1_000_000;

#[test]
fn copying_100_mb_in_and_out_needs_no_memory() {
    block_on(async {
        let database = Server::shared(&newest()).database().await;
        let proxy = TestProxy::before(database.server()).await;
        let mut client = Wire::session(proxy.address, database.name()).await;
        client.query("CREATE UNLOGGED TABLE t (line text)").await;
        let rows = copy_data(format!("{}\n", "x".repeat(99)).as_bytes()).repeat(1000);
        let growth = peak_growth(async {
            client.send(&query("COPY t FROM STDIN")).await;
            client.until(b'G').await;
            for _ in 0..ROWS / 1000 {
                client.send(&rows).await;
            }
            client.send(&copy_done()).await;
            let end = client.until(b'Z').await;
            assert_eq!(end[0].body, b"COPY 1000000\0");

            client.send(&query("COPY t TO STDOUT")).await;
            client.skip_until(b'Z').await;
        })
        .await;
        assert!(growth < 1024, "{growth} KiB");
        database.remove().await;
    });
}

#[test]
fn case_48_an_error_arrives_while_the_client_still_sends() {
    on_each_version(async |database| {
        let proxy = TestProxy::before(database.server()).await;
        let mut client = Wire::session(proxy.address, database.name()).await;
        client.query("CREATE TABLE t (number int)").await;
        client.send(&query("COPY t FROM STDIN")).await;
        client.until(b'G').await;
        client.send(&[copy_data(b"1\n"), copy_data(b"two\n")].concat()).await;
        // The server reads in larger portions before it looks.
        client.send(&copy_data(b"3\n").repeat(20_000)).await;
        let error = client.message().await;
        assert_eq!(field(&error, b'C'), "22P02");
        client.send(&[copy_data(b"4\n").repeat(20_000), copy_done()].concat()).await;
        client.until(b'Z').await;
        assert_eq!(client.value("SELECT count(*) FROM t").await, "0");
    });
}

#[test]
fn case_49_a_client_that_stops_reading_pauses_the_server() {
    block_on(async {
        let server = Server::shared(&newest());
        let proxy = TestProxy::before(server).await;
        let observer = connect(&server.url("postgres")).await;
        let mut client = Wire::session(proxy.address, "postgres").await;
        let growth = peak_growth(async {
            let copy = "COPY (SELECT repeat('x', 99) FROM generate_series(1, 1000000)) TO STDOUT";
            client.send(&query(copy)).await;
            let waits = "SELECT count(*) > 0 FROM pg_stat_activity
                WHERE query LIKE 'COPY (SELECT%' AND wait_event = 'ClientWrite'";
            crate::support::until_true(&observer, waits).await;
            client.skip_until(b'Z').await;
        })
        .await;
        assert!(growth < 1024, "{growth} KiB");
    });
}

#[test]
fn case_50_a_sync_within_a_copy_is_ignored_by_the_server() {
    on_each_version(async |database| {
        let proxy = TestProxy::before(database.server()).await;
        let mut client = Wire::session(proxy.address, database.name()).await;
        client.query("CREATE TABLE t (number int)").await;
        let copy = [
            parse("", "COPY t FROM STDIN"),
            bind("", "", &[]),
            execute("", 0),
            sync(),
            copy_data(b"1\n"),
            copy_done(),
            sync(),
        ];
        client.send(&copy.concat()).await;
        let messages = client.until(b'Z').await;
        let tags: Vec<u8> = messages.iter().map(|message| message.tag).collect();
        assert_eq!(tags, b"12GCZ");
        let nothing = within(Duration::from_secs(20), client.value("SELECT 'still in step'")).await;
        assert_eq!(nothing, "still in step");
    });
}
