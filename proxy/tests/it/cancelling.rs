//! Cancel requests.

use std::time::Duration;

use pgtrack_testkit::{block_on, on_each_version};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::{
    Scripted, TestProxy, Wire, cancel_request, field, on_each_server, query, startup_version,
    until_true,
};

/// The statement that is to be cancelled; its text tells it apart in `pg_stat_activity`.
const SLEEP: &str = "SELECT pg_sleep(60)";
const IS_SLEEPING: &str = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' \
     AND state = 'active' AND datname = current_database()";

#[test]
fn case_69_a_cancel_request_ends_the_statement() {
    on_each_version(async |database| {
        let proxy = TestProxy::before(database.server()).await;
        let client = proxy.connect(database.name()).await;
        let observer = database.connect().await;
        let token = client.cancel_token();
        let sleeping = tokio::spawn(async move { client.batch_execute(SLEEP).await });
        until_true(&observer, IS_SLEEPING).await;
        token.cancel_query(NoTls).await.unwrap();
        let error = sleeping.await.unwrap().unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
        assert_eq!(proxy.counters.cancels.value(), 1);
    });
}

#[test]
fn case_69_the_client_is_released_only_after_the_server_has_closed() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        let request = cancel_request(&[0, 0, 0, 1, 0, 0, 0, 2]);
        let mut client = Wire::connect(proxy.address).await;
        client.send(&request).await;
        let (server, received) = upstream.accept().await;
        assert_eq!(received, request);

        let mut end_of_stream = Box::pin(client.rest());
        let early = tokio::time::timeout(Duration::from_millis(100), &mut end_of_stream).await;
        assert!(early.is_err(), "the client was released before the server acted");
        drop(server);
        assert_eq!(end_of_stream.await, b"");
    });
}

#[test]
fn case_70_an_unknown_key_is_closed_without_a_word() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&cancel_request(&[0, 0, 0, 1, 1, 2, 3, 4])).await;
        assert_eq!(client.rest().await, b"");
    });
}

#[test]
fn case_71_another_proxy_cancels_just_as_well_and_with_a_long_key() {
    on_each_version(async |database| {
        let (one, other) = (
            TestProxy::before(database.server()).await,
            TestProxy::before(database.server()).await,
        );
        let observer = database.connect().await;
        // Version 3.2 has keys of 32 bytes where the server knows it.
        let mut client = Wire::connect(one.address).await;
        let parameters = [("user", "postgres"), ("database", database.name())];
        client.send(&startup_version([0, 3, 0, 2], &parameters)).await;
        let messages = client.until(b'Z').await;
        let key_data = messages.iter().find(|message| message.tag == b'K').unwrap();

        client.send(&query(SLEEP)).await;
        until_true(&observer, IS_SLEEPING).await;
        let mut canceller = Wire::connect(other.address).await;
        canceller.send(&cancel_request(&key_data.body)).await;
        assert_eq!(canceller.rest().await, b"");
        let messages = client.until(b'Z').await;
        let error = messages.iter().find(|message| message.tag == b'E').unwrap();
        assert_eq!(field(error, b'C'), "57014");
    });
}

#[test]
fn a_request_that_cannot_be_forwarded_is_closed_without_a_word() {
    block_on(async {
        let closed = Scripted::listen().await.address;
        let proxy = TestProxy::to(closed).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&cancel_request(&[0, 0, 0, 1, 1, 2, 3, 4])).await;
        assert_eq!(client.rest().await, b"");
    });
}
