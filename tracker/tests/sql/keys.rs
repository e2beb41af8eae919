//! Keys of every kind, and rows whose key changes.

use crate::support::{on_each_version, on_outer_versions};

#[test]
fn case_16_keys_of_any_type_find_their_row() {
    on_each_version(async |session| {
        session.run("CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN code AS text CHECK (value <> '')").await;
        for (key_type, value, key) in [
            ("smallint", "7", "7::smallint"),
            ("int", "7", "7"),
            ("bigint", "9007199254740993", "9007199254740993"),
            ("numeric(10,2)", "1.50", "1.5"),
            (
                "uuid",
                "'c0ffee00-0000-4000-8000-000000000000'",
                "'c0ffee00-0000-4000-8000-000000000000'::uuid",
            ),
            (
                "uuid",
                "'c0ffee00-0000-4000-8000-000000000000'",
                "'c0ffee00-0000-4000-8000-000000000000'",
            ),
            ("text", "E'quote '' newline \\n \u{1F418}'", "E'quote '' newline \\n \u{1F418}'"),
            ("text", "'{\"id\": 1}'", "'{\"id\": 1}'"),
            ("varchar(20)", "'abc'", "'abc'::varchar"),
            ("char(5)", "'abc'", "'abc'"),
            ("citext", "'Abc'", "'aBC'"),
            ("bytea", r"'\x00ff'", r"'\x00ff'::bytea"),
            ("boolean", "true", "true"),
            ("date", "'2026-02-01'", "date '2026-02-01'"),
            ("timestamptz", "'2026-02-01 12:00+09'", "timestamptz '2026-02-01 03:00+00'"),
            ("timestamp", "'2026-02-01 12:00'", "timestamp '2026-02-01 12:00'"),
            ("interval", "'1 day 02:00'", "interval '1 day 2 hours'"),
            ("float8", "0.1::float8 + 0.2", "0.1::float8 + 0.2"),
            ("inet", "'10.0.0.1/8'", "inet '10.0.0.1/8'"),
            ("mood", "'ok'", "'ok'::mood"),
            ("code", "'x'", "'x'"),
            ("int4range", "'[1,5)'", "int4range(1, 5)"),
            ("int[]", "'{1,2}'", "ARRAY[1, 2]"),
            ("jsonb", "'{\"a\": 1}'", "'{\"a\": 1}'::jsonb"),
        ] {
            session.run(&format!("DROP TABLE IF EXISTS t; CREATE TABLE t (id {key_type} PRIMARY KEY, v int); SELECT pgtrack.track('t');
                                  INSERT INTO t VALUES ({value}, 1); UPDATE t SET v = 2")).await;
            let versions = session
                .rows(&format!(
                    "SELECT count(*), max(after ->> 'v') FROM pgtrack.history('t', {key})"
                ))
                .await;
            assert_eq!(versions, "2|2", "{key_type} {key}");
            session.run("DELETE FROM t").await;
            session.run(&format!("SELECT pgtrack.restore('t', {key}); SELECT pgtrack.undo('t', {key}); SELECT pgtrack.undo('t', {key}); SELECT pgtrack.revert('t', {key}, 1)")).await;
            let same = session.rows(&format!("SELECT id = {value}, v FROM t")).await;
            assert_eq!(same, "t|1", "{key_type} {key}");
        }
    });
}

/// hstore has a cast to json, whose object is not how hstore is written.
#[test]
fn a_key_that_is_not_read_again_from_json_names_no_row() {
    on_outer_versions(async |session| {
        session.run("CREATE EXTENSION hstore; CREATE TABLE t (id hstore PRIMARY KEY, v int); CREATE TABLE a (n int, id hstore[], PRIMARY KEY (n, id))").await;
        let without = "tracked without its primary key, which has a type with a cast to json: single rows cannot be reverted";
        for table in ["t", "a"] {
            session.check(&format!("SELECT status FROM pgtrack.track('{table}')"), without).await;
        }
        session.run("INSERT INTO t VALUES ('a=>1', 1); UPDATE t SET v = 2; UPDATE t SET id = 'b=>2'; DELETE FROM t").await;
        session.run("INSERT INTO a VALUES (1, '{a=>1}'); UPDATE a SET n = 2").await;
        session
            .check(
                "SELECT op, before ->> 'v' FROM pgtrack.changes('t') ORDER BY statement_id",
                "INSERT|~\nUPDATE|1\nUPDATE|2\nDELETE|2",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        // With another key its rows have names.
        session.run("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v); INSERT INTO t VALUES ('a=>1', 1); UPDATE t SET id = 'b=>2'; SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT id, v FROM t", "\"a\"=>\"1\"|1").await;
        session
            .run("ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id); UPDATE t SET v = 3")
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn case_15_composite_keys_are_written_as_json_in_any_order() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (b int, v text, a uuid, PRIMARY KEY (a, b)); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'x', 'c0ffee00-0000-4000-8000-000000000000'); UPDATE t SET v = 'y'").await;
        for key in [
            r#"'{"a": "c0ffee00-0000-4000-8000-000000000000", "b": 1}'"#,
            r#"'{"b": "1", "a": "C0FFEE00-0000-4000-8000-000000000000"}'"#,
            r#"'{"b": 1, "a": "c0ffee00-0000-4000-8000-000000000000"}'::jsonb"#,
        ] {
            session
                .check(
                    &format!(
                        "SELECT ver, before ->> 'v', after ->> 'v' FROM pgtrack.history('t', {key})"
                    ),
                    "
                1|~|x
                2|x|y",
                )
                .await;
        }
        session.check(r#"SELECT pgtrack.undo_pk('t', '{"b": 1, "a": "c0ffee00-0000-4000-8000-000000000000"}')"#,
            "public.t (a=c0ffee00-0000-4000-8000-000000000000, b=1): row updated: v, now as after version 1").await;
    });
}

#[test]
fn case_16_the_same_row_has_the_same_key_whatever_the_session_prefers() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE t (id timestamptz PRIMARY KEY, v int); SELECT pgtrack.track('t');
                     SET TimeZone = 'Asia/Tokyo'; INSERT INTO t VALUES ('2026-02-01 12:00', 1);
                     SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY';
                     UPDATE t SET id = '03/02/2026 00:00'",
            )
            .await;
        session.run("SET TimeZone = 'Europe/Paris'; SET DateStyle = 'ISO, MDY'").await;
        session
            .check(
                "SELECT ver, op FROM pgtrack.history('t', '2026-02-01 04:00')",
                "
            1|INSERT
            2|UPDATE",
            )
            .await;
        session
            .check(
                "SELECT ver, op FROM pgtrack.history('t', timestamptz '2026-02-03 05:00+00')",
                "
            1|INSERT
            2|UPDATE",
            )
            .await;
    });
}

#[test]
fn case_13_history_follows_a_row_to_its_new_key_and_back() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'; UPDATE t SET id = 2, v = 'c'; UPDATE t SET v = 'd'").await;
        for key in [1, 2] {
            session
                .check(
                    &format!("SELECT ver, before, after FROM pgtrack.history('t', {key})"),
                    r#"
                1|~|{"v": "a", "id": 1}
                2|{"v": "a", "id": 1}|{"v": "b", "id": 1}
                3|{"v": "b", "id": 1}|{"v": "c", "id": 2}
                4|{"v": "c", "id": 2}|{"v": "d", "id": 2}"#,
                )
                .await;
        }
        session
            .check(
                "SELECT pgtrack.revert('t', 2, 2)",
                "public.t (id=2): row updated: id, v, now as after version 2",
            )
            .await;
        session.check("SELECT * FROM t", "1|b").await;
        session
            .check(
                "SELECT ver, after FROM pgtrack.history('t', 1) OFFSET 3",
                r#"
            4|{"v": "d", "id": 2}
            5|{"v": "b", "id": 1}"#,
            )
            .await;
        session
            .check(
                "SELECT pgtrack.undo('t', 1)",
                "public.t (id=1): row updated: id, v, now as after version 4",
            )
            .await;
        session.check("SELECT * FROM t", "2|d").await;
    });
}

#[test]
fn a_new_row_under_an_old_key_has_its_own_history_and_shows_that_of_the_other_beside_it() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'a'); UPDATE t SET id = 2; INSERT INTO t VALUES (1, 'new')").await;
        session
            .check(
                "SELECT ver, op, after FROM pgtrack.history('t', 1)",
                r#"
            ~|INSERT|{"v": "a", "id": 1}
            ~|UPDATE|{"v": "a", "id": 2}
            1|INSERT|{"v": "new", "id": 1}"#,
            )
            .await;
        session
            .check(
                "SELECT ver, op, after FROM pgtrack.history('t', 2)",
                r#"
            1|INSERT|{"v": "a", "id": 1}
            2|UPDATE|{"v": "a", "id": 2}"#,
            )
            .await;
    });
}

#[test]
fn case_14_rows_that_swap_their_keys_keep_their_own_histories() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, v text); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET id = 3 - id; UPDATE t SET v = v || '!'").await;
        session
            .check(
                "SELECT ver, op, after FROM pgtrack.history('t', 1)",
                r#"
            ~|INSERT|{"v": "a", "id": 1}
            ~|UPDATE|{"v": "a", "id": 2}
            1|INSERT|{"v": "b", "id": 2}
            2|UPDATE|{"v": "b", "id": 1}
            3|UPDATE|{"v": "b!", "id": 1}"#,
            )
            .await;
        session
            .check(
                "SELECT ver, op, after FROM pgtrack.history('t', 2)",
                r#"
            ~|INSERT|{"v": "b", "id": 2}
            ~|UPDATE|{"v": "b", "id": 1}
            1|INSERT|{"v": "a", "id": 1}
            2|UPDATE|{"v": "a", "id": 2}
            3|UPDATE|{"v": "a!", "id": 2}"#,
            )
            .await;
    });
}

#[test]
fn a_key_that_a_before_trigger_changes_is_followed_too() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                     CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id + 10; RETURN NEW; END $$;
                     CREATE TRIGGER move BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION move();
                     INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'").await;
        session
            .check(
                "SELECT ver, op, after FROM pgtrack.history('t', 11)",
                r#"
            1|INSERT|{"v": "a", "id": 1}
            2|UPDATE|{"v": "b", "id": 11}"#,
            )
            .await;
    });
}

#[test]
fn what_was_deleted_under_a_key_that_another_row_has_used_since_comes_back_beside_it() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (5, 'old five'), (2, 'old two')")
            .await;
        session.run("DELETE FROM t; INSERT INTO t VALUES (2, 'new two'); UPDATE t SET id = 5 WHERE id = 2").await;
        session
            .check("SELECT row_pk, op, after ->> 'v' FROM pgtrack.show((SELECT min(xid) FROM pgtrack.log())) ORDER BY 1", "{\"id\": 2}|INSERT|old two\n{\"id\": 5}|INSERT|old five")
            .await;
        session
            .check(
                "SELECT ver, op, before ->> 'v', after ->> 'v' FROM pgtrack.history('t', 5)",
                "
            ~|INSERT|~|old five
            ~|DELETE|old five|~
            1|INSERT|~|old two
            2|DELETE|old two|~
            3|INSERT|~|new two
            4|UPDATE|new two|new two",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.blame('t', 5) WHERE ver = 4", "1").await;
        session
            .check("SELECT row_pk, data ->> 'v' FROM pgtrack.deleted('t')", "{\"id\": 2}|old two")
            .await;
        session
            .check(
                "SELECT action, before, after ->> 'v' FROM pgtrack.plan_restore('t', 2)",
                "insert|~|old two",
            )
            .await;
        session.run("SELECT pgtrack.restore('t', 2)").await;
        session.check("SELECT * FROM t ORDER BY id", "2|old two\n5|new two").await;
        session.run("UPDATE t SET v = 'x' WHERE id = 5; SELECT pgtrack.undo('t', 5)").await;
        session.check("SELECT * FROM t ORDER BY id", "2|old two\n5|new two").await;
    });
}

/// Row 2 was inserted under the key of one that was deleted, and another has that key now.
const TAKEN: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
    INSERT INTO t VALUES (4, 'old four'), (5, 'five'); DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (4, 'new four');
    UPDATE t SET id = 2 WHERE id = 4; UPDATE t SET id = 4 WHERE id = 5";

#[test]
fn a_row_whose_key_another_has_got_is_not_brought_back_over_it() {
    on_each_version(async |session| {
        session.run(TAKEN).await;
        for on_conflict in ["error", "skip", "merge", "delta", "force"] {
            for call in [
                format!(
                    "SELECT * FROM pgtrack.plan_revert('t', 2, 1, on_conflict => '{on_conflict}')"
                ),
                format!("SELECT pgtrack.revert('t', 2, 1, on_conflict => '{on_conflict}')"),
                format!("SELECT pgtrack.undo('t', 2, on_conflict => '{on_conflict}')"),
                format!(
                    "SELECT pgtrack.revert('t', 2, 1, columns => '{{v}}', on_conflict => '{on_conflict}')"
                ),
            ] {
                let error = session.error(&call).await;
                assert!(
                    error.starts_with("23505: two rows of public.t would have the key id=4"),
                    "{call}: {error}"
                );
            }
        }
        // It did not exist, and does not; whoever has its key is not meant.
        session
            .check("SELECT action, before FROM pgtrack.plan_revert('t', 2, 0)", "nothing|~")
            .await;
        session.run("SELECT pgtrack.revert('t', 2, 0)").await;
        session.check("SELECT * FROM t ORDER BY id", "2|new four\n4|five").await;
        session.run("UPDATE t SET id = 5 WHERE id = 4; SELECT pgtrack.revert('t', 2, 1)").await;
        session.check("SELECT * FROM t ORDER BY id", "2|new four\n4|old four\n5|five").await;
    });
}

#[test]
fn a_row_is_not_rolled_back_over_another_that_has_its_key() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (a int, b text, v text, PRIMARY KEY (a, b) DEFERRABLE INITIALLY DEFERRED); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (4, 'x', 'old four'), (5, 'x', 'five')").await;
        session.run("CREATE TABLE moment AS SELECT clock_timestamp() AS at").await;
        session.run("DELETE FROM t WHERE a = 4").await;
        session.run("INSERT INTO t VALUES (4, 'x', 'new four'); UPDATE t SET a = 2 WHERE a = 4; UPDATE t SET a = 4 WHERE a = 5").await;
        for verb in ["plan_rollback_to_pk", "rollback_to_pk"] {
            let error = session
                .error(&format!("SELECT * FROM pgtrack.{verb}('t', '{{\"a\": 2, \"b\": \"x\"}}', (SELECT at FROM moment))"))
                .await;
            assert!(
                error.starts_with("23505: two rows of public.t would have the key a=4, b=x"),
                "{error}"
            );
        }
        session.check("SELECT a, v FROM t ORDER BY a", "2|new four\n4|five").await;
    });
}

#[test]
fn restore_brings_back_what_deleted_lists() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (2, 'two'), (3, 'a'), (6, 'six')").await;
        session.run("DELETE FROM t WHERE id < 6; INSERT INTO t VALUES (3, 'b'); UPDATE t SET id = 7 WHERE id = 3; DELETE FROM t WHERE id = 7").await;
        session.run("INSERT INTO t VALUES (7, 'living'); UPDATE t SET id = 2 WHERE id = 6; UPDATE t SET id = 9 WHERE id = 2").await;
        session
            .check(
                "SELECT row_pk, data ->> 'v' FROM pgtrack.deleted('t') ORDER BY 1",
                "{\"id\": 2}|two\n{\"id\": 3}|a",
            )
            .await;
        session
            .check(
                "SELECT p.action, p.before, p.after ->> 'v', p.version FROM pgtrack.deleted('t') d CROSS JOIN pgtrack.plan_restore_pk('t', d.row_pk) p ORDER BY 3",
                "insert|~|a|1\ninsert|~|two|~",
            )
            .await;
        session
            .check(
                "SELECT pgtrack.restore_pk('t', row_pk) FROM pgtrack.deleted('t') ORDER BY 1",
                "public.t (id=2): row inserted again, now as before its deletion\npublic.t (id=3): row inserted again, now as after version 1",
            )
            .await;
        session.check("SELECT * FROM t ORDER BY id", "2|two\n3|a\n7|living\n9|six").await;
        session.check("SELECT count(*) FROM pgtrack.deleted('t')", "0").await;
    });
}

#[test]
fn what_a_row_was_deleted_under_is_not_restored_over_the_one_that_has_that_key() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'one')").await;
        session.run("UPDATE t SET id = 2; DELETE FROM t; INSERT INTO t VALUES (2, 'new')").await;
        let error = session.error("SELECT pgtrack.restore('t', 1)").await;
        assert!(error.starts_with("23505: public.t (id=2) exists"), "{error}");
        session.run("UPDATE t SET id = 3; SELECT pgtrack.restore('t', 2)").await;
        session.check("SELECT * FROM t ORDER BY id", "2|one\n3|new").await;
    });
}

#[test]
fn a_key_that_was_left_leads_to_the_row_that_left_it_and_to_no_other() {
    for (others, history) in [
        ("DELETE FROM t WHERE id = 2; UPDATE t SET id = 2 WHERE id = 9", "UPDATE|one\nDELETE|~"),
        (
            "UPDATE t SET id = 3 WHERE id = 2; INSERT INTO t VALUES (2, 'new')",
            "UPDATE|one\nUPDATE|one",
        ),
        (
            "UPDATE t SET id = 3 WHERE id = 2; UPDATE t SET id = 2 WHERE id = 9",
            "UPDATE|one\nUPDATE|one",
        ),
    ] {
        on_outer_versions(async |session| {
            session.run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'one'), (9, 'nine'); SELECT pgtrack.track('t')").await;
            session.run(&format!("UPDATE t SET id = 2 WHERE id = 1; {others}")).await;
            let before = session.rows("SELECT * FROM t ORDER BY id").await;
            session
                .check(
                    "SELECT op, after ->> 'v' FROM pgtrack.history('t', 1) WHERE ver IS NOT NULL",
                    history,
                )
                .await;
            let error = session.error("SELECT pgtrack.undo('t', 1)").await;
            assert!(
                error.starts_with("23505: two rows of public.t would have the key id=2"),
                "{error}"
            );
            session.check("SELECT * FROM t ORDER BY id", &before).await;
        });
    }
}

#[test]
fn the_change_after_an_unrecorded_return_is_undone_to_what_it_overwrote() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 1); DELETE FROM t;
                  SET session_replication_role = replica; INSERT INTO t VALUES (1, 5); RESET session_replication_role; UPDATE t SET v = 7; SELECT pgtrack.undo('t', 1)")
            .await;
        session.check("TABLE t", "1|5").await;
    });
}

#[test]
fn keys_that_passed_between_rows_are_not_set_back_where_something_would_stay_behind() {
    on_each_version(async |session| {
        for (make, obstacle) in [
            ("CREATE TABLE t (id int PRIMARY KEY, n text, pw text); SELECT pgtrack.track('t', '{\"redact\": [\"pw\"]}')", "column pw"),
            ("CREATE TABLE t (id int PRIMARY KEY, n text, pw text); SELECT pgtrack.track('t', '{\"exclude\": [\"pw\"]}')", "column pw"),
            (
                "CREATE TABLE t (id int PRIMARY KEY, n text, k int UNIQUE); CREATE TABLE c (k int CONSTRAINT c_to_k REFERENCES t (k) ON UPDATE CASCADE);
                 SELECT pgtrack.track('t')",
                "foreign key c_to_k of public.c",
            ),
            (
                "CREATE TABLE t (id int PRIMARY KEY, n text, k int); CREATE TABLE c (t int CONSTRAINT c_to_t REFERENCES t ON UPDATE CASCADE);
                 SELECT pgtrack.track('t')",
                "foreign key c_to_t of public.c",
            ),
        ] {
            session.run("DROP TABLE IF EXISTS c, t").await;
            session.run(make).await;
            session.run("INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20)").await;
            session.run("BEGIN; UPDATE t SET id = 3 WHERE id = 2; UPDATE t SET id = 2 WHERE id = 1; COMMIT").await;
            let error = session.error("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1, 't')))").await;
            assert!(error.starts_with("55000: keys of public.t that passed from one row to another cannot be set back"), "{error}");
            assert!(error.contains(obstacle), "{error}");
            session.check("SELECT id, n FROM t ORDER BY id", "2|a\n3|b").await;
        }
    });
}

#[test]
fn a_row_whose_key_passed_to_nobody_gets_it_back_beside_others_that_change_places() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE c (k int PRIMARY KEY, t int REFERENCES t ON UPDATE CASCADE ON DELETE CASCADE);
                     INSERT INTO t VALUES (1, 1), (2, 2); INSERT INTO c VALUES (1, 1); SELECT pgtrack.track('public')").await;
        session.run("BEGIN; SELECT pgtrack.set_actor('me'); UPDATE t SET id = 11 WHERE id = 1; UPDATE t SET id = 12 WHERE id = 2;
                     DELETE FROM t WHERE id = 12; INSERT INTO t VALUES (2, 9); COMMIT; SELECT pgtrack.set_actor('others'); INSERT INTO c VALUES (2, 11)").await;
        session.run("SELECT pgtrack.undo_where(actor => 'me')").await;
        session.check("SELECT * FROM t ORDER BY id", "1|1\n2|2").await;
        session.check("SELECT * FROM c ORDER BY k", "1|1\n2|1").await;
    });
}

/// Whose values have no binary form, so that PostgreSQL makes no domain of one from JSON.
#[test]
fn a_key_of_an_extension_s_type_without_a_binary_form_names_its_row() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE EXTENSION isn; CREATE TABLE t (k isbn13 PRIMARY KEY, v int); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES ('978-0-393-04002-9', 1); UPDATE t SET v = 2; UPDATE t SET k = '978-1-86197-271-2'; DELETE FROM t",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session
            .check(
                "SELECT string_agg(op, ' ' ORDER BY ver) FROM pgtrack.history('t', '978-1-86197-271-2')",
                "INSERT UPDATE UPDATE DELETE",
            )
            .await;
        session.run("SELECT pgtrack.restore('t', '978-1-86197-271-2')").await;
        session.check("TABLE t", "978-1-86197-271-2|2").await;
    });
}

#[test]
fn a_row_is_followed_through_an_undo_in_which_rows_change_places() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE seat (id int PRIMARY KEY, guest text); INSERT INTO seat VALUES (1, 'ann'); SELECT pgtrack.track('seat')")
            .await;
        for transaction in [
            "UPDATE seat SET id = 2",
            "UPDATE seat SET id = 3",
            "UPDATE seat SET id = 4; INSERT INTO seat VALUES (3, 'bob')",
        ] {
            session.run(transaction).await;
        }
        let changes: Vec<String> = session
            .rows("SELECT xid FROM pgtrack.log(3) ORDER BY xid DESC")
            .await
            .lines()
            .map(String::from)
            .collect();
        // Ann gets the key that Bob has, so hers goes.
        session.run(&format!("SELECT pgtrack.undo_transaction({})", changes[0])).await;
        session
            .check("SELECT op, what, before ->> 'id', after ->> 'id' FROM pgtrack.history('seat', 3) WHERE ver = 4", "UPDATE|{id}|4|3")
            .await;
        session.check("SELECT * FROM pgtrack.deleted('seat')", "").await;
        let redo = session.rows("SELECT xid FROM pgtrack.log(1)").await;
        for xid in &changes[1..] {
            session.run(&format!("SELECT pgtrack.undo_transaction({xid})")).await;
        }
        session.check("TABLE seat", "1|ann").await;
        session
            .check(
                "SELECT ver, op, after ->> 'id' FROM pgtrack.history('seat', 1) WHERE ver > 3",
                "4|UPDATE|3\n5|UPDATE|2\n6|UPDATE|1",
            )
            .await;
        // And forward again.
        session
            .run("SELECT pgtrack.undo_transaction(xid) FROM (SELECT xid FROM pgtrack.log(1)) x")
            .await;
        session.run("SELECT pgtrack.undo_transaction(xid) FROM (SELECT xid FROM pgtrack.log(3) ORDER BY xid LIMIT 1) x").await;
        session.run(&format!("SELECT pgtrack.undo_transaction({redo})")).await;
        session.check("SELECT * FROM seat ORDER BY id", "3|bob\n4|ann").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn nobody_tells_what_they_have_not_done() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE seat (id int PRIMARY KEY, guest text); SELECT pgtrack.track('seat'); INSERT INTO seat VALUES (1, 'ann'), (2, 'bob');
                 DROP ROLE IF EXISTS keys_waiter; CREATE ROLE keys_waiter; GRANT SELECT, INSERT, DELETE, UPDATE (guest) ON seat TO keys_waiter;
                 UPDATE seat SET guest = guest || '!'; CREATE TABLE copy AS SELECT statement_id, operation, row_count FROM pgtrack.statement",
            )
            .await;
        let tell = |function: &str,
                    deleted: &str,
                    old: &str,
                    new: &str,
                    inserted: &str,
                    seal: &str| {
            let keys = |ids: &str| {
                format!(
                    "ARRAY(SELECT jsonb_build_object('id', id) FROM unnest('{{{ids}}}'::int[]) id)"
                )
            };
            format!(
                "SELECT pgtrack.{function}(ROW(r.relation_id, 0, {}, {}, {}, {}, NULL, NULL, NULL)::pgtrack._passed_keys{seal}) FROM pgtrack.relation r",
                keys(deleted),
                keys(old),
                keys(new),
                keys(inserted)
            )
        };
        let told =
            "SELECT statement_id, operation, row_count FROM pgtrack.statement EXCEPT TABLE copy";
        // Who is no undo, or has made up a seal, not even as a superuser.
        for seal in [", NULL", ", ''", ", '0 xid:1 ' || repeat('0', 64)"] {
            session.run("BEGIN; UPDATE seat SET guest = guest || '?'").await;
            let refused = session.attempt(&tell("_tell_by_rows", "", "1,2", "2,1", "", seal)).await;
            assert!(refused.is_err_and(|error| error.starts_with("42501")), "told with {seal}");
            session.run("ROLLBACK").await;
        }
        // An undo that is told something of a transaction of others.
        session.run(&tell("_tell_of_moves", "", "1,2", "2,1", "", "")).await;
        session.check(told, "").await;
        session.check("SELECT count(*) FROM pgtrack.key_change", "0").await;
        // Without the right to change keys.
        session
            .run(
                "BEGIN; SET ROLE keys_waiter; CREATE TEMP TABLE may AS SELECT pgtrack._may_move_rows(r.relation_id) FROM pgtrack.relation r;
                 RESET ROLE; COMMIT",
            )
            .await;
        session.check("TABLE may", "f").await;
        // A row that is still there has not gone, and none has come where none went.
        session.run("TRUNCATE copy; INSERT INTO copy SELECT statement_id, operation, row_count FROM pgtrack.statement").await;
        for (deleted, old, new, inserted) in [
            ("1", "", "", ""),
            ("", "1", "2", ""),
            ("", "", "", "2"),
            ("1,2", "", "", "2"),
            ("", "1,1", "1,2", ""),
        ] {
            session
                .run(&format!(
                    "BEGIN; UPDATE seat SET guest = guest || '.'; {}; INSERT INTO copy SELECT s.statement_id, 'U', 2 FROM pgtrack.statement s
                     WHERE s.xid = pg_current_xact_id(); COMMIT",
                    tell("_tell_of_moves", deleted, old, new, inserted, "")
                ))
                .await;
            session.check(told, "").await;
        }
        // What was done as somebody else stays as it was recorded.
        session
            .run(&format!(
                "BEGIN; UPDATE seat SET guest = guest || '.' WHERE id = 1; SET LOCAL application_name = 'other'; UPDATE seat SET guest = guest || '.' WHERE id = 2;
                 {}; COMMIT",
                tell("_tell_of_moves", "", "1,2", "2,1", "", "")
            ))
            .await;
        session.check("SELECT count(*) FROM pgtrack.key_change", "0").await;
        // A new row is none that was deleted under a key that it never had.
        session.run("DELETE FROM seat WHERE id = 1").await;
        session
            .run(
                "BEGIN; INSERT INTO seat VALUES (9, 'eve');
                 SELECT pgtrack._tell_of_returns(ROW(r.relation_id, 0, NULL, NULL, NULL, NULL, ARRAY['{\"id\": 1}'::jsonb], ARRAY['{\"id\": 9}'::jsonb],
                                                     ARRAY[0::bigint])::pgtrack._passed_keys) FROM pgtrack.relation r; COMMIT",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.key_change", "0").await;
        session.run("DROP OWNED BY keys_waiter; DROP ROLE keys_waiter").await;
    });
}

#[test]
fn a_row_comes_back_to_a_key_that_another_row_of_the_undo_leaves() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE seat (id text PRIMARY KEY DEFERRABLE, guest text); INSERT INTO seat VALUES ('b', 'ann'), ('c', 'bob');
                 SELECT pgtrack.track('seat')",
            )
            .await;
        let mut changes = Vec::new();
        for transaction in [
            "DELETE FROM seat WHERE id = 'c'",
            "UPDATE seat SET id = 'c'",
            "INSERT INTO seat VALUES ('b', 'eve'); UPDATE seat SET id = chr(ascii(id) + 1)",
        ] {
            session.run(transaction).await;
            changes.push(session.rows("SELECT xid FROM pgtrack.log(1)").await);
        }
        for _ in 1..=2 {
            // Back, and forward again.
            for place in 0..changes.len() {
                let place = changes.len() - 1 - place;
                session.run(&format!("SELECT pgtrack.undo_transaction({})", changes[place])).await;
                changes[place] = session.rows("SELECT xid FROM pgtrack.log(1)").await;
            }
            changes.reverse();
        }
        session.check("SELECT * FROM seat ORDER BY id", "c|eve\nd|ann").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn what_an_undo_brings_back_under_an_earlier_key_is_the_row_that_was_deleted() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE seat (id int PRIMARY KEY, guest text); SELECT pgtrack.track('seat')")
            .await;
        let mut changes = Vec::new();
        for transaction in [
            "INSERT INTO seat VALUES (1, 'ann')",
            "UPDATE seat SET id = 2",
            "UPDATE seat SET id = 3; DELETE FROM seat WHERE id = 3",
        ] {
            session.run(transaction).await;
            changes.push(session.rows("SELECT xid FROM pgtrack.log(1)").await);
        }
        session.run(&format!("SELECT pgtrack.undo_transaction({})", changes[2])).await;
        session.check("SELECT * FROM pgtrack.deleted('seat')", "").await;
        session
            .check(
                "SELECT op, before ->> 'id', after ->> 'id' FROM pgtrack.history('seat', 2)",
                "
            INSERT|~|1
            UPDATE|1|2
            UPDATE|2|3
            DELETE|3|~
            INSERT|~|2",
            )
            .await;
        session.run(&format!("SELECT pgtrack.undo_transaction({})", changes[1])).await;
        session.check("TABLE seat", "1|ann").await;
        session.run(&format!("SELECT pgtrack.undo_transaction({})", changes[0])).await;
        session.check("TABLE seat", "").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn a_key_that_is_checked_at_commit_is_spoken_of() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED); CREATE TABLE u (id int PRIMARY KEY DEFERRABLE)").await;
        session
            .check(
                "SELECT status FROM pgtrack.track('public') ORDER BY table_name",
                "
                tracked; its primary key is checked at COMMIT, and two rows that have the same until then are taken for one
                tracked",
            )
            .await;
    });
}
