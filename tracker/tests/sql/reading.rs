//! The log, transactions and deleted rows.

use crate::support::on_each_version;

#[test]
fn log_shows_transactions_newest_first_and_filters() {
    on_each_version(async |session| {
        session.run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); SELECT pgtrack.track('public')").await;
        session.run("SET application_name = 'shop'; BEGIN; INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (1); COMMIT").await;
        session.run("SET application_name = 'cron'").await;
        session.run("SELECT pgtrack.set_actor('ann'); DELETE FROM b").await;
        session
            .check(
                "SELECT who, application, tables, row_count FROM pgtrack.log()",
                "
            ann|cron|{public.b}|1
            postgres|shop|{public.a,public.b}|3",
            )
            .await;
        session.check("SELECT application FROM pgtrack.log(1)", "cron").await;
        session.check("SELECT application FROM pgtrack.log(on_table => 'a')", "shop").await;
        session.check("SELECT application FROM pgtrack.log(by_who => 'ann')", "cron").await;
        session
            .check("SELECT application FROM pgtrack.log(by_application => 'shop')", "shop")
            .await;
        session
            .check("SELECT count(*) FROM pgtrack.log(since => now() + interval '1 hour')", "0")
            .await;
        session
            .check("SELECT count(*) FROM pgtrack.log(until => now() - interval '1 hour')", "0")
            .await;
    });
}

#[test]
fn show_lists_the_rows_of_one_transaction_in_order() {
    on_each_version(async |session| {
        session.run("CREATE TABLE a (id int PRIMARY KEY, v text); SELECT pgtrack.track('a'); INSERT INTO a VALUES (1, 'x')").await;
        session.run("BEGIN; UPDATE a SET v = 'y'; INSERT INTO a VALUES (2, 'z'); DELETE FROM a WHERE id = 1; COMMIT").await;
        session.run("UPDATE a SET v = 'later'").await;
        session.check(r#"SELECT "table", row_pk, op, what, before, after, ver FROM pgtrack.show((SELECT xid FROM pgtrack.log(1, until => (SELECT max(at) FROM pgtrack.log())))) "#, r#"
            public.a|{"id": 1}|UPDATE|{v}|{"v": "x", "id": 1}|{"v": "y", "id": 1}|2
            public.a|{"id": 2}|INSERT|~|~|{"v": "z", "id": 2}|1
            public.a|{"id": 1}|DELETE|~|{"v": "y", "id": 1}|~|3"#).await;
    });
}

#[test]
fn changes_and_deleted_return_at_most_what_is_asked_newest_first() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t'); INSERT INTO t SELECT generate_series(1, 100)").await;
        session.run("DELETE FROM t WHERE id <= 50; DELETE FROM t WHERE id = 51").await;
        session
            .check("SELECT row_pk, op FROM pgtrack.changes('t', 1)", r#"{"id": 51}|DELETE"#)
            .await;
        session.check("SELECT count(*) FROM pgtrack.changes('t', 7)", "7").await;
        session.check("SELECT row_pk FROM pgtrack.deleted('t', 1)", r#"{"id": 51}"#).await;
        session.check("SELECT count(*) FROM pgtrack.deleted('t', 7)", "7").await;
        session.run("INSERT INTO t VALUES (51)").await;
        session.check("SELECT count(*) FROM pgtrack.deleted('t', 100)", "50").await;
    });
}

#[test]
fn case_69_deleted_shows_only_the_latest_deletion_of_a_key() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'old'); DELETE FROM t; INSERT INTO t VALUES (1, 'new'); DELETE FROM t").await;
        session.check("SELECT data FROM pgtrack.deleted('t')", r#"{"v": "new", "id": 1}"#).await;
        session.run("SELECT pgtrack.restore('t', 1)").await;
        session.check("SELECT v FROM t", "new").await;
        session.check("SELECT count(*) FROM pgtrack.deleted('t')", "0").await;
    });
}

#[test]
fn case_17_a_table_without_a_key_is_recorded_and_its_changes_can_be_read() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (v text)").await;
        session
            .check(
                "SELECT * FROM pgtrack.track('t')",
                "public.t|tracked without a primary key: single rows cannot be reverted",
            )
            .await;
        session.run("INSERT INTO t VALUES ('a'); UPDATE t SET v = 'b'; DELETE FROM t").await;
        session
            .check(
                "SELECT row_pk, ver, op, before, after FROM pgtrack.changes('t')",
                r#"
            ~|~|DELETE|{"v": "b"}|~
            ~|~|UPDATE|{"v": "a"}|~
            ~|~|INSERT|~|{"v": "a"}"#,
            )
            .await;
    });
}

#[test]
fn case_07_json_null_sql_null_and_number_formats_are_told_apart() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, j jsonb, n numeric); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'null', 1.0); UPDATE t SET j = NULL; UPDATE t SET n = 1.00; UPDATE t SET n = n").await;
        session
            .check(
                "SELECT ver, what FROM pgtrack.history('t', 1) OFFSET 2",
                "
            3|{n}
            4|~",
            )
            .await;
    });
}

#[test]
fn case_64_order_is_that_of_the_statements_not_of_the_clock() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 0)").await;
        session.run("UPDATE t SET v = 1").await;
        session.run("SELECT pgtrack.tag('one')").await;
        session.run("UPDATE t SET v = 2; UPDATE t SET v = 3").await;
        for clock in ["now()", "now() - statement_id * interval '1 hour'"] {
            session.run(&format!("UPDATE pgtrack.statement SET at = {clock}")).await;
            session
                .check(
                    "SELECT ver, after ->> 'v' FROM pgtrack.history('t', 1)",
                    "1|0\n2|1\n3|2\n4|3",
                )
                .await;
            session.check("SELECT v FROM pgtrack.as_of(NULL::t, 'one')", "1").await;
            session.run("BEGIN; SELECT pgtrack.undo('t', 1)").await;
            session.check("SELECT v FROM t", "2").await;
            session.run("ROLLBACK").await;
        }
    });
}

#[test]
fn case_78_what_is_recorded_is_never_updated() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t SELECT g, 0 FROM generate_series(1, 100) g").await;
        session.run("UPDATE t SET v = 1; UPDATE t SET id = -id; DELETE FROM t; SELECT pgtrack.undo_transaction((SELECT max(xid) FROM pgtrack.log()))").await;
        session.run("SELECT pg_stat_force_next_flush()").await;
        // The record of an undo says so when that has ended.
        session
            .check(
                "SELECT count(*) > 3, sum(n_tup_upd + n_tup_del), sum(n_tup_ins) > 200
                 FROM pg_stat_user_tables WHERE schemaname = 'pgtrack_history' OR relid IN ('pgtrack.statement'::regclass, 'pgtrack.key_change'::regclass,
                   'pgtrack.tag'::regclass, 'pgtrack.audit_entry'::regclass)",
                "t|1|t",
            )
            .await;
    });
}
