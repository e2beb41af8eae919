//! Guard rails, in every way to send a statement.

use std::time::Duration;

use pgtrack_proxy::{Guard, Rail, Response};
use pgtrack_testkit::{Database, on_each_version};

use crate::support::{
    Message, TestProxy, Wire, bind, execute, field, parse, query, sync, until_true,
};

async fn guarded(database: &Database, rail: Rail) -> (TestProxy, Wire) {
    let mut client = database.connect().await;
    pgtrack_tracker::install(&mut client).await.unwrap();
    client
        .batch_execute(
            "CREATE TABLE t (id int PRIMARY KEY, name text);
             SELECT pgtrack.track('t');
             INSERT INTO t SELECT i, 'x' FROM generate_series(1, 10) i",
        )
        .await
        .unwrap();
    let guard = Guard { rails: vec![rail], ..Guard::default() };
    let proxy = TestProxy::watching(database.server(), guard, None).await;
    let wire = Wire::session(proxy.address, database.name()).await;
    (proxy, wire)
}

fn tags(messages: &[Message]) -> String {
    messages.iter().map(|message| char::from(message.tag)).collect()
}

fn status(messages: &[Message]) -> char {
    char::from(messages.last().unwrap().body[0])
}

fn deny_all() -> Rail {
    Rail {
        unfiltered: Some(Response::Deny),
        truncate: Some(Response::Deny),
        drop_table: Some(Response::Deny),
        drop_column: Some(Response::Deny),
        ..Rail::default()
    }
}

#[test]
fn a_denied_query_fails_as_any_other_does() {
    on_each_version(async |database| {
        let (_proxy, mut wire) = guarded(&database, deny_all()).await;
        for sql in [
            "DELETE FROM t",
            "UPDATE t SET name = 'y'",
            "SELECT 1; TRUNCATE t",
            "DROP TABLE t",
            "ALTER TABLE t DROP COLUMN name",
            "WITH gone AS (DELETE FROM t RETURNING id) SELECT * FROM gone",
        ] {
            let answers = wire.query(sql).await;
            assert_eq!((tags(&answers).as_str(), status(&answers)), ("EZ", 'I'), "{sql}");
            assert_eq!(field(&answers[0], b'C'), "42501");
            assert!(field(&answers[0], b'M').ends_with(" is refused here"), "{answers:?}");
        }
        // A transaction is failed, as after any error.
        wire.query("BEGIN").await;
        let answers = wire.query("DELETE FROM t").await;
        assert_eq!((tags(&answers).as_str(), status(&answers)), ("EZ", 'E'));
        let answers = wire.query("SELECT 1").await;
        assert_eq!(field(&answers[0], b'C'), "25P02");
        assert_eq!(status(&wire.query("ROLLBACK").await), 'I');
        assert_eq!(wire.value("SELECT count(*) FROM t").await, "10");
        // And what has a WHERE clause is not touched.
        assert_eq!(tags(&wire.query("DELETE FROM t WHERE id = 1").await), "CZ");
        database.remove().await;
    });
}

#[test]
fn a_denied_statement_of_a_pipeline_fails_and_what_follows_is_skipped() {
    on_each_version(async |database| {
        let (_proxy, mut wire) = guarded(&database, deny_all()).await;
        let one = |sql: &str| [parse("", sql), bind("", "", &[]), execute("", 0)].concat();
        let pipeline = [
            one("SELECT 1"),
            one("DELETE FROM t"),
            one("SELECT 3"),
            sync(),
            one("SELECT 4"),
            sync(),
        ];
        // However it is split on its way, and however slowly it comes.
        for pause in [Duration::ZERO, Duration::from_millis(1)] {
            for byte in pipeline.concat() {
                wire.send(&[byte]).await;
                tokio::time::sleep(pause).await;
            }
            let first = wire.until(b'Z').await;
            assert_eq!(tags(&first), "12DC12EZ");
            assert_eq!(field(&first[6], b'C'), "42501");
            assert_eq!(tags(&wire.until(b'Z').await), "12DCZ");
        }

        // In one piece, with a named statement and portal.
        let named = [
            parse("gone", "DELETE FROM t"),
            sync(),
            bind("p", "gone", &[]),
            execute("p", 0),
            sync(),
            query("SELECT 1"),
        ];
        wire.send(&named.concat()).await;
        assert_eq!(tags(&wire.until(b'Z').await), "1Z");
        let denied = wire.until(b'Z').await;
        assert_eq!((tags(&denied).as_str(), field(&denied[1], b'C').as_str()), ("2EZ", "42501"));
        assert_eq!(tags(&wire.until(b'Z').await), "TDCZ");

        // One that comes behind an error is skipped, and the error is the server's.
        wire.send(&[one("SELECT 1/0"), one("DELETE FROM t"), sync()].concat()).await;
        let failed = wire.until(b'Z').await;
        let error = failed.iter().find(|message| message.tag == b'E').unwrap();
        assert_eq!(field(error, b'C'), "22012");
        assert_eq!(wire.value("SELECT count(*) FROM t").await, "10");
        database.remove().await;
    });
}

#[test]
fn a_warning_comes_with_the_answer() {
    on_each_version(async |database| {
        let rail = Rail { unfiltered: Some(Response::Warn), max_rows: Some(5), ..Rail::default() };
        let (_proxy, mut wire) = guarded(&database, rail).await;
        let answers = wire.query("UPDATE t SET name = 'y'").await;
        assert_eq!(tags(&answers), "NCNZ");
        let says =
            |notice: &Message, text: &str| String::from_utf8_lossy(&notice.body).contains(text);
        assert!(says(&answers[0], "Mthis was UPDATE without WHERE"), "{answers:?}");
        assert!(says(&answers[2], "M10 rows were changed"), "{answers:?}");
        assert_eq!(tags(&wire.query("UPDATE t SET name = 'y' WHERE id < 3").await), "CZ");
        database.remove().await;
    });
}

#[test]
fn a_tag_is_taken_first_and_a_dropped_table_is_kept() {
    on_each_version(async |database| {
        let rail = Rail {
            unfiltered: Some(Response::Tag),
            drop_table: Some(Response::Tag),
            ..Rail::default()
        };
        let (_proxy, mut wire) = guarded(&database, rail).await;
        let answers = wire.query("DELETE FROM t").await;
        assert_eq!(tags(&answers), "NCZ");
        let client = database.connect().await;
        until_true(
            &client,
            "SELECT count(*) = 1 FROM pgtrack.tags() WHERE name LIKE 'before DELETE%'",
        )
        .await;
        let back = "SELECT pgtrack.revert_table('t', (SELECT name FROM pgtrack.tags() LIMIT 1))";
        client.query(back, &[]).await.unwrap();
        until_true(&client, "SELECT count(*) = 10 FROM t").await;

        assert_eq!(tags(&wire.query("DROP TABLE public.t").await), "NCZ");
        client.query("SELECT pgtrack.recover('t')", &[]).await.unwrap();
        until_true(&client, "SELECT count(*) = 10 FROM t").await;

        // What cannot be kept is not dropped.
        let refused = wire.query("DROP TABLE nowhere.t").await;
        assert_eq!(tags(&refused), "EZ");
        assert!(field(&refused[0], b'M').contains("could not be kept first"), "{refused:?}");
        database.remove().await;
    });
}

#[test]
fn a_statement_is_judged_up_to_64_kib() {
    on_each_version(async |database| {
        let (_proxy, mut wire) = guarded(&database, deny_all()).await;
        // Longer than what a session reads at once, and short enough to be understood.
        let sql = format!("DELETE FROM t /* {} */", "x".repeat(60_000));
        assert_eq!(tags(&wire.query(&sql).await), "EZ");
        // Too long to be understood: the server decides.
        let sql = format!("UPDATE t SET name = '{}'", "x".repeat(1_000_000));
        assert_eq!(tags(&wire.query(&sql).await), "CZ");
        database.remove().await;
    });
}
