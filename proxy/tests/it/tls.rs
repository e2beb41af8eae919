//! TLS with clients.

use pgtrack_proxy::{ClientTls, ClientTlsMode, Config, Error};
use pgtrack_testkit::{Server, block_on, newest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::support::{
    Certificates, GSSENC_REQUEST, SSL_REQUEST, Scripted, TestProxy, Wire, cancel_request, config,
    field, on_each_server, psql, query, server_address, startup, tls_connector, until_true, within,
};

/// Settings for a proxy with the certificate `proxy`.
fn with_tls(certificates: &Certificates, mode: ClientTlsMode, config: Config) -> Config {
    certificates.sign("proxy", "localhost", &["localhost", "127.0.0.1"]);
    Config { client_tls: certificates.client_tls(mode, "proxy"), ..config }
}

async fn before(server: Server, certificates: &Certificates, mode: ClientTlsMode) -> TestProxy {
    TestProxy::with(with_tls(certificates, mode, config(server_address(server)))).await
}

/// The startup packet of the superuser.
fn who() -> Vec<u8> {
    startup(&[("user", "postgres"), ("database", "postgres")])
}

#[test]
fn case_05_a_session_within_tls() {
    on_each_server(async |server| {
        let certificates = Certificates::new();
        let proxy = before(server, &certificates, ClientTlsMode::Allow).await;
        let mut client = Wire::connect(proxy.address).await.start_tls().await;
        client.send(&who()).await;
        client.until(b'Z').await;
        assert_eq!(client.value("SELECT 'encrypted'").await, "encrypted");
        // More than a TLS record, in both directions.
        let large = "x".repeat(3_000_000);
        let length = client.value(&format!("SELECT length('{large}')")).await;
        assert_eq!(length, "3000000");
        assert_eq!(client.value("SELECT repeat('y', 3000000)").await.len(), 3_000_000);
        // TLS is on offer, not demanded.
        let mut plain = Wire::session(proxy.address, "postgres").await;
        assert_eq!(plain.value("SELECT 1").await, "1");
    });
}

#[test]
fn case_06_bytes_stuffed_after_ssl_request_are_refused() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let certificates = Certificates::new();
        let config = with_tls(&certificates, ClientTlsMode::Allow, config(upstream.address));
        let proxy = TestProxy::with(config).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&[SSL_REQUEST.as_slice(), &who()].concat()).await;
        let error = client.message().await;
        assert_eq!(field(&error, b'C'), "08P01");
        assert_eq!(field(&error, b'M'), "received unencrypted data after SSL request");
        assert_eq!(client.rest().await, b"");

        // Too late to be seen with the request, they break the handshake.
        let mut client = Wire::connect(proxy.address).await;
        client.send(&SSL_REQUEST).await;
        assert_eq!(client.byte().await, b'S');
        client.send(&who()).await;
        let alert = client.rest().await;
        assert_eq!(alert.first(), Some(&0x15), "{}", alert.escape_ascii());

        Wire::connect(proxy.address).await.send(&startup(&[("user", "the first")])).await;
        let (_server, packet) = upstream.accept().await;
        assert!(packet.windows(9).any(|window| window == b"the first"));
    });
}

#[test]
fn case_08_a_gssenc_request_is_declined_before_tls() {
    on_each_server(async |server| {
        let certificates = Certificates::new();
        let proxy = before(server, &certificates, ClientTlsMode::Require).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&GSSENC_REQUEST).await;
        assert_eq!(client.byte().await, b'N');
        let mut client = client.start_tls().await;
        client.send(&who()).await;
        client.until(b'Z').await;
    });
}

#[test]
fn case_09_no_encryption_can_be_asked_for_within_tls() {
    on_each_server(async |server| {
        let certificates = Certificates::new();
        let proxy = before(server, &certificates, ClientTlsMode::Allow).await;
        for (request, version) in [(SSL_REQUEST, "1234.5679"), (GSSENC_REQUEST, "1234.5680")] {
            let mut client = Wire::connect(proxy.address).await.start_tls().await;
            client.send(&request).await;
            let error = client.message().await;
            assert_eq!(field(&error, b'C'), "0A000");
            assert!(field(&error, b'M').contains(version), "{error:?}");
        }
        // Within direct TLS, the server only says that there is no more of it.
        let direct = Wire::connect(proxy.address).await.handshake(&["postgresql"]).await;
        let mut client = direct.unwrap();
        client.send(&SSL_REQUEST).await;
        assert_eq!(client.byte().await, b'N');
        client.send(&who()).await;
        client.until(b'Z').await;
    });
}

#[test]
fn case_10_direct_tls_needs_the_right_protocol() {
    on_each_server(async |server| {
        let certificates = Certificates::new();
        let proxy = before(server, &certificates, ClientTlsMode::Require).await;
        let connect = async |protocols: &[&str]| {
            Wire::connect(proxy.address).await.handshake(protocols).await
        };
        let mut client = connect(&["postgresql"]).await.unwrap();
        client.send(&who()).await;
        client.until(b'Z').await;
        assert_eq!(client.value("SELECT 1").await, "1");

        let mut without = connect(&[]).await.unwrap();
        assert_eq!(without.rest().await, b"");
        let refused = connect(&["http/1.1"]).await.err().unwrap().to_string();
        assert!(refused.contains("NoApplicationProtocol"), "{refused}");
    });
}

#[test]
fn case_03_a_tls_handshake_has_no_more_time_than_the_rest() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let certificates = Certificates::new();
        let config = with_tls(&certificates, ClientTlsMode::Allow, config(upstream.address));
        let startup_timeout = std::time::Duration::from_millis(200);
        let proxy = TestProxy::with(Config { startup_timeout, ..config }).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&SSL_REQUEST).await;
        assert_eq!(client.byte().await, b'S');
        assert_eq!(client.rest().await, b"");
    });
}

#[test]
fn case_62_half_close_works_within_tls() {
    on_each_server(async |server| {
        let certificates = Certificates::new();
        let proxy = before(server, &certificates, ClientTlsMode::Allow).await;
        let mut client = Wire::connect(proxy.address).await.start_tls().await;
        client.send(&who()).await;
        client.until(b'Z').await;
        client.send(&query("SELECT repeat('x', 1000000) FROM pg_sleep(0.1)")).await;
        client.stream.shutdown().await.unwrap();
        let messages = client.messages_to_end().await;
        assert_eq!(messages.last().unwrap().tag, b'Z');
        assert_eq!(messages[1].body.len(), 6 + 1_000_000);
    });
}

#[test]
fn case_71_a_cancel_request_within_tls() {
    on_each_server(async |server| {
        let certificates = Certificates::new();
        let proxy = before(server, &certificates, ClientTlsMode::VerifyFull).await;
        let mut session = Wire::session(server_address(server), "postgres").await;
        let pid = session.value("SELECT pg_backend_pid()").await;
        let mut direct = Wire::connect(server_address(server)).await;
        direct.send(&who()).await;
        let key_data = direct.until(b'Z').await;
        let key_data = &key_data.iter().find(|message| message.tag == b'K').unwrap().body;
        direct.send(&query("SELECT pg_sleep(60)")).await;
        let active = format!(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' \
             AND state = 'active' AND pid <> {pid}"
        );
        let observer = pgtrack_testkit::connect(&server.url("postgres")).await;
        until_true(&observer, &active).await;
        // Whoever cancels needs no certificate, as with the server.
        let mut canceller = Wire::connect(proxy.address).await.start_tls().await;
        canceller.send(&cancel_request(key_data)).await;
        // With the goodbye of TLS: libpq takes anything else for a failure.
        let mut rest = Vec::new();
        let reading = canceller.stream.read_to_end(&mut rest);
        assert_eq!(within(std::time::Duration::from_secs(20), reading).await.unwrap(), 0);
        let messages = direct.until(b'Z').await;
        let error = messages.iter().find(|message| message.tag == b'E').unwrap();
        assert_eq!(field(error, b'C'), "57014");
    });
}

#[test]
fn sessions_without_tls_are_refused_where_it_is_required() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let certificates = Certificates::new();
        let config = with_tls(&certificates, ClientTlsMode::Require, config(upstream.address));
        let proxy = TestProxy::with(config).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&who()).await;
        let error = client.message().await;
        assert_eq!(field(&error, b'C'), "28000");
        assert!(field(&error, b'H').contains("sslmode=require"), "{error:?}");
        assert_eq!(client.rest().await, b"");
    });
}

#[test]
fn client_certificates_are_checked_as_in_pg_hba_conf() {
    on_each_server(async |server| {
        let certificates = Certificates::new();
        certificates.sign("postgres", "postgres", &[]);
        certificates.sign("other", "other", &[]);
        let stranger = Certificates::new();
        let answer = async |mode, identity| {
            let proxy = before(server, &certificates, mode).await;
            let mut client = Wire::connect(proxy.address).await;
            client.send(&SSL_REQUEST).await;
            assert_eq!(client.byte().await, b'S');
            let name = "localhost".try_into().unwrap();
            let stream = tls_connector(&[], identity).connect(name, client.stream).await.unwrap();
            let mut client = Wire { stream };
            client.stream.write_all(&who()).await.unwrap();
            client.message().await
        };
        for mode in [ClientTlsMode::VerifyCa, ClientTlsMode::VerifyFull] {
            let missing = answer(mode, None).await;
            assert_eq!(field(&missing, b'C'), "28000");
            assert_eq!(field(&missing, b'M'), "connection requires a valid client certificate");
            assert_eq!(answer(mode, Some((&certificates, "postgres"))).await.tag, b'R');
        }
        assert_eq!(answer(ClientTlsMode::VerifyCa, Some((&certificates, "other"))).await.tag, b'R');
        let wrong = answer(ClientTlsMode::VerifyFull, Some((&certificates, "other"))).await;
        assert_eq!(field(&wrong, b'C'), "28000");
        assert_eq!(field(&wrong, b'M'), "certificate authentication failed for user \"postgres\"");

        // libpq, with a certificate that somebody else has signed.
        stranger.sign("postgres", "postgres", &[]);
        let proxy = before(server, &certificates, ClientTlsMode::VerifyFull).await;
        for (directory, is_admitted) in
            [(certificates.directory(), true), (stranger.directory(), false)]
        {
            let connection = format!(
                "host=127.0.0.1 port={} user=postgres dbname=postgres sslmode=verify-full sslrootcert={} \
                 sslcert={directory}/postgres.crt sslkey={directory}/postgres.key",
                proxy.address.port(),
                certificates.path("ca.crt").display(),
                directory = directory.display(),
            );
            assert_eq!(psql(&connection, "SELECT 1").await.is_ok(), is_admitted);
        }
    });
}

#[test]
fn case_74_a_new_certificate_is_for_new_sessions() {
    on_each_server(async |server| {
        let certificates = Certificates::new();
        let config =
            with_tls(&certificates, ClientTlsMode::Require, config(server_address(server)));
        let proxy = TestProxy::with(config.clone()).await;
        let presented = async || {
            let mut client = Wire::connect(proxy.address).await.start_tls().await;
            client.send(&who()).await;
            client.until(b'Z').await;
            let certificate = client.stream.get_ref().1.peer_certificates().unwrap()[0].clone();
            (client, certificate)
        };
        let on_disk = || CertificateDer::from_pem_file(certificates.path("proxy.crt")).unwrap();
        let (mut old, first) = presented().await;
        assert_eq!(first, on_disk());
        certificates.sign("proxy", "localhost", &["localhost"]);
        assert_eq!(presented().await.1, first, "files are read when they are told to be");
        proxy.control.reload(config.clone()).unwrap();
        let (mut new, second) = presented().await;
        assert_eq!(second, on_disk());
        assert_ne!(first, second);
        for client in [&mut old, &mut new] {
            assert_eq!(client.value("SELECT 1").await, "1");
        }

        // What cannot be used changes nothing.
        std::fs::write(certificates.path("proxy.key"), "no key").unwrap();
        let error = proxy.control.reload(config.clone()).unwrap_err();
        assert!(matches!(error, Error::Tls(_)), "{error}");
        assert_eq!(presented().await.1, second);
    });
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    block_on(async {
        let server = Server::shared(&newest());
        let certificates = Certificates::new();
        certificates.sign("proxy", "localhost", &[]);
        certificates.sign("other", "localhost", &[]);
        let complete = certificates.client_tls(ClientTlsMode::VerifyCa, "proxy");
        let other_key = Some(certificates.path("other.key"));
        for client_tls in [
            ClientTls { certificate: None, ..complete.clone() },
            ClientTls { key: None, ..complete.clone() },
            ClientTls { client_ca: None, ..complete.clone() },
            ClientTls { key: other_key, ..complete.clone() },
            ClientTls { key: complete.certificate.clone(), ..complete.clone() },
        ] {
            let config = Config { client_tls, ..config(server_address(server)) };
            let provision = std::sync::Arc::new(|_database: String| async { Ok(None) });
            let bound = within(
                std::time::Duration::from_secs(20),
                pgtrack_proxy::Proxy::bind(config, provision),
            );
            assert!(matches!(bound.await.err(), Some(Error::Tls(_))));
        }
    });
}
