//! The options of `track`, which may be changed at any time.

use crate::support::on_outer_versions;

#[test]
fn case_42_an_excluded_column_is_nowhere_and_a_redacted_one_is_only_named() {
    on_outer_versions(async |session| {
        session
            .run(
                r#"CREATE TABLE t (id int PRIMARY KEY, v text, secret text, big text);
                   SELECT pgtrack.track('t', '{"redact": ["secret"], "exclude": ["big"]}');
                   INSERT INTO t VALUES (1, 'a', 'hush-1', 'large-1')"#,
            )
            .await;
        session
            .run(
                "UPDATE t SET v = 'b', secret = 'hush-2', big = 'large-2';
                   ALTER TABLE t RENAME secret TO hidden; UPDATE t SET hidden = 'hush-3'; DELETE FROM t; INSERT INTO t VALUES (1, 'c', 'hush-4', 'large-4');
                   SELECT pgtrack.set_message('why'); UPDATE t SET v = 'd', hidden = 'hush-5'",
            )
            .await;
        session
            .check(
                "SELECT ver, before FROM pgtrack.history('t', 1) WHERE op <> 'INSERT'",
                r#"
            2|{"v": "a", "id": 1, "hidden": "[redacted]"}
            3|{"v": "b", "id": 1, "hidden": "[redacted]"}
            4|{"v": "b", "id": 1, "hidden": "[redacted]"}
            6|{"v": "c", "id": 1, "hidden": "[redacted]"}"#,
            )
            .await;
        for place in [
            "SELECT h::text FROM pgtrack.history('t', 1) h",
            "SELECT c::text FROM pgtrack.changes('t') c",
            "SELECT l::text FROM pgtrack.log() l",
            "SELECT a::text FROM pgtrack.activity a",
            "SELECT p::text FROM pgtrack.plan_undo('t', 1) p",
            "SELECT d::text FROM pgtrack.diff('t', 'xid:' || (SELECT min(xid) FROM pgtrack.log())) d",
            "SELECT s::text FROM pgtrack.statement s",
            "SELECT h::text FROM pgtrack_history.t_1 h",
            "SELECT b::text FROM pgtrack.blame('t', 1) b",
        ] {
            let text = session.rows(place).await;
            assert!(
                !text.is_empty() && !text.contains("hush") && !text.contains("large"),
                "{place}\n{text}"
            );
        }
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT * FROM t", "1|c|hush-5|large-4").await;
        session.run("DELETE FROM t; SELECT pgtrack.restore('t', 1)").await;
        session.check("SELECT * FROM t", "1|c|~|~").await;
    });
}

#[test]
fn options_change_while_the_table_is_tracked() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text, w text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a', 'x'); UPDATE t SET w = 'y'").await;
        session
            .run(
                r#"SELECT pgtrack.track('t', '{"exclude": ["w"]}'); UPDATE t SET v = 'b', w = 'z'"#,
            )
            .await;
        session.run("SELECT pgtrack.track('t'); UPDATE t SET v = 'c', w = 'zz'").await;
        session
            .check(
                "SELECT ver, before, after FROM pgtrack.history('t', 1)",
                r#"
            1|~|{"v": "a", "id": 1}
            2|{"v": "a", "id": 1}|{"v": "a", "id": 1}
            3|{"v": "a", "id": 1}|{"v": "b", "w": "z", "id": 1}
            4|{"v": "b", "w": "z", "id": 1}|{"v": "c", "w": "zz", "id": 1}"#,
            )
            .await;
    });
}

#[test]
fn options_that_cannot_be_are_refused() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text)").await;
        for (options, error) in [
            (
                r#"{"redact": ["id"]}"#,
                "22023: column \"id\" of public.t cannot be left out\nDETAIL: It belongs to the primary key, by which history finds the row.",
            ),
            (
                r#"{"exclude": ["w"]}"#,
                "42703: column \"w\" of public.t does not exist\nHINT: It is named by the option \"exclude\".",
            ),
            (
                r#"{"on_drop": "explode"}"#,
                "22023: option \"on_drop\" must be \"allow\" or \"refuse\", not \"explode\"",
            ),
            ("[1]", "22023: the options must be a JSON object, not [1]"),
        ] {
            assert_eq!(
                session.error(&format!("SELECT pgtrack.track('t', '{options}')")).await,
                error
            );
        }
        session
            .check(
                r#"SELECT * FROM pgtrack.track('public', '{"exclude": ["w"]}')"#,
                "public.t|tracked",
            )
            .await;
    });
}

#[test]
fn case_51_a_protected_table_is_not_dropped_nor_a_column_of_it() {
    on_outer_versions(async |session| {
        session.run(r#"CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, v text, w numeric); SELECT pgtrack.track('s.t', '{"on_drop": "refuse"}')"#).await;
        for (ddl, what) in [
            ("DROP TABLE s.t", "drop"),
            ("DROP SCHEMA s CASCADE", "drop"),
            ("ALTER TABLE s.t DROP COLUMN w", "drop column w of"),
            ("ALTER TABLE s.t ALTER COLUMN w TYPE int", "change the type of column w of"),
        ] {
            let error = session.error(ddl).await;
            assert!(
                error.starts_with(&format!(
                    "55000: cannot {what} s.t: it is tracked with on_drop \"refuse\""
                )),
                "{error}"
            );
            assert!(error.contains("HINT: SELECT pgtrack.keep('s.t') saves them"), "{error}");
        }
        session
            .run("ALTER TABLE s.t ADD COLUMN x int; CREATE TABLE s.other (); DROP TABLE s.other")
            .await;
        session.run("CREATE TABLE s.p (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES IN (1)").await;
        session.run(r#"SELECT pgtrack.track('s.p', '{"on_drop": "refuse"}')"#).await;
        let error = session.error("DROP TABLE s.p1").await;
        assert!(error.starts_with("55000: cannot drop partition s.p1 of s.p"), "{error}");
        session.run("SELECT pgtrack.track('s'); DROP SCHEMA s CASCADE").await;
    });
}

#[test]
fn case_37_what_logical_replication_applies_is_recorded_on_request() {
    on_outer_versions(async |session| {
        session.run(r#"CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t', '{"replica": true}')"#).await;
        // An apply worker runs with this role.
        session.run("SET session_replication_role = replica; INSERT INTO t VALUES (1, 'a'); UPDATE t SET id = 2, v = 'b'; TRUNCATE t; RESET session_replication_role").await;
        session
            .check(
                "SELECT ver, op, before ->> 'v' FROM pgtrack.history('t', 2)",
                "
            1|INSERT|~
            2|UPDATE|a
            3|TRUNCATE|b",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.run("SELECT pgtrack.track('t'); SET session_replication_role = replica; INSERT INTO t VALUES (3, 'unseen'); RESET session_replication_role").await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 3)", "0").await;
    });
}

#[test]
fn a_redaction_holds_for_the_name_until_it_is_lifted() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, ssn int, v text); SELECT pgtrack.track('t', '{\"redact\": [\"ssn\"]}'); INSERT INTO t VALUES (1, 1234, 'a');
                  ALTER TABLE t DROP COLUMN ssn; ALTER TABLE t ADD COLUMN ssn text; UPDATE t SET ssn = 'secret'; UPDATE t SET ssn = 'secret too'")
            .await;
        let recorded = "SELECT count(*) FROM pgtrack.tracked_table, LATERAL (SELECT query_to_xml('SELECT * FROM ' || history_table, true, true, '')::text AS x) h WHERE x LIKE '%secret%'";
        session.check(recorded, "0").await;
        session
            .check("SELECT count(*) FROM pgtrack.activity WHERE query LIKE '%secret%'", "0")
            .await;
        // A renamed column stays redacted, and so does the next of its former name, as both were meant once.
        session.run("ALTER TABLE t RENAME ssn TO social; ALTER TABLE t ADD COLUMN ssn text; UPDATE t SET social = 'secret', ssn = 'secret'; UPDATE t SET v = 'b'").await;
        session.check(recorded, "0").await;
        session
            .run(
                "SELECT pgtrack.track('t', '{}'); UPDATE t SET ssn = 'known'; UPDATE t SET v = 'c'",
            )
            .await;
        session.check("SELECT options -> 'redact' FROM pgtrack.tracked_table", "[]").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}
