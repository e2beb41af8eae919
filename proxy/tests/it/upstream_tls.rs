//! TLS with the upstream, in the modes of libpq.

use std::net::SocketAddr;
use std::path::PathBuf;

use pgtrack_proxy::{Config, RootCertificates, SslMode, SslNegotiation, Upstream, UpstreamTls};
use pgtrack_testkit::{block_on, versions};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::{
    Certificates, Message, SSL_REQUEST, TestProxy, TlsServer, Wire, cancel_request, config, field,
    query, startup, until_true,
};

async fn proxy(server: &TlsServer, host: &str, upstream_tls: UpstreamTls) -> TestProxy {
    let upstream = Upstream { host: host.into(), port: server.address().port() };
    TestProxy::with(Config { upstream: upstream.into(), upstream_tls, ..server.config() }).await
}

fn mode(mode: SslMode) -> UpstreamTls {
    UpstreamTls { mode, ..UpstreamTls::default() }
}

fn trusting(mode: SslMode, authority: PathBuf) -> UpstreamTls {
    UpstreamTls { mode, root: Some(RootCertificates::File(authority)), ..UpstreamTls::default() }
}

/// Opens a session of a role; returns whether it is encrypted at the server, or the error.
async fn is_encrypted(proxy: &TestProxy, role: &str) -> Result<bool, Message> {
    let mut client = Wire::connect(proxy.address).await;
    client.send(&startup(&[("user", role), ("database", "postgres")])).await;
    let first = client.message().await;
    if first.tag == b'E' {
        return Err(first);
    }
    client.until(b'Z').await;
    let ssl = client.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await;
    Ok(ssl == "t")
}

#[track_caller]
fn check_unreachable(result: Result<bool, Message>, reason: &str) {
    let error = result.expect_err("the server is not to be trusted");
    assert_eq!(field(&error, b'C'), "57P03");
    assert!(field(&error, b'D').contains(reason), "{error:?}");
}

fn on_oldest_and_newest(body: impl AsyncFn(TlsServer, Certificates)) {
    let all = versions();
    for binaries in [&all[0], &all[all.len() - 1]] {
        block_on(async {
            let certificates = Certificates::new();
            body(TlsServer::start(binaries, &certificates).await, certificates).await;
        });
    }
}

#[test]
fn each_mode_trusts_whom_libpq_trusts() {
    on_oldest_and_newest(async |server, certificates| {
        for (mode_, encrypted) in
            [(SslMode::Disable, false), (SslMode::Prefer, true), (SslMode::Require, true)]
        {
            let proxy = proxy(&server, "127.0.0.1", mode(mode_)).await;
            assert_eq!(is_encrypted(&proxy, "postgres").await, Ok(encrypted));
        }
        let (ours, strangers) = (certificates.path("ca.crt"), Certificates::new());
        for (host, mode, authority, reason) in [
            ("127.0.0.1", SslMode::VerifyCa, &ours, None),
            ("localhost", SslMode::VerifyFull, &ours, None),
            // The certificate is for the name alone.
            ("127.0.0.1", SslMode::VerifyFull, &ours, Some("not valid for")),
            (
                "127.0.0.1",
                SslMode::VerifyCa,
                &strangers.path("ca.crt"),
                Some("invalid peer certificate"),
            ),
            (
                "localhost",
                SslMode::VerifyFull,
                &strangers.path("ca.crt"),
                Some("invalid peer certificate"),
            ),
            // An authority makes this as strict as `VerifyCa`.
            (
                "127.0.0.1",
                SslMode::Require,
                &strangers.path("ca.crt"),
                Some("invalid peer certificate"),
            ),
            // The certificate itself can be trusted in place of an authority.
            ("localhost", SslMode::VerifyFull, &certificates.path("server.crt"), None),
        ] {
            let proxy = proxy(&server, host, trusting(mode, authority.clone())).await;
            let result = is_encrypted(&proxy, "postgres").await;
            match reason {
                None => assert_eq!(result, Ok(true), "{host} {mode:?}"),
                Some(reason) => check_unreachable(result, reason),
            }
        }
    });
}

#[test]
fn prefer_takes_what_the_server_admits() {
    on_oldest_and_newest(async |server, _certificates| {
        let preferring = proxy(&server, "127.0.0.1", mode(SslMode::Prefer)).await;
        assert_eq!(is_encrypted(&preferring, "tls_only").await, Ok(true));
        assert_eq!(is_encrypted(&preferring, "plain_only").await, Ok(false));
        for (mode_, role) in [(SslMode::Require, "plain_only"), (SslMode::Disable, "tls_only")] {
            let strict = proxy(&server, "127.0.0.1", mode(mode_)).await;
            let refused = is_encrypted(&strict, role).await.unwrap_err();
            assert_eq!(field(&refused, b'C'), "28000");
        }
    });
}

#[test]
fn the_proxys_own_certificate_is_what_the_server_sees() {
    on_oldest_and_newest(async |server, certificates| {
        certificates.sign("certified", "certified", &[]);
        let identity = UpstreamTls {
            certificate: Some(certificates.path("certified.crt")),
            key: Some(certificates.path("certified.key")),
            ..mode(SslMode::Require)
        };
        let with = proxy(&server, "127.0.0.1", identity).await;
        assert_eq!(is_encrypted(&with, "certified").await, Ok(true));
        let without = proxy(&server, "127.0.0.1", mode(SslMode::Require)).await;
        let refused = is_encrypted(&without, "certified").await.unwrap_err();
        assert_eq!(field(&refused, b'C'), "28000");
    });
}

#[test]
fn direct_tls_works_where_the_server_knows_it() {
    on_oldest_and_newest(async |server, _certificates| {
        let direct = UpstreamTls { negotiation: SslNegotiation::Direct, ..mode(SslMode::Require) };
        let proxy = proxy(&server, "127.0.0.1", direct).await;
        let result = is_encrypted(&proxy, "postgres").await;
        if server.cluster.binaries().major() >= 17 {
            assert_eq!(result, Ok(true));
        } else {
            check_unreachable(result, "");
        }
    });
}

#[test]
fn case_71_a_cancel_request_is_encrypted_as_its_session_is() {
    on_oldest_and_newest(async |server, certificates| {
        let tls = trusting(SslMode::VerifyFull, certificates.path("ca.crt"));
        let (one, other) = (
            proxy(&server, "localhost", tls.clone()).await,
            proxy(&server, "localhost", tls).await,
        );
        let mut client = Wire::connect(one.address).await;
        client.send(&startup(&[("user", "postgres"), ("database", "postgres")])).await;
        let messages = client.until(b'Z').await;
        let key_data = messages.iter().find(|message| message.tag == b'K').unwrap();
        client.send(&query("SELECT pg_sleep(60)")).await;
        let observer = pgtrack_testkit::connect(&server.cluster.url("postgres")).await;
        let sleeps = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        until_true(&observer, sleeps).await;
        let mut canceller = Wire::connect(other.address).await;
        canceller.send(&cancel_request(&key_data.body)).await;
        assert_eq!(canceller.rest().await, b"");
        let messages = client.until(b'Z').await;
        let error = messages.iter().find(|message| message.tag == b'E').unwrap();
        assert_eq!(field(error, b'C'), "57014");
    });
}

/// A server that answers a request for TLS with these bytes.
async fn answering(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut server = Wire { stream };
            let mut request = [0; 8];
            server.stream.read_exact(&mut request).await.unwrap();
            assert_eq!(request, SSL_REQUEST);
            server.send(answer).await;
            server.rest().await;
        }
    });
    address
}

#[test]
fn case_06_bytes_that_the_upstream_stuffs_behind_its_answer_are_refused() {
    block_on(async {
        // `AuthenticationOk` and more, for a session that is believed to be encrypted.
        let stuffed = b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
        for answer in [stuffed.as_slice(), b"N", b"E\0\0\0\x08hello"] {
            let address = answering(answer).await;
            let proxy =
                TestProxy::with(Config { upstream_tls: mode(SslMode::Require), ..config(address) })
                    .await;
            let mut client = Wire::connect(proxy.address).await;
            client.send(&startup(&[("user", "ada")])).await;
            let error = client.message().await;
            assert_eq!(field(&error, b'C'), "57P03");
            assert_eq!(client.rest().await, b"");
        }
    });
}
