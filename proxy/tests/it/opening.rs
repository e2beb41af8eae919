//! What may arrive on a fresh connection, before a session begins.

use std::time::Duration;

use pgtrack_proxy::Config;
use pgtrack_testkit::block_on;
use tokio::time::Instant;

use crate::support::{
    GSSENC_REQUEST, Message, SSL_REQUEST, Scripted, TestProxy, Wire, config, extended, field,
    on_each_server, query, server_address, startup, startup_version, sync, terminate,
};

/// Sends bytes to a proxy whose upstream must not be dialled for them; returns the whole answer.
async fn answer_without_upstream(bytes: &[u8]) -> Vec<u8> {
    let upstream = Scripted::listen().await;
    let proxy = TestProxy::to(upstream.address).await;
    let mut client = Wire::connect(proxy.address).await;
    client.send(bytes).await;
    let answer = client.rest().await;
    check_first_dial_is_for_a_session(&proxy, &upstream).await;
    answer
}

async fn check_first_dial_is_for_a_session(proxy: &TestProxy, upstream: &Scripted) {
    Wire::connect(proxy.address).await.send(&startup(&[("user", "the first")])).await;
    let (_server, packet) = upstream.accept().await;
    assert!(packet.windows(9).any(|window| window == b"the first"));
}

#[test]
fn case_01_a_health_check_does_not_dial_the_upstream() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        drop(Wire::connect(proxy.address).await);
        check_first_dial_is_for_a_session(&proxy, &upstream).await;
    });
}

#[test]
fn case_02_silence_ends_at_the_deadline() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let limits =
            Config { startup_timeout: Duration::from_millis(200), ..config(upstream.address) };
        let proxy = TestProxy::with(limits).await;
        let began = Instant::now();
        assert_eq!(Wire::connect(proxy.address).await.rest().await, b"");
        assert!(began.elapsed() >= Duration::from_millis(200));
    });
}

#[test]
fn case_03_the_deadline_is_absolute() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let limits =
            Config { startup_timeout: Duration::from_millis(300), ..config(upstream.address) };
        let proxy = TestProxy::with(limits).await;
        let mut client = Wire::connect(proxy.address).await;
        let mut drip = tokio::time::interval(Duration::from_millis(50));
        let began = Instant::now();
        for byte in startup(&[("user", "somebody with patience")]) {
            drip.tick().await;
            if tokio::io::AsyncWriteExt::write_all(&mut client.stream, &[byte]).await.is_err() {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(1), "each byte moves the deadline");
        }
    });
}

#[test]
fn case_04_without_tls_an_ssl_request_is_answered_n_and_the_session_goes_on() {
    check_requests_are_declined(&[SSL_REQUEST]);
}

#[test]
fn case_08_both_encryption_requests_are_declined_in_either_order() {
    check_requests_are_declined(&[GSSENC_REQUEST, SSL_REQUEST]);
    check_requests_are_declined(&[SSL_REQUEST, GSSENC_REQUEST]);
}

fn check_requests_are_declined(requests: &[[u8; 8]]) {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::connect(proxy.address).await;
        for request in requests {
            client.send(request).await;
            assert_eq!(client.byte().await, b'N');
        }
        client.send(&startup(&[("user", "postgres")])).await;
        assert_eq!(client.message().await.tag, b'R');
    });
}

#[test]
fn case_07_bytes_stuffed_behind_a_declined_encryption_request_are_refused() {
    block_on(async {
        for (request, name) in
            [(SSL_REQUEST, "SSL request"), (GSSENC_REQUEST, "GSSAPI encryption request")]
        {
            let stuffed = [request.as_slice(), &startup(&[("user", "postgres")])].concat();
            let answer = answer_without_upstream(&stuffed).await;
            let error = declined_then_error(&answer);
            assert_eq!(field(&error, b'C'), "08P01");
            assert_eq!(field(&error, b'M'), format!("received unencrypted data after {name}"));
        }
    });
}

/// Takes apart `N` and an `ErrorResponse`.
fn declined_then_error(answer: &[u8]) -> Message {
    let [b'N', b'E', _, _, _, _, body @ ..] = answer else {
        panic!("unexpected: {}", answer.escape_ascii())
    };
    Message { tag: b'E', body: body.to_vec() }
}

#[test]
fn case_09_a_second_encryption_request_is_an_unsupported_protocol() {
    block_on(async {
        for (request, version) in [(SSL_REQUEST, "1234.5679"), (GSSENC_REQUEST, "1234.5680")] {
            let upstream = Scripted::listen().await;
            let proxy = TestProxy::to(upstream.address).await;
            let mut client = Wire::connect(proxy.address).await;
            client.send(&request).await;
            assert_eq!(client.byte().await, b'N');
            client.send(&request).await;
            let error = client.message().await;
            assert_eq!(field(&error, b'C'), "0A000");
            assert!(field(&error, b'M').contains(version), "{error:?}");
            assert_eq!(client.rest().await, b"");
            assert_eq!(proxy.counters.violations.value(), 1);
        }
    });
}

#[test]
fn case_11_direct_tls_is_closed_without_a_word() {
    block_on(async {
        assert_eq!(answer_without_upstream(b"\x16\x03\x01\x02\x00").await, b"");
    });
}

#[test]
fn case_12_http_is_closed_without_a_word() {
    block_on(async {
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(answer_without_upstream(request).await, b"");
    });
}

#[test]
fn case_13_impossible_lengths_are_closed_without_a_word() {
    block_on(async {
        for length in [4, 7, 10_005, 0x7fff_ffff_u32] {
            assert_eq!(answer_without_upstream(&length.to_be_bytes()).await, b"", "{length}");
        }
    });
}

#[test]
fn case_14_a_malformed_packet_is_judged_by_the_server() {
    let mut without_terminator = startup(&[("user", "postgres")]);
    without_terminator.pop();
    without_terminator[3] -= 1;
    check_server_judges(&without_terminator, "08P01");
}

#[test]
fn case_15_a_packet_without_user_is_judged_by_the_server() {
    check_server_judges(&startup(&[("database", "postgres")]), "28000");
}

/// The server answers with this SQLSTATE, and the same through the proxy.
fn check_server_judges(packet: &[u8], sqlstate: &str) {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut answers = Vec::new();
        for address in [server_address(server), proxy.address] {
            let mut client = Wire::connect(address).await;
            client.send(packet).await;
            answers.push(client.messages_to_end().await);
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(field(answers[1].last().unwrap(), b'C'), sqlstate);
    });
}

#[test]
fn case_16_a_packet_without_room_for_the_context_still_connects() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let parameters = [("user", "postgres"), ("database", "postgres"), ("a.b", "")];
        let padding = "x".repeat(9_990 - startup(&parameters).len());
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[parameters[0], parameters[1], ("a.b", &padding)])).await;
        client.until(b'Z').await;
        assert_eq!(client.value("SHOW a.b").await, padding);
        let missing = client.query("SHOW pgtrack.ctx").await;
        assert_eq!(field(&missing[0], b'C'), "42704");
    });
}

#[test]
fn case_17_a_whole_session_in_one_segment_is_answered_in_full() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::connect(proxy.address).await;
        let whole = [
            startup(&[("user", "postgres"), ("database", "postgres")]),
            query("SELECT 'one'"),
            extended("SELECT 'two'"),
            sync(),
            terminate(),
        ];
        client.send(&whole.concat()).await;
        let messages = client.messages_to_end().await;
        let rows: Vec<_> = messages.iter().filter(|message| message.tag == b'D').collect();
        assert_eq!(rows.len(), 2, "{messages:?}");
        assert_eq!(messages.iter().filter(|message| message.tag == b'Z').count(), 3);
    });
}

#[test]
fn case_18_of_two_application_names_the_last_one_wins() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::connect(proxy.address).await;
        let names = [("application_name", "first"), ("application_name", "second")];
        let who = [("user", "postgres"), ("database", "postgres")];
        client.send(&startup(&[who, names].concat())).await;
        client.until(b'Z').await;
        assert_eq!(client.value("SHOW application_name").await, "second");
    });
}

#[test]
fn case_21_and_22_protocol_versions_are_negotiated_by_the_server() {
    let requests = [
        ([0, 3, 0, 0], ("application_name", "x")),
        ([0, 3, 0, 1], ("application_name", "x")),
        ([0, 3, 0, 2], ("application_name", "x")),
        ([0, 3, 0x27, 0x0f], ("_pq_.test_protocol_negotiation", "")),
        ([0, 3, 0, 0], ("_pq_.x", "1")),
        ([0, 4, 0, 0], ("application_name", "x")),
    ];
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        for (version, parameter) in requests {
            let packet = startup_version(version, &[("user", "postgres"), parameter]);
            let mut answers = Vec::new();
            for address in [server_address(server), proxy.address] {
                let mut client = Wire::connect(address).await;
                client.send(&[packet.clone(), terminate()].concat()).await;
                let mut messages = client.messages_to_end().await;
                for key_data in messages.iter_mut().filter(|message| message.tag == b'K') {
                    // Its bytes are secret, its length is not.
                    key_data.body.fill(0);
                }
                answers.push(messages);
            }
            assert_eq!(answers[0], answers[1], "{version:?}");
            if version == [0, 3, 0, 2] && server.major() >= 18 {
                let key_data = answers[1].iter().find(|message| message.tag == b'K').unwrap();
                assert_eq!(key_data.body.len(), 4 + 32);
            }
        }
    });
}
