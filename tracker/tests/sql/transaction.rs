//! Undo whole transactions.

use crate::support::{on_each_version, on_outer_versions};

const LAST: &str = "(SELECT xid FROM pgtrack.log(1))";

#[test]
fn case_12_a_transaction_over_several_tables_is_undone_in_one_step_and_redone() {
    on_each_version(async |session| {
        session.run("CREATE TABLE p (id int PRIMARY KEY, v text); CREATE TABLE c (id int PRIMARY KEY, p int NOT NULL REFERENCES p ON DELETE CASCADE, v text);
                     SELECT pgtrack.track('public');
                     INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (10, 1, 'x'), (11, 1, 'y'), (20, 2, 'z')").await;
        session.run("BEGIN; UPDATE p SET v = upper(v); DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (3, 'new'); INSERT INTO c VALUES (30, 3, 'n');
                     UPDATE c SET p = 3 WHERE id = 20; COMMIT").await;
        let undone = "SELECT (SELECT string_agg(p::text, ' ' ORDER BY id) FROM p), (SELECT string_agg(c::text, ' ' ORDER BY id) FROM c)";
        session
            .check(
                &format!("SELECT * FROM pgtrack.undo_transaction({LAST}) ORDER BY 1"),
                "
            public.c|2|1|1|0
            public.p|1|1|1|0",
            )
            .await;
        session.check(undone, "(1,a) (2,b)|(10,1,x) (11,1,y) (20,2,z)").await;
        session.check("SELECT DISTINCT reverts ~ '^xid:[0-9]+$' FROM pgtrack.activity WHERE xid = (SELECT xid FROM pgtrack.log(1))", "t").await;
        session.run(&format!("SELECT pgtrack.undo_transaction({LAST})")).await;
        session.check(undone, "(2,B) (3,new)|(20,3,z) (30,3,n)").await;
    });
}

#[test]
fn case_21_a_net_effect_of_nothing_is_nothing() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t')").await;
        session
            .run(
                "BEGIN; INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'; DELETE FROM t; COMMIT",
            )
            .await;
        session
            .check(&format!("SELECT count(*) FROM pgtrack.plan_undo_transaction({LAST})"), "0")
            .await;
        session
            .check(&format!("SELECT * FROM pgtrack.undo_transaction({LAST})"), "public.t|0|0|0|0")
            .await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 1)", "3").await;
    });
}

#[test]
fn case_55_rows_that_changed_since_are_reported_skipped_merged_or_overwritten() {
    for (on_conflict, counts, rows) in [
        ("skip", "public.t|0|1|0|1", "1|bad|bad|new 2|old|old|old"),
        ("merge", "public.t|0|2|0|0", "1|old|old|new 2|old|old|old"),
        ("force", "public.t|0|2|0|0", "1|old|old|old 2|old|old|old"),
    ] {
        on_each_version(async |session| {
            session.run("CREATE TABLE t (id int PRIMARY KEY, a text, b text, c text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'old', 'old', 'old'), (2, 'old', 'old', 'old')").await;
            session.run("UPDATE t SET a = 'bad', b = 'bad'").await;
            let xid = session.rows("SELECT xid FROM pgtrack.log(1)").await;
            session
                .run("SELECT pgtrack.set_actor('bob'); UPDATE t SET c = 'new' WHERE id = 1")
                .await;
            session.check(&format!("SELECT row_pk, action, conflict ~ '^changed since by bob at .*, transaction [0-9]+$' FROM pgtrack.plan_undo_transaction({xid})"), r#"
                {"id": 1}|update|t
                {"id": 2}|update|~"#).await;
            let error = session.error(&format!("SELECT pgtrack.undo_transaction({xid})")).await;
            assert!(error.starts_with(&format!("TK001: cannot undo transaction {xid}: 1 of its rows in public.t changed since\nDETAIL: public.t (id=1) was changed by bob at ")), "{error}");
            session.check(&format!("SELECT * FROM pgtrack.undo_transaction({xid}, on_conflict => '{on_conflict}')"), counts).await;
            session
                .check(
                    "SELECT string_agg(concat_ws('|', id, a, b, c), ' ' ORDER BY id) FROM t",
                    rows,
                )
                .await;
        });
    }
}

#[test]
fn case_59_unique_values_can_change_owners() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, email text UNIQUE); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'), (2, 'b')").await;
        session.run("BEGIN; DELETE FROM t WHERE id = 1; UPDATE t SET email = 'c' WHERE id = 2; INSERT INTO t VALUES (3, 'a'), (4, 'b'); COMMIT").await;
        session.run(&format!("SELECT pgtrack.undo_transaction({LAST})")).await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a
            2|b",
            )
            .await;
    });
}

#[test]
fn case_58_foreign_key_cycles_and_self_references_are_no_obstacle() {
    on_each_version(async |session| {
        session.run("CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a);
                     ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b; CREATE TABLE s (id int PRIMARY KEY, parent int REFERENCES s);
                     SELECT pgtrack.track('public'); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1; INSERT INTO s VALUES (1, NULL), (2, 1), (3, 2)").await;
        session
            .run(
                "BEGIN; UPDATE a SET b = NULL; DELETE FROM b; DELETE FROM a; DELETE FROM s; COMMIT",
            )
            .await;
        session.run(&format!("SELECT pgtrack.undo_transaction({LAST})")).await;
        session.check("SELECT (SELECT string_agg(a::text, '') FROM a), (SELECT string_agg(b::text, '') FROM b), (SELECT string_agg(s::text, '' ORDER BY id) FROM s)",
            "(1,1)|(1,1)|(1,)(2,1)(3,2)").await;
    });
}

#[test]
fn rows_whose_key_the_transaction_changed_get_their_key_back() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')").await;
        session.run("BEGIN; UPDATE t SET id = id + 100; UPDATE t SET v = upper(v) WHERE id = 101; UPDATE t SET id = 201 WHERE id = 101; DELETE FROM t WHERE id = 103; COMMIT").await;
        session.check(&format!("SELECT row_pk, action, before ->> 'id', after ->> 'id' FROM pgtrack.plan_undo_transaction({LAST})"), r#"
            {"id": 1}|update|201|1
            {"id": 2}|update|102|2
            {"id": 3}|insert|~|3"#).await;
        session.run(&format!("SELECT pgtrack.undo_transaction({LAST})")).await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a
            2|b
            3|c",
            )
            .await;
        session.run("UPDATE t SET id = 3 - id WHERE id < 3").await;
        session.run(&format!("SELECT pgtrack.undo_transaction({LAST})")).await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a
            2|b
            3|c",
            )
            .await;
    });
}

#[test]
fn unknown_and_keyless_transactions_are_refused_clearly() {
    on_each_version(async |session| {
        let error = session.error("SELECT pgtrack.undo_transaction(3)").await;
        assert!(error.starts_with("P0002: no change of transaction 3 is recorded"), "{error}");
        session
            .run("CREATE TABLE t (v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES ('a')")
            .await;
        let error = session.error(&format!("SELECT pgtrack.undo_transaction({LAST})")).await;
        assert!(error.contains("table public.t has no primary key"), "{error}");
    });
}

#[test]
fn case_66_a_hundred_thousand_rows_are_undone_at_once() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t SELECT g, g FROM generate_series(1, 100000) g").await;
        session.run("UPDATE t SET v = -v").await;
        session
            .check(
                &format!("SELECT * FROM pgtrack.undo_transaction({LAST})"),
                "public.t|0|100000|0|0",
            )
            .await;
        session.check("SELECT count(*) FROM t WHERE v = id", "100000").await;
    });
}

/// Transactions, of which the set is to be undone; `(mine, statement)`.
const CONTESTED: [&[(bool, &str)]; 6] = [
    &[
        (true, "UPDATE t SET id = 8 WHERE id = 3"),
        (false, "INSERT INTO t VALUES (3, 31, 'n')"),
        (true, "UPDATE t SET a = a + 1 WHERE id = 3"),
    ],
    &[
        (true, "UPDATE t SET id = 8 WHERE id = 3"),
        (false, "UPDATE t SET id = 3 WHERE id = 7"),
        (true, "UPDATE t SET a = a + 1 WHERE id = 3"),
    ],
    &[
        (true, "UPDATE t SET id = 8 WHERE id = 3"),
        (false, "INSERT INTO t VALUES (3, 31, 'n')"),
        (true, "DELETE FROM t WHERE id = 3"),
    ],
    &[
        (true, "DELETE FROM t WHERE id = 3"),
        (false, "UPDATE t SET id = 3 WHERE id = 7"),
        (true, "UPDATE t SET a = a + 1 WHERE id = 3"),
    ],
    &[
        (true, "DELETE FROM t WHERE id = 3"),
        (false, "UPDATE t SET id = 3 WHERE id = 7; UPDATE t SET v = 'q' WHERE id = 3"),
    ],
    &[
        (true, "DELETE FROM t WHERE id = 3"),
        (false, "UPDATE t SET id = 3 WHERE id = 7"),
        (true, "UPDATE t SET id = 9 WHERE id = 3"),
    ],
];

#[test]
fn no_row_is_lost_where_two_would_have_one_key() {
    for statements in CONTESTED {
        on_outer_versions(async |session| {
            session
                .run(
                    "CREATE TABLE t (id int PRIMARY KEY, a int, v text); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (3, 3, 'three'), (7, 7, 'seven')",
                )
                .await;
            for (is_mine, statement) in statements {
                let actor = if *is_mine { "me" } else { "others" };
                session.run(&format!("SELECT pgtrack.set_actor('{actor}'); {statement}")).await;
            }
            let before = session.rows("SELECT * FROM t ORDER BY id").await;
            for on_conflict in ["error", "skip", "merge", "delta", "force"] {
                for verb in ["plan_undo_where", "undo_where"] {
                    let call = format!(
                        "SELECT * FROM pgtrack.{verb}(actor => 'me', on_conflict => '{on_conflict}')"
                    );
                    let error = session.error(&call).await;
                    let expected = "23505: two rows of public.t would have the key id=3";
                    assert!(error.starts_with(expected), "{statements:?}: {error}");
                }
            }
            session.check("SELECT * FROM t ORDER BY id", &before).await;
        });
    }
}

/// What others do after the set has deleted a row under a key, or updated it, until another row has the key.
#[test]
fn no_undo_takes_a_row_that_has_come_to_a_key_for_the_one_that_had_it() {
    for (mine, others, now) in [
        (
            "DELETE FROM t WHERE id = 4",
            "INSERT INTO t VALUES (4, 'n'); UPDATE t SET id = 2 WHERE id = 4",
            "2|n\n4|five",
        ),
        (
            "DELETE FROM t WHERE id = 4",
            "INSERT INTO t VALUES (4, 'n'); DELETE FROM t WHERE id = 4",
            "4|five",
        ),
        (
            "UPDATE t SET v = 'five' WHERE id = 4",
            "UPDATE t SET id = 2 WHERE id = 4",
            "2|five\n4|five",
        ),
    ] {
        on_outer_versions(async |session| {
            session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (4, 'old'), (5, 'five')").await;
            session.run(&format!("SELECT pgtrack.set_actor('me'); {mine}")).await;
            session
                .run(&format!(
                    "SELECT pgtrack.set_actor('others'); {others}; UPDATE t SET id = 4 WHERE id = 5"
                ))
                .await;
            let error = session.error("SELECT pgtrack.undo_where(actor => 'me')").await;
            assert!(error.starts_with("TK001:"), "{mine}; {others}: {error}");
            session
                .check(
                    "SELECT skipped FROM pgtrack.undo_where(actor => 'me', on_conflict => 'skip')",
                    "1",
                )
                .await;
            for verb in ["plan_undo_where", "undo_where"] {
                let error = session
                    .error(&format!(
                        "SELECT * FROM pgtrack.{verb}(actor => 'me', on_conflict => 'force')"
                    ))
                    .await;
                assert!(
                    error.starts_with("23505: two rows of public.t would have the key id=4"),
                    "{mine}; {others}: {error}"
                );
            }
            session.check("SELECT * FROM t ORDER BY id", now).await;
        });
    }
}

#[test]
fn what_others_inserted_for_a_deleted_row_and_moved_away_is_not_that_row() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text, n int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (4, 'a', 1)").await;
        session.run("SELECT pgtrack.set_actor('me'); UPDATE t SET v = 'b'").await;
        session.run("SELECT pgtrack.set_actor('others'); DELETE FROM t; INSERT INTO t VALUES (4, 'b', 77); UPDATE t SET id = 2").await;
        let error = session.error("SELECT pgtrack.undo_where(actor => 'me')").await;
        assert!(error.starts_with("TK001:"), "{error}");
        session.run("SELECT pgtrack.undo_where(actor => 'me', on_conflict => 'merge')").await;
        session.check("SELECT * FROM t ORDER BY id", "2|b|77").await;
        session.check("SELECT action, after ->> 'id' FROM pgtrack.plan_undo_where(actor => 'me', on_conflict => 'force')", "insert|4").await;
        session.run("SELECT pgtrack.undo_where(actor => 'me', on_conflict => 'force')").await;
        session.check("SELECT * FROM t ORDER BY id", "2|b|77\n4|a|1").await;
    });
}

#[test]
fn a_row_that_the_set_inserted_and_deleted_is_not_looked_for_under_another_s_key() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (5, 'five')").await;
        session.run("SELECT pgtrack.set_actor('me'); INSERT INTO t VALUES (4, 'x'); DELETE FROM t WHERE id = 4").await;
        session.run("SELECT pgtrack.set_actor('others'); INSERT INTO t VALUES (4, 'n'); UPDATE t SET id = 2 WHERE id = 4; UPDATE t SET id = 4 WHERE id = 5").await;
        for on_conflict in ["error", "skip", "merge", "delta", "force"] {
            session
                .run(&format!(
                    "SELECT pgtrack.undo_where(actor => 'me', on_conflict => '{on_conflict}')"
                ))
                .await;
        }
        session.check("SELECT * FROM t ORDER BY id", "2|n\n4|five").await;
    });
}

#[test]
fn a_row_of_others_that_the_set_took_away_is_not_forgotten() {
    for (statements, forced) in [
        (
            ["DELETE FROM t", "INSERT INTO t VALUES (3, 31, 'n')", "UPDATE t SET id = 9"],
            "3|three\n9|n",
        ),
        (["DELETE FROM t", "INSERT INTO t VALUES (3, 31, 'n')", "DELETE FROM t"], "3|three"),
    ] {
        on_outer_versions(async |session| {
            session.run("CREATE TABLE t (id int PRIMARY KEY, a int, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (3, 3, 'three')").await;
            for (statement, actor) in statements.iter().zip(["me", "others", "me"]) {
                session.run(&format!("SELECT pgtrack.set_actor('{actor}'); {statement}")).await;
            }
            session.check("SELECT action, conflict IS NOT NULL FROM pgtrack.plan_undo_where(actor => 'me')", "insert|t").await;
            let error = session.error("SELECT pgtrack.undo_where(actor => 'me')").await;
            assert!(error.starts_with("TK001:"), "{error}");
            session
                .check(
                    "SELECT skipped FROM pgtrack.undo_where(actor => 'me', on_conflict => 'skip')",
                    "1",
                )
                .await;
            session.run("SELECT pgtrack.undo_where(actor => 'me', on_conflict => 'force')").await;
            session.check("SELECT id, v FROM t ORDER BY id", forced).await;
        });
    }
}
