//! Guard rails, in every way to send a statement.

use std::time::Duration;

use pgtrack_proxy::{Guard, Rail, Response, Unanalysed};
use pgtrack_testkit::{Database, on_each_version};

use crate::support::{
    Message, TestProxy, Wire, bind, execute, extended, field, message, parse, query, startup, sync,
    until_true,
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
    let proxy = TestProxy::watching(database, guard, None).await;
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
        client.batch_execute("CREATE SCHEMA other; CREATE TABLE other.u (id int)").await.unwrap();
        wire.query("SET search_path = other").await;
        let refused = wire.query("DROP TABLE u").await;
        assert_eq!(tags(&refused), "EZ");
        assert!(field(&refused[0], b'M').contains("could not be kept first"), "{refused:?}");
        // What is not there is the server's business.
        let missing = wire.query("DROP TABLE nowhere.t").await;
        assert_eq!(field(&missing[0], b'C'), "3F000");
        database.remove().await;
    });
}

#[test]
fn nothing_is_tagged_or_kept_for_a_role_that_may_not_do_it() {
    on_each_version(async |database| {
        let rail = Rail {
            unfiltered: Some(Response::Tag),
            truncate: Some(Response::Tag),
            drop_table: Some(Response::Tag),
            drop_column: Some(Response::Tag),
            ..Rail::default()
        };
        let (proxy, _) = guarded(&database, rail).await;
        let client = database.connect().await;
        let [owner, eve, deputy] =
            ["owner", "eve", "deputy"].map(|name| format!("{name}_{}", database.name()));
        client
            .batch_execute(&format!(
                "CREATE ROLE {owner} LOGIN; CREATE ROLE {eve} LOGIN; CREATE ROLE {deputy} LOGIN NOINHERIT;
                 GRANT {owner} TO {deputy}; GRANT USAGE, CREATE ON SCHEMA public TO {owner};
                 ALTER TABLE t OWNER TO {owner}; CREATE TABLE u (id int, name text); ALTER TABLE u OWNER TO {owner}"
            ))
            .await
            .unwrap();
        let as_role = async |role: &str| {
            let mut wire = Wire::connect(proxy.address).await;
            wire.send(&startup(&[("user", role), ("database", database.name())])).await;
            wire.until(b'Z').await;
            wire
        };
        let mut intruder = as_role(&eve).await;
        for sql in [
            "DROP TABLE t",
            "DROP TABLE public.t, u",
            "ALTER TABLE t DROP COLUMN name",
            "TRUNCATE t",
            "DELETE FROM t",
            "UPDATE t SET name = 'y'",
            "DROP SCHEMA public",
        ] {
            let answers = intruder.query(sql).await;
            assert_eq!(
                (tags(&answers).as_str(), field(&answers[0], b'C').as_str()),
                ("EZ", "42501")
            );
        }
        let count = "SELECT count(*) = 0 FROM pgtrack.tags()";
        assert!(client.query_one(count, &[]).await.unwrap().get::<_, bool>(0));
        let count = "SELECT count(*) = 0 FROM pgtrack.kept";
        assert!(client.query_one(count, &[]).await.unwrap().get::<_, bool>(0));
        // Who may become the owner may do it, and so may the owner.
        let mut deputy_s = as_role(&deputy).await;
        deputy_s.query(&format!("SET ROLE {owner}")).await;
        assert_eq!(tags(&deputy_s.query("DROP TABLE t").await), "NCZ");
        let mut owner_s = as_role(&owner).await;
        assert_eq!(tags(&owner_s.query("TRUNCATE u").await), "NCZ");
        let drop =
            format!("DROP OWNED BY {owner}, {eve}, {deputy}; DROP ROLE {owner}, {eve}, {deputy}");
        client.batch_execute(&drop).await.unwrap();
        database.remove().await;
    });
}

fn strict() -> Rail {
    Rail { unanalysed: Some(Unanalysed::Deny), ..deny_all() }
}

#[test]
fn what_cannot_be_analysed_is_refused_where_that_is_wanted() {
    on_each_version(async |database| {
        let (proxy, mut wire) = guarded(&database, strict()).await;
        let long = format!("UPDATE t SET name = '{}'", "x".repeat(1_000_000));
        // The danger is behind what is kept of the text.
        let hidden = format!("/* {} */ DELETE FROM t", "x".repeat(70_000));
        for sql in [
            long.as_str(),
            &hidden,
            "DO 'BEGIN DELETE FROM t; END'",
            "SELECT 1; DO $$BEGIN NULL; END$$",
            "DELETE FROM t WHERE",
            &format!("SELECT 1; DELETE FROM t WHERE id = {}1", "0 + ".repeat(300)),
        ] {
            let answers = wire.query(sql).await;
            assert_eq!((tags(&answers).as_str(), status(&answers)), ("EZ", 'I'), "{sql:.60}");
            assert_eq!(field(&answers[0], b'C'), "42501");
            assert!(field(&answers[0], b'M').starts_with("this is refused here"), "{answers:?}");
        }
        // Prepared, too.
        wire.send(
            &[parse("long", &hidden), bind("", "long", &[]), execute("", 0), sync()].concat(),
        )
        .await;
        let answers = wire.until(b'Z').await;
        assert_eq!(tags(&answers), "12EZ");
        assert_eq!(field(&answers[2], b'C'), "42501");
        assert_eq!(
            tags(&wire.query("INSERT INTO t VALUES (11, 'do') ON CONFLICT DO NOTHING").await),
            "CZ"
        );
        assert_eq!(wire.value("SELECT count(*) FROM t").await, "11");
        let watch = proxy.control.watch().unwrap();
        assert!(watch.not_analysed().refused.value() >= 7);
        assert!(watch.not_analysed().too_long.value() >= 2);
        database.remove().await;
    });
}

#[test]
fn a_function_call_by_number_is_refused_where_what_cannot_be_analysed_is() {
    on_each_version(async |database| {
        let (proxy, mut wire) = guarded(&database, strict()).await;
        let client = database.connect().await;
        let number: u32 = client
            .query_one("SELECT 'nextval(regclass)'::regprocedure::oid", &[])
            .await
            .unwrap()
            .get(0);
        client.batch_execute("CREATE SEQUENCE s").await.unwrap();
        let sequence: u32 =
            client.query_one("SELECT 's'::regclass::oid", &[]).await.unwrap().get(0);
        let [number, sequence] = [number, sequence].map(u32::to_be_bytes);
        let call = [&number[..], &[0, 1, 0, 1, 0, 1, 0, 0, 0, 4], &sequence, &[0, 1]];
        let call = message(b'F', &call.concat());
        // However it comes.
        for byte in &call {
            wire.send(&[*byte]).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let refused = wire.until(b'Z').await;
        assert_eq!((tags(&refused).as_str(), status(&refused)), ("EZ", 'I'));
        assert!(field(&refused[0], b'M').contains("by its number"), "{refused:?}");
        wire.send(&[call.clone(), query("SELECT 1"), call.clone()].concat()).await;
        assert_eq!(tags(&wire.until(b'Z').await), "EZ");
        assert_eq!(tags(&wire.until(b'Z').await), "TDCZ");
        assert_eq!(tags(&wire.until(b'Z').await), "EZ");
        assert_eq!(wire.value("SELECT is_called FROM s").await, "f");
        drop(proxy);

        // Elsewhere it is none of ours.
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let mut wire = Wire::session(proxy.address, database.name()).await;
        wire.send(&call).await;
        assert_eq!(tags(&wire.until(b'Z').await), "VZ");
        database.remove().await;
    });
}

#[test]
fn what_is_prepared_in_sql_is_judged_when_it_is_prepared() {
    on_each_version(async |database| {
        let (_proxy, mut wire) = guarded(&database, deny_all()).await;
        for sql in ["PREPARE gone AS DELETE FROM t", "SELECT 1; PREPARE gone AS DELETE FROM t"] {
            let answers = wire.query(sql).await;
            assert_eq!(
                (tags(&answers).as_str(), field(&answers[0], b'C').as_str()),
                ("EZ", "42501")
            );
        }
        wire.send(&[extended("PREPARE gone AS DELETE FROM t"), sync()].concat()).await;
        let answers = wire.until(b'Z').await;
        assert_eq!(field(&answers[2], b'C'), "42501");
        assert_eq!(tags(&wire.query("PREPARE one AS DELETE FROM t WHERE id = 1").await), "CZ");
        assert_eq!(tags(&wire.query("EXECUTE one").await), "CZ");
        database.remove().await;
    });
}

#[test]
fn a_statement_that_was_forgotten_is_refused_where_what_cannot_be_analysed_is() {
    on_each_version(async |database| {
        let warn = Rail {
            unfiltered: Some(Response::Warn),
            unanalysed: Some(Unanalysed::Deny),
            ..Rail::default()
        };
        let (_proxy, mut wire) = guarded(&database, warn).await;
        let mut pipeline = vec![parse("gone", "DELETE FROM t")];
        // More than are remembered.
        for number in 0..1100 {
            pipeline.push(parse(&format!("s{number}"), "DELETE FROM t"));
        }
        pipeline.push(sync());
        wire.send(&pipeline.concat()).await;
        wire.until(b'Z').await;
        wire.send(&[bind("", "gone", &[]), execute("", 0), sync()].concat()).await;
        let answers = wire.until(b'Z').await;
        assert_eq!(tags(&answers), "2EZ");
        assert!(field(&answers[1], b'M').contains("too long ago"), "{answers:?}");
        let answers = wire.query("EXECUTE gone").await;
        assert_eq!(field(&answers[0], b'C'), "42501");
        assert_eq!(wire.value("SELECT count(*) FROM t").await, "10");
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
