//! The server itself: slow clients, many connections, and the end.

use std::time::Duration;

use pgtrack_testkit::{Server, newest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::{on_site, start};

#[test]
fn it_serves_until_it_is_stopped() {
    on_site(async |site| {
        let dashboard = start(&site.database.url(), false).await;
        let address = dashboard.local_address();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(dashboard.run(shutdown.clone()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
        for _ in 0..2 {
            stream.write_all(request).await.unwrap();
            let mut answer = vec![0; 4096];
            let length = stream.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
            assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok\n"), "{answer}");
        }
        shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(10), serving)
            .await
            .expect("an idle connection does not hold it up")
            .unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "the connection was closed");
        assert!(TcpStream::connect(address).await.is_err());
    });
}

#[test]
fn a_client_that_does_not_say_what_it_wants_is_cut_off() {
    pgtrack_testkit::block_on(async {
        let server = Server::shared(&newest());
        let database = server.database().await;
        let dashboard = start(&database.url(), false).await;
        let address = dashboard.local_address();
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(dashboard.run(shutdown.clone()));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow: ").await.unwrap();
        let mut answer = Vec::new();
        let end =
            tokio::time::timeout(Duration::from_secs(25), stream.read_to_end(&mut answer)).await;
        assert!(end.is_ok(), "the connection is still open");
        shutdown.cancel();
        serving.await.unwrap();
        database.remove().await;
    });
}
