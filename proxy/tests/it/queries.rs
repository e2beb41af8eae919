//! The query protocol: whatever a client sends has the same effect as without the proxy.

use std::time::Duration;

use pgtrack_testkit::{Server, block_on, newest, on_each_version};
use tokio::time::Instant;

use crate::support::{
    Message, Scripted, TestProxy, Wire, bind, describe_statement, execute, extended, field, flush,
    message, on_each_server, parse, peak_growth, query, server_address, startup, sync, terminate,
    within,
};

/// Runs the same messages in a session of their own, directly and through the proxy, and returns the answers.
async fn check_same(server: Server, script: &[Vec<u8>]) -> Vec<Message> {
    let proxy = TestProxy::before(server).await;
    let mut answers = Vec::new();
    for address in [server_address(server), proxy.address] {
        let mut client = Wire::session(address, "postgres").await;
        client.send(&[script.concat(), terminate()].concat()).await;
        answers.push(client.messages_to_end().await);
    }
    assert_eq!(answers[0], answers[1]);
    answers.swap_remove(1)
}

fn tags(messages: &[Message]) -> String {
    messages.iter().map(|message| char::from(message.tag)).collect()
}

#[test]
fn case_33_empty_queries() {
    on_each_server(async |server| {
        let answers = check_same(server, &[query(";"), query("")]).await;
        assert_eq!(tags(&answers), "IZIZ");
    });
}

#[test]
fn case_34_an_error_in_the_middle_of_several_statements() {
    on_each_server(async |server| {
        let answers = check_same(server, &[query("SELECT 1; SELECT 1/0; SELECT 2")]).await;
        assert_eq!(tags(&answers), "TDCEZ");
    });
}

#[test]
fn case_35_a_flush_is_answered_at_once() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::session(proxy.address, "postgres").await;
        client.send(&[parse("", "SELECT 1"), describe_statement(""), flush()].concat()).await;
        assert_eq!(tags(&client.until(b'T').await), "1tT");
    });
}

#[test]
fn small_messages_are_not_held_back_in_either_direction() {
    block_on(async {
        let upstream = Scripted::listen().await;
        let proxy = TestProxy::to(upstream.address).await;
        let mut client = Wire::connect(proxy.address).await;
        client.send(&startup(&[("user", "ada")])).await;
        let mut server = upstream.admit().await;
        client.until(b'Z').await;
        let part = message(b'H', &[]);
        let began = Instant::now();
        for _ in 0..2 {
            // An answer in two parts: the second would wait for the acknowledgement of the first,
            // which a peer that has just sent something delays by 40 ms.
            for _ in 0..50 {
                client.send(&part).await;
                server.message().await;
                for _ in 0..2 {
                    server.send(&part).await;
                    client.message().await;
                }
            }
            std::mem::swap(&mut client, &mut server);
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    });
}

#[test]
fn case_36_ten_thousand_pipelined_statements_and_one_sync() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::session(proxy.address, "postgres").await;
        let pipeline = [extended("SELECT 1").repeat(10_000), sync()].concat();
        // A client that does not read while it sends; the operating system holds the answers.
        client.send(&pipeline).await;
        let answers = client.until(b'Z').await;
        assert_eq!(answers.iter().filter(|message| message.tag == b'C').count(), 10_000);
    });
}

#[test]
fn case_37_a_client_that_never_reads_stalls_alone_and_without_memory() {
    block_on(async {
        let server = Server::shared(&newest());
        let proxy = TestProxy::before(server).await;
        let mut greedy = Wire::session(proxy.address, "postgres").await;
        let chunk = query("SELECT repeat('x', 100000)").repeat(1000);
        let growth = peak_growth(async {
            let mut sent = 0_u64;
            loop {
                let sending = tokio::io::AsyncWriteExt::write(&mut greedy.stream, &chunk);
                match tokio::time::timeout(Duration::from_millis(300), sending).await {
                    Ok(count) => sent += count.unwrap() as u64,
                    Err(_stalled) => break,
                }
                assert!(sent < 100_000_000, "something takes it all");
            }
            let other = proxy.connect("postgres").await;
            assert_eq!(other.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
        })
        .await;
        assert!(growth < 2048, "{growth} KiB");
    });
}

#[test]
fn case_38_after_an_error_the_rest_of_the_pipeline_is_skipped() {
    on_each_server(async |server| {
        let script = [extended("SELECT 1"), extended("SELECT 1/0"), extended("SELECT 2"), sync()];
        let answers = check_same(server, &script).await;
        assert_eq!(tags(&answers), "12DC1EZ");
    });
}

#[test]
fn case_39_a_portal_is_suspended_and_resumed() {
    on_each_server(async |server| {
        let script = [
            parse("", "SELECT * FROM generate_series(1, 25)"),
            bind("p", "", &[]),
            execute("p", 10).repeat(3),
            sync(),
        ];
        let answers = check_same(server, &script).await;
        assert_eq!(tags(&answers), format!("12{0}s{0}s{1}CZ", "D".repeat(10), "D".repeat(5)));
    });
}

#[test]
fn case_40_a_portal_outlives_the_unnamed_statement_it_came_from() {
    on_each_server(async |server| {
        let script = [
            parse("", "SELECT 'old'"),
            bind("p", "", &[]),
            parse("", "SELECT 'new'"),
            execute("p", 0),
            sync(),
        ];
        let answers = check_same(server, &script).await;
        assert!(answers.iter().any(|message| message.body.ends_with(b"old")), "{answers:?}");
    });
}

#[test]
fn case_41_large_parameters_and_many_of_them() {
    on_each_server(async |server| {
        let value = vec![b'x'; 64 * 1024];
        let many: Vec<String> = (1..=65_535).map(|number| format!("${number}::int4")).collect();
        let script = [
            parse("", "SELECT length($1::text)"),
            bind("", "", &[&value]),
            execute("", 0),
            parse("", &format!("SELECT cardinality(ARRAY[{}])", many.join(","))),
            bind("", "", &vec![b"7".as_slice(); 65_535]),
            execute("", 0),
            sync(),
        ];
        let answers = check_same(server, &script).await;
        assert_eq!(tags(&answers), "12DC12DCZ");
        assert!(answers[6].body.ends_with(b"65535"), "{answers:?}");
    });
}

#[test]
fn case_42_function_calls() {
    on_each_server(async |server| {
        // `int4pl` (177) of 2 and 3, binary; manual, "FunctionCall".
        let mut body = vec![0, 0, 0, 177, 0, 1, 0, 1, 0, 2];
        for argument in [2, 3_u32] {
            body.extend([0, 0, 0, 4]);
            body.extend(argument.to_be_bytes());
        }
        body.extend([0, 1]);
        let answers = check_same(server, &[message(b'F', &body)]).await;
        assert_eq!(tags(&answers), "VZ");
        assert!(answers[0].body.ends_with(&[5]), "{answers:?}");
    });
}

#[test]
fn case_43_an_unknown_message_is_refused_by_the_server() {
    on_each_server(async |server| {
        let answers = check_same(server, &[message(b'~', b"what")]).await;
        assert_eq!(field(answers.last().unwrap(), b'C'), "08P01");
    });
}

#[test]
fn case_44_an_impossible_length_is_closed_by_the_server() {
    on_each_server(async |server| {
        check_same(server, &[b"Q\0\0\0\x03".to_vec()]).await;
    });
}

#[test]
fn case_45_a_huge_row_streams() {
    block_on(async {
        let server = Server::shared(&newest());
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::session(proxy.address, "postgres").await;
        let growth = peak_growth(async {
            client.send(&query("SELECT repeat('x', 1000000000)")).await;
            client.skip_until(b'Z').await;
        })
        .await;
        assert!(growth < 1024, "{growth} KiB");
    });
}

#[test]
fn case_46_a_huge_literal_streams() {
    const LITERAL_BYTES: usize = 100_000_000;
    block_on(async {
        let server = Server::shared(&newest());
        let proxy = TestProxy::before(server).await;
        let mut client = Wire::session(proxy.address, "postgres").await;
        let part = vec![b'x'; 50_000];
        let (start, end) = (b"SELECT length('", b"')\0");
        let growth = peak_growth(async {
            let length = 4 + start.len() + LITERAL_BYTES + end.len();
            client.send(b"Q").await;
            client.send(&u32::try_from(length).unwrap().to_be_bytes()).await;
            client.send(start).await;
            for _ in 0..LITERAL_BYTES / part.len() {
                client.send(&part).await;
            }
            client.send(end).await;
            let answers = client.until(b'Z').await;
            assert!(answers[1].body.ends_with(b"100000000"), "{answers:?}");
        })
        .await;
        assert!(growth < 1024, "{growth} KiB");
    });
}

#[test]
fn case_47_unsolicited_messages_arrive_without_client_traffic() {
    on_each_version(async |database| {
        let proxy = TestProxy::before(database.server()).await;
        let mut client = Wire::session(proxy.address, database.name()).await;

        client.query("LISTEN news").await;
        database.connect().await.batch_execute("NOTIFY news, 'hello'").await.unwrap();
        let notification = within(Duration::from_secs(20), client.message()).await;
        assert_eq!(notification.tag, b'A');
        assert!(notification.body.ends_with(b"news\0hello\0"), "{notification:?}");

        let status = client.query("SET application_name = 'renamed'").await;
        assert_eq!(tags(&status), "CSZ");

        let notice = "DO $$ BEGIN RAISE NOTICE '%', repeat('x', 200000); END $$";
        let messages = client.query(notice).await;
        assert_eq!(tags(&messages), "NCZ");
        assert!(messages[0].body.len() > 200_000);
    });
}

#[test]
fn case_53_and_55_text_that_is_not_utf_8_is_relayed_byte_for_byte() {
    on_each_server(async |server| {
        let latin1 = [b"SELECT '".as_slice(), b"\xe9", b"'\0"].concat();
        let script = [
            message(b'Q', &latin1),
            query("SET client_encoding = 'LATIN1'"),
            message(b'Q', &latin1),
        ];
        let answers = check_same(server, &script).await;
        assert_eq!(field(&answers[0], b'C'), "22021");
        assert!(answers.iter().any(|message| message.body.ends_with(b"\xe9")), "{answers:?}");
    });
}

#[test]
fn case_53_a_backslash_within_a_shift_jis_character() {
    on_each_server(async |server| {
        // The second byte of U+8868 is 0x5C, the backslash of ASCII.
        let sjis =
            [b"SELECT E'".as_slice(), b"\x95\x5c", b"' AS \"", b"\x95\x5c", b"\"\0"].concat();
        let script = [query("SET client_encoding = 'SJIS'"), message(b'Q', &sjis)];
        let answers = check_same(server, &script).await;
        let row = answers.iter().find(|message| message.tag == b'D').unwrap();
        assert!(row.body.ends_with(b"\x95\x5c"), "{answers:?}");
    });
}

#[test]
fn case_54_strings_that_do_not_conform_to_the_standard() {
    on_each_server(async |server| {
        let script = [
            query("SET standard_conforming_strings = off; SET escape_string_warning = off"),
            query(r"SELECT 'it\'s'"),
        ];
        let answers = check_same(server, &script).await;
        let status = b"standard_conforming_strings\0off\0";
        assert!(answers.iter().any(|message| message.body == status), "{answers:?}");
        assert!(answers.iter().any(|message| message.body.ends_with(b"it's")), "{answers:?}");
    });
}

#[test]
fn case_56_a_list_of_ten_megabytes() {
    on_each_server(async |server| {
        let list = vec!["1234567"; 1_250_000].join(",");
        let answers =
            check_same(server, &[query(&format!("SELECT 7 = ANY ('{{{list}}}'::int[])"))]).await;
        assert_eq!(tags(&answers), "TDCZ");
    });
}
