//! How sessions end, and what does not end with them.

use std::fs;
use std::time::Duration;

use pgtrack_testkit::{Server, block_on, connect, newest, on_each_version, own_server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::{
    Scripted, TestProxy, Wire, field, message, on_each_server, query, startup, terminate,
    until_true, within,
};

#[test]
fn case_62_a_client_that_sends_no_more_still_gets_its_answer() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::session(proxy.address, "postgres").await;
        let slow = "SELECT repeat('x', 1000000) FROM pg_sleep(0.1)";
        client.send(&query(slow)).await;
        client.stream.shutdown().await.unwrap();
        let messages = client.messages_to_end().await;
        let tags: Vec<u8> = messages.iter().map(|message| message.tag).collect();
        assert_eq!(tags, b"TDCZ");
        assert_eq!(messages[1].body.len(), 6 + 1_000_000);
    });
}

#[test]
fn case_63_a_reset_of_the_client_reaches_the_server_at_once() {
    on_each_version(async |database| {
        let proxy = TestProxy::before(database.server()).await;
        let observer = database.connect().await;
        let mut client = Wire::session(proxy.address, database.name()).await;
        client.query("SET client_connection_check_interval = '10ms'").await;
        client.send(&query("SELECT 'reset', pg_sleep(60)")).await;
        let is_active = "SELECT count(*) = 1 FROM pg_stat_activity
            WHERE query LIKE '%reset%' AND state = 'active' AND pid <> pg_backend_pid()";
        until_true(&observer, is_active).await;
        // Without lingering, the system resets the connection.
        socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        until_true(&observer, &is_active.replace("= 1", "= 0")).await;
    });
}

#[test]
fn case_64_a_terminated_session_is_told_why() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::session(proxy.address, "postgres").await;
        let pid = client.value("SELECT pg_backend_pid()").await;
        let administrator = connect(&server.url("postgres")).await;
        let terminate = format!("SELECT pg_terminate_backend({pid})");
        administrator.batch_execute(&terminate).await.unwrap();
        let messages = client.messages_to_end().await;
        assert_eq!(messages.len(), 1);
        assert_eq!(field(&messages[0], b'C'), "57P01");
    });
}

#[test]
fn the_last_words_arrive_while_the_client_is_sending() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        let mut server = upstream.admit().await;
        client.until(b'Z').await;
        let last_words = message(b'E', b"SFATAL\0C57P01\0\0");
        server.send(&last_words).await;
        // Closing with unread bytes resets the connection to the proxy.
        client.send(&query(&"x".repeat(1_000_000))).await;
        drop(server);
        assert_eq!(client.rest().await, last_words);
    });
}

#[test]
fn a_client_that_sends_more_than_is_read_is_not_reset() {
    block_on(async {
        let closed = Scripted::listen().await.address;
        let proxy = TestProxy::to(closed).await;
        let mut client = Wire::connect(proxy.address).await;
        let unread = query(&"x".repeat(100_000));
        client.send(&[startup(&[("user", "ada")]), unread].concat()).await;
        assert_eq!(field(&client.message().await, b'C'), "57P03");
        assert_eq!(client.stream.read(&mut [0]).await.unwrap(), 0);
        // On some systems a reset would have taken the message along.
        assert!(client.stream.take_error().unwrap().is_none());
    });
}

#[test]
fn case_65_a_crash_of_the_server_ends_sessions_and_nothing_else() {
    block_on(async {
        let mut server = own_server(&newest(), &[]);
        let proxy = TestProxy::to(([127, 0, 0, 1], server.port()).into()).await;
        let url = format!("postgresql://postgres@{}/postgres", proxy.address);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        server.crash().unwrap();
        let _ = within(Duration::from_secs(20), connection).await;
        assert!(client.is_closed());

        let refused = tokio_postgres::connect(&url, NoTls).await.err().unwrap();
        assert_eq!(refused.code(), Some(&SqlState::CANNOT_CONNECT_NOW));
        // Until the last orphaned backend is gone, the server refuses to start.
        let restarted =
            std::iter::repeat_with(|| server.start_again()).take(100).find_map(Result::ok);
        assert!(restarted.is_some());
        connect(&url).await.batch_execute("SELECT 1").await.unwrap();
    });
}

#[test]
fn case_66_a_server_that_is_starting_up_speaks_for_itself() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        let (mut server, _packet) = upstream.accept().await;
        let error =
            message(b'E', b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0");
        server.send(&error).await;
        drop(server);
        assert_eq!(client.rest().await, error);
    });
}

#[test]
fn case_78_many_short_sessions_leave_nothing_behind() {
    block_on(async {
        let server = Server::shared(&newest());
        let proxy = TestProxy::before(server).await;
        let open_files = || fs::read_dir("/proc/self/fd").unwrap().count();
        let mut before = 0;
        for round in 0..200 {
            let mut client = Wire::session(proxy.address, "postgres").await;
            client.send(&terminate()).await;
            assert_eq!(client.rest().await, b"");
            if round == 0 {
                before = open_files();
            }
        }
        within(Duration::from_secs(20), async {
            while open_files() > before {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(proxy.counters.sessions.value(), 200);
    });
}
