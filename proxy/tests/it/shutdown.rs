//! A shutdown of the proxy under its sessions.

use std::time::Duration;

use pgtrack_proxy::Config;
use pgtrack_testkit::{block_on, on_each_version};
use tokio::net::TcpStream;

use crate::support::{
    Message, Scripted, TestProxy, Wire, config, field, query, server_address, startup, until_true,
    within,
};

fn check_told(messages: &[Message]) {
    let last = messages.last().expect("the client is told");
    assert_eq!(field(last, b'C'), "57P01");
    assert_eq!(field(last, b'M'), "terminating connection due to administrator command");
}

/// Waits until nobody is accepted: another thread closes the socket than the one that ends a session.
async fn until_refused(proxy: &TestProxy) {
    within(Duration::from_secs(20), async {
        while TcpStream::connect(proxy.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[test]
fn case_72_idle_sessions_end_at_once_and_transactions_when_they_are_over() {
    on_each_version(async |database| {
        let mut proxy = TestProxy::before(database.server()).await;
        let mut idle = Wire::session(proxy.address, database.name()).await;
        let mut busy = Wire::session(proxy.address, database.name()).await;
        idle.query("SELECT 1").await;
        busy.query("CREATE TABLE t (number int)").await;
        busy.query("BEGIN").await;

        proxy.shut_down();
        check_told(&idle.messages_to_end().await);
        drop(idle);
        until_refused(&proxy).await;

        busy.query("INSERT INTO t VALUES (1)").await;
        busy.query("COMMIT").await;
        check_told(&busy.messages_to_end().await);
        drop(busy);
        proxy.ended().await;
        let client = database.connect().await;
        until_true(&client, "SELECT count(*) = 1 FROM t").await;
    });
}

#[test]
fn case_72_busy_sessions_end_at_the_deadline() {
    on_each_version(async |database| {
        let limits = Config {
            drain_timeout: Duration::from_millis(200),
            ..config(server_address(database.server()))
        };
        let mut proxy = TestProxy::with(limits).await;
        let mut busy = Wire::session(proxy.address, database.name()).await;
        busy.send(&query("SELECT pg_sleep(60)")).await;
        proxy.shut_down();
        check_told(&busy.messages_to_end().await);
        drop(busy);
        proxy.ended().await;
        let backends = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE query = 'SELECT pg_sleep(60)' AND datname = current_database()";
        database.connect().await.batch_execute(backends).await.unwrap();
    });
}

#[test]
fn a_message_that_is_under_way_is_not_interrupted_by_another() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let limits =
            Config { drain_timeout: Duration::from_millis(100), ..config(upstream.address) };
        let mut proxy = TestProxy::with(limits).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        let mut server = upstream.admit().await;
        client.until(b'Z').await;
        server.send(b"D\0\0\0\xffthe first part").await;
        assert_eq!(client.header().await, (b'D', 0xff - 4));
        proxy.shut_down();
        assert_eq!(client.rest().await, b"the first part");
        drop(client);
        proxy.ended().await;
    });
}

#[test]
fn a_connection_without_a_session_ends_without_a_word() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let mut proxy = TestProxy::to(upstream.address).await;
        let mut opening = Wire::connect(proxy.address).await;
        opening.send(&startup(&[("user", "ada")])[..10]).await;
        let mut waiting = Wire::connect(proxy.address).await;
        waiting.send(&startup(&[("user", "ada")])).await;
        let (_server, _packet) = upstream.accept().await;
        proxy.shut_down();
        assert_eq!(opening.rest().await, b"");
        check_told(&waiting.messages_to_end().await);
        drop(waiting);
        proxy.ended().await;
    });
}
