//! Calls of pg_track's functions through the proxy.

use std::path::PathBuf;
use std::time::Duration;

use pgtrack_proxy::{Guard, PolicyRule, Unanalysed};
use pgtrack_testkit::{Database, on_each_version_like};
use pgtrack_tracker::calls::Spool;
use tokio_postgres::Client;

use crate::support::{
    TestProxy, Wire, bind, execute, field, message, parse, psql, query, startup, sync, until_true,
    within,
};

/// A database with a tracked table and a row that was changed.
fn on_each_shop(body: impl AsyncFn(Database)) {
    on_each_version_like(
        "audited",
        async |database: Database| {
            let mut client = database.connect().await;
            pgtrack_tracker::install(&mut client).await.unwrap();
            client
                .batch_execute(
                    "CREATE TABLE users (id int PRIMARY KEY, name text);
                     SELECT pgtrack.track('users');
                     INSERT INTO users VALUES (1, 'Ada'), (2, 'Bob');
                     UPDATE users SET name = 'Eve';
                     CREATE ROLE audited_app LOGIN;
                     TRUNCATE pgtrack.audit_entry",
                )
                .await
                .unwrap();
        },
        body,
    );
}

/// The audit, as lines of text.
async fn audit(client: &Client, columns: &str) -> Vec<String> {
    let sql = format!("SELECT concat_ws('|', {columns}) FROM pgtrack.audit ORDER BY entry_id");
    client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// Waits until every call has its outcome.
async fn settled(client: &Client) {
    until_true(client, "SELECT NOT EXISTS (SELECT FROM pgtrack.audit WHERE outcome = 'started')")
        .await;
}

const OUTCOME: &str = "verb, outcome, sqlstate, row_count, through_proxy";

#[test]
fn a_call_is_recorded_once_with_who_called_and_what_came_of_it() {
    on_each_shop(async |database| {
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let client = database.connect().await;
        let (port, name) = (proxy.address.port(), database.name());
        let url = format!(
            "host=127.0.0.1 port={port} user=postgres dbname={name} application_name=shell"
        );
        psql(&url, "SELECT pgtrack.undo('users', 1) /*actor='ada%40shop'*/").await.unwrap();
        psql(&url, "SELECT pgtrack.undo('users', 99)").await.unwrap_err();
        // Not through the proxy.
        client.query("SELECT pgtrack.tag('direct')", &[]).await.unwrap();
        settled(&client).await;
        let failed: String = client
            .query_one("SELECT sqlstate FROM pgtrack.audit WHERE outcome = 'failed'", &[])
            .await
            .unwrap()
            .get(0);
        assert_eq!(
            audit(&client, OUTCOME).await,
            ["undo|done|1|t", format!("undo|failed|{failed}|t").as_str(), "tag|done|f"]
        );
        let who = "application, client_addr, user_name, actor, arguments->>'key', statement, xid IS NOT NULL";
        let lines = audit(&client, who).await;
        assert!(lines[0].starts_with("shell|127.0.0.1|postgres|ada@shop|"), "{lines:?}");
        assert!(
            lines[0].ends_with("|SELECT pgtrack.undo('users', 1) /*actor='ada%40shop'*/|t"),
            "{lines:?}"
        );
        database.remove().await;
    });
}

#[test]
fn prepared_and_pipelined_calls_are_recorded_each_time_they_are_executed() {
    on_each_shop(async |database| {
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let client = database.connect().await;
        let mut wire = Wire::session(proxy.address, database.name()).await;
        let tag = parse("tag", "SELECT pgtrack.tag($1)");
        let call = |name: &[u8]| [bind("", "tag", &[name]), execute("", 0)].concat();
        let pipeline =
            [tag, call(b"one"), call(b"two"), sync(), call(b"one"), call(b"three"), sync()];
        wire.send(&pipeline.concat()).await;
        wire.until(b'Z').await;
        wire.until(b'Z').await;
        wire.query("PREPARE by_sql AS SELECT pgtrack.tag('four')").await;
        wire.query("EXECUTE by_sql").await;
        wire.query(
            "SELECT 1; SELECT pgtrack.tag('five'); SELECT 1/0; SELECT pgtrack.untag('five')",
        )
        .await;
        settled(&client).await;
        assert_eq!(
            audit(&client, "verb, outcome, sqlstate, row_count").await,
            [
                "tag|done|1",
                "tag|done|1",
                "tag|failed|42710",
                "tag|skipped",
                "tag|done|1",
                "tag|done|1",
                "untag|failed|22012"
            ]
        );
        database.remove().await;
    });
}

#[test]
fn case_57_and_58_calls_that_hide_record_themselves() {
    on_each_shop(async |database| {
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let client = database.connect().await;
        let session = proxy.connect(database.name()).await;
        session.batch_execute("SET search_path = pgtrack").await.unwrap();
        session.batch_execute("SELECT tag('hidden')").await.unwrap();
        session.batch_execute("DO 'BEGIN PERFORM pgtrack.tag(''block''); END'").await.unwrap();
        session.batch_execute(r#"SELECT U&"\0070gtrack".tag('quoted')"#).await.unwrap();
        settled(&client).await;
        let lines = audit(&client, "arguments->>'name', outcome, through_proxy").await;
        assert_eq!(lines, ["hidden|done|f", "block|done|f", "quoted|done|t"]);
        database.remove().await;
    });
}

#[test]
fn case_53_and_54_calls_are_read_as_the_session_writes_them() {
    on_each_shop(async |database| {
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let client = database.connect().await;
        let mut wire = Wire::session(proxy.address, database.name()).await;
        wire.query("SET client_encoding = LATIN1; SET standard_conforming_strings = off; SET escape_string_warning = off").await;
        wire.send(&message(b'Q', b"SELECT pgtrack.tag('caf\xe9')\0")).await;
        wire.until(b'Z').await;
        wire.query(r"SELECT pgtrack.tag('it\'s')").await;
        wire.query(r"SELECT pgtrack.untag('it\'s not')").await;
        settled(&client).await;
        let columns = "verb, outcome, through_proxy, coalesce(arguments->>'name', arguments->>'1')";
        let lines = audit(&client, columns).await;
        assert_eq!(lines, ["tag|done|t|café", "tag|done|t|it's", "untag|failed|t|it's not"]);
        let statement = audit(&client, "statement").await.remove(0);
        assert_eq!(statement, "SELECT pgtrack.tag('café')");
        database.remove().await;
    });
}

#[test]
fn case_46_and_56_a_call_in_a_text_too_long_to_be_read_records_itself() {
    on_each_shop(async |database| {
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let client = database.connect().await;
        let mut wire = Wire::session(proxy.address, database.name()).await;
        let long = "x".repeat(10_000_000);
        wire.query(&format!("SELECT pgtrack.tag('long', '{long}')")).await;
        let columns = "verb, outcome, through_proxy, arguments->>'name', length(statement)";
        until_true(&client, "SELECT count(*) = 1 FROM pgtrack.audit").await;
        assert_eq!(audit(&client, columns).await, ["tag|done|f|long|4000"]);
        database.remove().await;
    });
}

#[test]
fn only_real_calls_are_taken_for_calls() {
    on_each_shop(async |database| {
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let client = database.connect().await;
        let mut wire = Wire::session(proxy.address, database.name()).await;
        for sql in [
            "SELECT 'pgtrack.tag(''text'')'",
            "SELECT 1 /* pgtrack.tag('comment') */ -- pgtrack.tag('comment')",
            r#"SELECT "PGTRACK".tag('another schema')"#,
            "SELECT pgtrack.version()",
            "SELECT pgtrack.tag('broken'",
            "\\dt pgtrack.*",
        ] {
            wire.query(sql).await;
        }
        wire.query("SELECT PgTrack.TAG('upper'), \"pgtrack\".\"tag\"('quoted')").await;
        wire.query(
            "WITH called AS MATERIALIZED (SELECT pgtrack.tag('inner')) SELECT count(*) FROM called",
        )
        .await;
        settled(&client).await;
        let lines = audit(&client, "verb, outcome, through_proxy, arguments->>'name'").await;
        assert_eq!(lines, ["tag|done|t|upper", "tag|done|t|quoted", "tag|done|t|inner"]);
        database.remove().await;
    });
}

/// A policy with one verb for one role.
fn only_for(verb: &str, role: &str, unanalysed: Unanalysed) -> Guard {
    let only = PolicyRule { verbs: vec![verb.into()], roles: vec![role.into()], unanalysed };
    Guard { policy: vec![only], ..Guard::default() }
}

#[test]
fn a_verb_that_hides_is_denied_too() {
    on_each_shop(async |database| {
        let proxy =
            TestProxy::watching(&database, only_for("tag", "dba", Unanalysed::Allow), None).await;
        let client = database.connect().await;
        let mut number = 0;
        for (before, sql) in [
            ("SELECT 1", "PREPARE p AS SELECT pgtrack.tag('x')"),
            ("SELECT 1", "SET search_path = pgtrack; SELECT tag('x')"),
            ("SET search_path TO public, PGTRACK", "SELECT tag('x')"),
            ("SET SCHEMA 'pgtrack'", "SELECT * FROM tag('x')"),
            ("SELECT set_config('search_path', 'pgtrack', false)", "PREPARE p AS SELECT tag('x')"),
            ("SELECT set_config('search_path', 'pgt' || 'rack', false)", "SELECT 1, TAG('x')"),
            (
                "UPDATE pg_settings SET setting = 'pgtrack' WHERE name = 'search_path'",
                "TABLE users; SELECT tag('x')",
            ),
            ("SET search_path = U&\"\\0070gtrack\"", "SELECT U&\"t\\0061g\"('x')"),
        ] {
            let mut wire = Wire::session(proxy.address, database.name()).await;
            wire.query(before).await;
            let denied = wire.query(sql).await;
            assert_eq!(field(&denied[0], b'C'), "42501", "{sql}: {denied:?}");
            number += 1;
        }
        for path in [
            ("search_path", "pgtrack"),
            ("options", "-c search_path=public,pgtrack"),
            ("options", "--Search-Path=pgtrack"),
        ] {
            let mut wire = Wire::connect(proxy.address).await;
            wire.send(&startup(&[("user", "postgres"), ("database", database.name()), path])).await;
            wire.until(b'Z').await;
            let denied = wire.query("SELECT tag('x')").await;
            assert_eq!(field(&denied[0], b'C'), "42501", "{path:?}");
            number += 1;
        }
        settled(&client).await;
        assert_eq!(audit(&client, "verb, outcome").await, vec!["tag|denied"; number]);

        // A function of somebody else is none of ours, and neither is another path.
        client
            .batch_execute("CREATE FUNCTION tag(text) RETURNS int LANGUAGE sql AS 'SELECT 7'")
            .await
            .unwrap();
        let mut wire = Wire::session(proxy.address, database.name()).await;
        wire.query("SET search_path = public; SELECT set_config('work_mem', '5MB', false)").await;
        assert_eq!(wire.value("SELECT tag('x')").await, "7");
        database.remove().await;
    });
}

#[test]
fn a_default_path_counts_where_what_is_not_known_is_denied() {
    on_each_shop(async |database| {
        let proxy =
            TestProxy::watching(&database, only_for("tag", "dba", Unanalysed::Deny), None).await;
        let client = database.connect().await;
        let name = database.name();
        client
            .batch_execute(&format!("ALTER DATABASE {name} SET search_path = pgtrack"))
            .await
            .unwrap();
        let mut wire = Wire::session(proxy.address, name).await;
        for sql in ["SELECT tag('x')", "DO 'BEGIN PERFORM tag(''x''); END'"] {
            let denied = wire.query(sql).await;
            assert_eq!(field(&denied[0], b'C'), "42501", "{sql}: {denied:?}");
        }
        until_true(&client, "SELECT count(*) = 0 FROM pgtrack.tags()").await;
        database.remove().await;
    });
}

#[test]
fn failed_calls_keep_their_arguments() {
    on_each_shop(async |database| {
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let client = database.connect().await;
        // Binary, with types from the server.
        let session = proxy.connect(database.name()).await;
        let sql = "SELECT pgtrack.undo('users', $1::int)";
        session.query(sql, &[&99]).await.unwrap_err();
        session.query("SELECT pgtrack.untag($1)", &[&"nobody's"]).await.unwrap_err();
        // Text, without types.
        let mut wire = Wire::session(proxy.address, database.name()).await;
        let long = "ü".repeat(3000);
        let call = [parse("u", "SELECT 1, pgtrack.untag(name => $1::text)")];
        wire.send(
            &[call.concat(), bind("", "u", &[long.as_bytes()]), execute("", 0), sync()].concat(),
        )
        .await;
        wire.until(b'Z').await;
        wire.send(&[bind("", "u", &[b"again"]), execute("", 0), sync()].concat()).await;
        wire.until(b'Z').await;
        settled(&client).await;
        let lines = audit(
            &client,
            "verb, outcome, arguments->>'1', arguments->>'2', left(arguments->>'name', 9), length(arguments->>'name')",
        )
        .await;
        assert_eq!(
            lines,
            [
                "undo|failed|users|99",
                "untag|failed|nobody's",
                "untag|failed|üüüüüüüüü|1000",
                "untag|failed|again|5"
            ]
        );
        database.remove().await;
    });
}

#[test]
fn each_call_of_a_text_is_a_record_in_the_order_of_the_text() {
    on_each_shop(async |database| {
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let client = database.connect().await;
        let mut wire = Wire::session(proxy.address, database.name()).await;
        wire.query(
            "SELECT pgtrack.tag('one'), x.* FROM pgtrack.tag('two') x WHERE pgtrack.tag('three') IS NOT NULL;
             SELECT pgtrack.tag('four')",
        )
        .await;
        let done = "SELECT count(*) = 4 FROM pgtrack.audit_entry WHERE source = 'proxy' AND outcome = 'done'";
        until_true(&client, done).await;
        let sql = "SELECT arguments->>'1' FROM pgtrack.audit_entry
                   WHERE source = 'proxy' AND session IS NOT NULL ORDER BY call_number";
        let names: Vec<String> =
            client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(names, ["one", "two", "three", "four"]);
        database.remove().await;
    });
}

#[test]
fn a_verb_is_denied_to_roles_that_may_not_call_it_and_that_is_recorded() {
    on_each_shop(async |database| {
        let proxy =
            TestProxy::watching(&database, only_for("undo", "dba", Unanalysed::Allow), None).await;
        let client = database.connect().await;
        let mut wire = Wire::session(proxy.address, database.name()).await;
        let denied = wire.query("SELECT pgtrack.undo_pk('users', '1')").await;
        let tags: Vec<_> = denied.iter().map(|message| message.tag).collect();
        assert_eq!(tags, b"EZ");
        assert_eq!(field(&denied[0], b'C'), "42501");
        assert!(field(&denied[0], b'M').contains("may not call pgtrack.undo"), "{denied:?}");
        wire.query("SELECT pgtrack.tag('allowed')").await;
        settled(&client).await;
        assert_eq!(audit(&client, OUTCOME).await, ["undo|denied|42501|t", "tag|done|1|t"]);
        let name: String =
            client.query_one("SELECT name FROM users WHERE id = 1", &[]).await.unwrap().get(0);
        assert_eq!(name, "Eve");
        database.remove().await;
    });
}

#[test]
fn failed_and_denied_reverts_are_in_the_audit_with_their_sqlstate() {
    on_each_shop(async |database| {
        let guard = only_for("revert", "postgres", Unanalysed::Allow);
        let proxy = TestProxy::watching(&database, guard, None).await;
        let client = database.connect().await;
        let session = proxy.connect(database.name()).await;
        for (sql, parameter) in [
            ("SELECT pgtrack.revert('users', 1, $1)", 99),
            ("SELECT pgtrack.revert('users', 1, $1)", 1),
        ] {
            let _ = session.query(sql, &[&parameter]).await;
        }
        session
            .batch_execute("BEGIN; SELECT pgtrack.revert('users', 2, 1); ROLLBACK")
            .await
            .unwrap();
        // Who the session became counts, not who it was.
        session.batch_execute("SET SESSION AUTHORIZATION audited_app").await.unwrap();
        let denied = session.query("SELECT pgtrack.revert('users', 1, 1)", &[]).await.unwrap_err();
        assert_eq!(denied.code().unwrap().code(), "42501");
        settled(&client).await;
        let failed = "SELECT sqlstate FROM pgtrack.audit WHERE outcome = 'failed'";
        let failed: String = client.query_one(failed, &[]).await.unwrap().get(0);
        assert_eq!(
            audit(&client, "verb, outcome, sqlstate, user_name").await,
            [
                format!("revert|failed|{failed}|postgres"),
                "revert|done|postgres".into(),
                "revert|done|postgres".into(),
                "revert|denied|42501|audited_app".into(),
            ]
        );
        assert_eq!(failed.len(), 5);
        database.remove().await;
    });
}

/// A file for a test.
fn spool_path(database: &Database) -> PathBuf {
    std::env::temp_dir().join(format!("pgtrack-{}-{}.spool", std::process::id(), database.name()))
}

#[test]
fn case_76_what_the_database_cannot_take_waits_in_a_file_and_is_replayed() {
    on_each_shop(async |database| {
        let path = spool_path(&database);
        let client = database.connect().await;
        // As when the disk is full: calls work, and records do not.
        client
            .batch_execute(
                "ALTER TABLE pgtrack.audit_entry ADD CONSTRAINT x CHECK (source <> 'proxy')",
            )
            .await
            .unwrap();
        let spool = Spool::open(&path, 100_000).unwrap();
        let proxy = TestProxy::watching(&database, Guard::default(), Some(spool)).await;
        let session = proxy.connect(database.name()).await;
        session.batch_execute("SELECT pgtrack.tag('one')").await.unwrap();
        session.batch_execute("SELECT pgtrack.tag('one')").await.unwrap_err();
        within(Duration::from_secs(20), async {
            while std::fs::read_to_string(&path).unwrap().matches("Finish").count() < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        client.batch_execute("ALTER TABLE pgtrack.audit_entry DROP CONSTRAINT x").await.unwrap();
        // It is tried again after a moment, and before the next record.
        session.batch_execute("SELECT pgtrack.tag('two')").await.unwrap();
        settled(&client).await;
        let lines = audit(&client, "arguments->>'name', arguments->>'1', outcome, sqlstate").await;
        let mut proxied: Vec<_> = lines.clone();
        proxied.sort();
        assert!(proxied.contains(&"one|failed|42710".to_owned()), "{lines:?}");
        let count = "SELECT count(*) = 3 FROM pgtrack.audit_entry WHERE source = 'proxy'";
        until_true(&client, count).await;
        until_true(&client, "SELECT count(*) = 3 FROM pgtrack.audit").await;
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), "");
        std::fs::remove_file(&path).unwrap();
        database.remove().await;
    });
}

#[test]
fn a_call_that_nothing_can_record_is_refused_and_other_traffic_goes_on() {
    on_each_shop(async |database| {
        let client = database.connect().await;
        client
            .batch_execute(
                "ALTER TABLE pgtrack.audit_entry ADD CONSTRAINT x CHECK (source <> 'proxy')",
            )
            .await
            .unwrap();
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let session = proxy.connect(database.name()).await;
        let error = session.batch_execute("SELECT pgtrack.tag('one')").await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert!(error.message().contains("could not be recorded"), "{error}");
        assert_eq!(session.query("SELECT 1", &[]).await.unwrap().len(), 1);
        until_true(&client, "SELECT count(*) = 0 FROM pgtrack.tags()").await;
        database.remove().await;
    });
}

#[test]
fn a_call_whose_session_ends_before_the_answer_keeps_its_record() {
    on_each_shop(async |database| {
        let proxy = TestProxy::watching(&database, Guard::default(), None).await;
        let client = database.connect().await;
        client.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let mut wire = Wire::session(proxy.address, database.name()).await;
        wire.send(&query("SELECT pgtrack.undo('users', 1)")).await;
        let observer = database.connect().await;
        until_true(&observer, "SELECT count(*) = 1 FROM pgtrack.audit WHERE outcome = 'started'")
            .await;
        drop(proxy);
        drop(wire);
        client.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(audit(&observer, "verb, outcome, through_proxy").await, ["undo|started|t"]);
        database.remove().await;
    });
}
