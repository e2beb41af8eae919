//! Undo, revert, roll back and restore one row.

use crate::support::on_each_version;

#[test]
fn the_first_update_after_track_can_be_undone() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'before tracking'); SELECT pgtrack.track('t'); UPDATE t SET v = 'oops'").await;
        session
            .check(
                "SELECT pgtrack.undo('t', 1)",
                "public.t (id=1): row updated: v, now as before its first recorded change",
            )
            .await;
        session.check("SELECT v FROM t", "before tracking").await;
    });
}

#[test]
fn case_54_undo_takes_back_each_operation_and_toggles_for_ever() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        for (sql, undone, done) in [
            ("SELECT", "", "1|a"),
            ("UPDATE t SET v = 'b'", "1|a", "1|b"),
            ("DELETE FROM t", "1|b", ""),
        ] {
            session.run(sql).await;
            for _ in 0..3 {
                session.run("SELECT pgtrack.undo('t', 1)").await;
                session.check("SELECT * FROM t", undone).await;
                session.run("SELECT pgtrack.undo('t', 1)").await;
                session.check("SELECT * FROM t", done).await;
            }
        }
    });
}

#[test]
fn case_52_revert_makes_a_row_what_it_was_right_after_a_version() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'; DELETE FROM t; INSERT INTO t VALUES (1, 'c'); UPDATE t SET v = 'd'").await;
        for (version, rows) in [(1, "1|a"), (2, "1|b"), (3, ""), (4, "1|c"), (5, "1|d"), (0, "")] {
            session.run(&format!("SELECT pgtrack.revert('t', 1, {version})")).await;
            session.check("SELECT * FROM t", rows).await;
        }
        session
            .check(
                "SELECT pgtrack.revert('t', 1, 3)",
                "public.t (id=1): nothing to do, it is as after version 3 already",
            )
            .await;
    });
}

#[test]
fn a_revert_is_recorded_with_what_it_reverts_and_why() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'").await;
        session.run("SELECT pgtrack.undo('t', 1, message => 'wrong customer')").await;
        session.run("UPDATE t SET v = 'c'").await;
        session.check("SELECT operation, statement_id, reverts, message FROM pgtrack.activity ORDER BY statement_id", "
            INSERT|1|~|~
            UPDATE|2|~|~
            UPDATE|3|2|wrong customer
            UPDATE|4|~|~").await;
    });
}

#[test]
fn case_62_rollback_to_a_moment_counts_whole_transactions() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE moment (at timestamptz); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'a'), (2, 'a')").await;
        let other = session.another().await;
        other.run("BEGIN; UPDATE t SET v = 'torn' WHERE id = 1").await;
        session.run("INSERT INTO moment VALUES (clock_timestamp())").await;
        other.run("UPDATE t SET v = 'torn' WHERE id = 2; COMMIT").await;
        session.run("SELECT pgtrack.rollback_to('t', id, (SELECT at FROM moment)) FROM t").await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a
            2|a",
            )
            .await;
    });
}

#[test]
fn case_30_31_restore_inserts_a_deleted_row_with_its_generated_and_identity_columns() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED);
                     SELECT pgtrack.track('t'); INSERT INTO t (n) VALUES (5), (6); DELETE FROM t WHERE id = 1").await;
        session
            .check(
                "SELECT row_pk, data FROM pgtrack.deleted('t')",
                r#"{"id": 1}|{"n": 5, "id": 1, "twice": 10}"#,
            )
            .await;
        session
            .check(
                "SELECT action, before, after FROM pgtrack.plan_restore('t', 1)",
                r#"insert|~|{"n": 5, "id": 1, "twice": 10}"#,
            )
            .await;
        session
            .check(
                "SELECT pgtrack.restore('t', 1)",
                "public.t (id=1): row inserted again, now as after version 1",
            )
            .await;
        session.run("UPDATE t SET n = 50 WHERE id = 1; SELECT pgtrack.undo('t', 1); INSERT INTO t (n) VALUES (7)").await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|5|10
            2|6|12
            3|7|14",
            )
            .await;
    });
}

#[test]
fn case_67_plans_show_what_would_happen_and_change_nothing() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text, w text); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'a', 'x'); UPDATE t SET v = 'b'; UPDATE t SET w = 'y'").await;
        session
            .check(
                "SELECT action, before, after, conflict, version FROM pgtrack.plan_undo('t', 1)",
                r#"update|{"v": "b", "w": "y", "id": 1}|{"v": "b", "w": "x", "id": 1}|~|2"#,
            )
            .await;
        session
            .check(
                "SELECT action, after FROM pgtrack.plan_revert('t', 1, 1)",
                r#"update|{"v": "a", "w": "x", "id": 1}"#,
            )
            .await;
        session.check("SELECT action, after FROM pgtrack.plan_revert('t', 1, 0)", "delete|~").await;
        session.check("SELECT action FROM pgtrack.plan_revert('t', 1, 3)", "nothing").await;
        session
            .check("SELECT count(*), (SELECT v || w FROM t) FROM pgtrack.statement", "3|by")
            .await;
    });
}

#[test]
fn a_row_changed_while_nobody_recorded_is_a_conflict() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b';
                     SET session_replication_role = replica; DELETE FROM t; RESET session_replication_role").await;
        let error = session.error("SELECT pgtrack.undo('t', 1)").await;
        assert!(error.starts_with("TK001: cannot undo the last change of public.t (id=1): the row is missing, but its deletion is not recorded"), "{error}");
        session
            .check(
                "SELECT pgtrack.undo('t', 1, on_conflict => 'skip')",
                "public.t (id=1): skipped, the row is missing, but its deletion is not recorded",
            )
            .await;
        session.run("SELECT pgtrack.undo('t', 1, on_conflict => 'force')").await;
        session.check("SELECT * FROM t", "1|a").await;
    });
}

#[test]
fn an_undo_waits_for_a_writer_and_then_undoes_what_is_last() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'").await;
        let other = session.another().await;
        other.run("BEGIN; UPDATE t SET v = 'c'").await;
        let ((), ()) = tokio::join!(session.run("SELECT pgtrack.undo('t', 1)"), async {
            let watcher = session.another().await;
            while watcher.rows("SELECT count(*) FROM pg_locks WHERE NOT granted").await == "0" {}
            other.run("COMMIT").await;
        });
        session.check("SELECT v FROM t", "b").await;
    });
}

#[test]
fn case_60_deleting_must_not_cascade_to_rows_the_revert_does_not_know_of() {
    on_each_version(async |session| {
        session.run("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
                     CREATE TABLE r (id int PRIMARY KEY, p int REFERENCES p);
                     SELECT pgtrack.track('public'); INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (10, 1); INSERT INTO r VALUES (20, 2)").await;
        let error = session.error("SELECT pgtrack.undo('p', 1)").await;
        assert_eq!(
            error,
            "23503: rows of public.c refer to rows of public.p that this would delete
DETAIL: The foreign key c_p_fkey would delete 1 of them too.
HINT: Delete those rows first, or undo what made them."
        );
        let error = session.error("SELECT pgtrack.undo('p', 2)").await;
        assert!(
            error.starts_with(
                "23503: update or delete on table \"p\" violates foreign key constraint"
            ),
            "{error}"
        );
        session.check("SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c)", "2|1").await;
    });
}

#[test]
fn case_60_nor_to_rows_that_it_sets_back_or_inserts() {
    on_each_version(async |session| {
        session.run("CREATE TABLE p (id int PRIMARY KEY);
                     CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, note text);
                     SELECT pgtrack.track('public'); INSERT INTO c VALUES (10, NULL, 'a'), (11, NULL, 'a')").await;
        let first = session.rows("BEGIN; INSERT INTO p VALUES (1); UPDATE c SET note = 'b' WHERE id = 10; SELECT pg_current_xact_id(); COMMIT").await;
        session.run("UPDATE c SET p = 1 WHERE id = 10").await;
        let error = session
            .error(&format!("SELECT pgtrack.undo_transaction({first}, on_conflict => 'merge')"))
            .await;
        assert!(
            error.starts_with(
                "23503: rows of public.c refer to rows of public.p that this would delete"
            ),
            "{error}"
        );
        session
            .check(
                "SELECT id, p, note FROM c ORDER BY id",
                "10|1|b
 11|~|a",
            )
            .await;
        // What it sets back away from the row does not hold it.
        let second = session.rows("BEGIN; INSERT INTO p VALUES (2); UPDATE c SET p = 2 WHERE id = 11; SELECT pg_current_xact_id(); COMMIT").await;
        session.run("UPDATE c SET note = 'z' WHERE id = 11").await;
        session
            .run(&format!("SELECT pgtrack.undo_transaction({second}, on_conflict => 'merge')"))
            .await;
        session
            .check(
                "SELECT id, p, note FROM c ORDER BY id",
                "10|1|b
 11|~|z",
            )
            .await;
        session
            .run(&format!("SELECT pgtrack.undo_transaction({first}, on_conflict => 'force')"))
            .await;
        session
            .check(
                "SELECT id, p, note FROM c ORDER BY id",
                "10|~|a
 11|~|z",
            )
            .await;
        session.check("SELECT count(*) FROM p", "0").await;
        // Nor what it inserts again.
        let parent = session
            .rows("BEGIN; INSERT INTO p VALUES (3); SELECT pg_current_xact_id(); COMMIT")
            .await;
        session.run("INSERT INTO c VALUES (12, 3, 'c')").await;
        let gone = session
            .rows("BEGIN; DELETE FROM c WHERE id = 12; SELECT pg_current_xact_id(); COMMIT")
            .await;
        let error = session
            .error(&format!("SELECT pgtrack.undo_transactions('{{{parent},{gone}}}', 'force')"))
            .await;
        assert!(error.starts_with("23503: rows of public.c refer to rows of public.p"), "{error}");
        session.check("SELECT id FROM p", "3").await;
    });
}

#[test]
fn types_without_equality_and_exact_values_come_back_as_they_were() {
    on_each_version(async |session| {
        session.run(r#"CREATE TYPE pair AS (a int, b text);
            CREATE TABLE t (id int PRIMARY KEY, j json, x xml, p point, n numeric, arr int[], f float8, jb jsonb, pr pair, b bytea, r daterange, m money, ts timestamptz);
            SELECT pgtrack.track('t');
            INSERT INTO t VALUES (1, '{"a":1,   "a":2}', '<a/>', '(1,2)', 1.10, '[2:3]={7,8}', '-0', 'null', '(1,"x y")', '\x00', '[2026-01-02,2026-03-04)', 12.34, '2026-01-01 00:00:00.123456+00');
            CREATE TABLE copy AS SELECT t::text AS t FROM t"#).await;
        session.run("UPDATE t SET j = NULL, x = NULL, p = NULL, n = NULL, arr = NULL, f = NULL, jb = NULL, pr = NULL, b = NULL, r = NULL, m = NULL, ts = NULL").await;
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT t.t = copy.t FROM (SELECT t::text AS t FROM t) t, copy", "t").await;
        session.run("DELETE FROM t; SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT t.t = copy.t FROM (SELECT t::text AS t FROM t) t, copy", "t").await;
    });
}

#[test]
fn an_undo_sets_only_the_columns_in_which_a_row_differs() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE account (id int PRIMARY KEY, name text, password text, turn int GENERATED ALWAYS AS IDENTITY);
                 CREATE FUNCTION hash_password() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.password := md5(NEW.password); RETURN NEW; END$$;
                 CREATE TRIGGER hash_password BEFORE INSERT OR UPDATE OF password ON account FOR EACH ROW EXECUTE FUNCTION hash_password();
                 SELECT pgtrack.track('account'); INSERT INTO account VALUES (1, 'ann', 'secret'), (2, 'bob', 'hidden')",
            )
            .await;
        session.run("UPDATE account SET name = 'wrong'").await;
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session
            .check(
                "SELECT id, name, password IN (md5('secret'), md5('hidden')), turn FROM account ORDER BY id",
                "
            1|ann|t|1
            2|bob|t|2",
            )
            .await;
        session.run("CREATE ROLE namer; GRANT SELECT, UPDATE (name) ON account TO namer").await;
        session.run("UPDATE account SET name = 'wrong' WHERE id = 1; SET ROLE namer").await;
        session.run("SELECT pgtrack.undo('account', 1); RESET ROLE").await;
        session.check("SELECT name FROM account WHERE id = 1", "ann").await;
        session
            .run("UPDATE account SET name = 'wrong', password = 'p' WHERE id = 1; SET ROLE namer")
            .await;
        let error = session.error("SELECT pgtrack.undo('account', 1)").await;
        assert!(error.starts_with("42501") && error.contains("columns =>"), "{error}");
        session.run("SELECT pgtrack.undo('account', 1, columns => '{name}'); RESET ROLE").await;
        session.check("SELECT name FROM account WHERE id = 1", "ann").await;
        session.run("DROP OWNED BY namer; DROP ROLE namer").await;
    });
}
