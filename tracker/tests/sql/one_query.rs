//! Parts of one query that change the same keys, and whose triggers fire in another order than they were done in.

use crate::support::{Session, on_outer_versions};

const OPERATIONS: &str = "SELECT string_agg(operation::text, '' ORDER BY statement_id) FROM pgtrack.statement s
     JOIN pgtrack.relation r USING (relation_id) WHERE r.table_name = 't' AND s.xid::text::bigint = (SELECT xid FROM pgtrack.log(1))";

/// That the table `t` is what history makes of it, and comes back as it was before the latest transaction.
async fn check_points(session: &Session, tag: &str) {
    session.check("SELECT * FROM pgtrack.verify()", "").await;
    session
        .check(&format!("SELECT * FROM pgtrack.as_of(NULL::t, '{tag}') EXCEPT TABLE copy"), "")
        .await;
    session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
    session.check("TABLE t EXCEPT TABLE copy", "").await;
}

async fn tag(session: &Session, name: &str) {
    session.run("DROP TABLE IF EXISTS copy; CREATE TABLE copy AS TABLE t").await;
    session.run(&format!("SELECT pgtrack.tag('{name}')")).await;
}

#[test]
fn a_key_that_is_deleted_and_inserted_is_told_so_though_the_delete_ends_last() {
    for table in [
        "CREATE TABLE t (id int PRIMARY KEY, v text)",
        "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, v text)",
        "CREATE TABLE t (id int, v text, day date DEFAULT '2026-11-30', PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2026-11-01') TO ('2026-12-01'); CREATE TABLE t2 PARTITION OF t DEFAULT",
        "CREATE TABLE t (id int PRIMARY KEY, v text);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; RETURN NEW; END';
         CREATE TRIGGER theirs AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TABLE t (id int PRIMARY KEY, v text);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = '''' WHERE id = NEW.id + 100; RETURN NULL; END';
         CREATE TRIGGER theirs AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    ] {
        on_outer_versions(async |session| {
            // The rows were there before it was tracked: no history says that they were.
            session.run(table).await;
            session.run("INSERT INTO t SELECT i, 'a' || i FROM generate_series(1, 5) i").await;
            session.run("SELECT pgtrack.track('t')").await;
            tag(&session, "first").await;
            session
                .run("WITH d AS (DELETE FROM t WHERE id = 4 RETURNING *) INSERT INTO t SELECT id, v || 'x' FROM d LIMIT 1")
                .await;
            session.check(OPERATIONS, "DI").await;
            session.check("SELECT v FROM t WHERE id = 4", "a4x").await;
            check_points(&session, "first").await;

            tag(&session, "second").await;
            session
                .run("WITH u AS (UPDATE t SET id = 50 WHERE id = 5 RETURNING *) INSERT INTO t SELECT 5, 'new' FROM u LIMIT 1")
                .await;
            session.check(OPERATIONS, "UI").await;
            session.check("SELECT string_agg(new_key ->> 'id', ',') FROM pgtrack.key_change", "50").await;
            check_points(&session, "second").await;

            tag(&session, "several").await;
            session
                .run("WITH u AS (UPDATE t SET id = id + 60 WHERE id < 4 RETURNING *) INSERT INTO t SELECT id - 60, 'new' FROM u LIMIT 1")
                .await;
            session.check(OPERATIONS, "UI").await;
            check_points(&session, "several").await;
        });
    }
}

#[test]
fn three_parts_and_another_table_between_them() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY)").await;
        session.run("SELECT pgtrack.track('t'); SELECT pgtrack.track('other')").await;
        session.run("INSERT INTO t VALUES (100, 'a'), (101, 'b'), (102, 'c')").await;
        tag(&session, "third").await;
        session
            .run(
                "WITH d AS (DELETE FROM t WHERE id = 100 RETURNING *), o AS (INSERT INTO other SELECT id FROM t WHERE id = 101),
                      u AS (UPDATE t SET id = 100 FROM (SELECT * FROM d LIMIT 1) x WHERE t.id = 101 RETURNING t.id)
                 INSERT INTO t SELECT 101, 'n' FROM u LIMIT 1",
            )
            .await;
        session.check(OPERATIONS, "DUI").await;
        session.check("SELECT * FROM t ORDER BY id", "100|b\n101|n\n102|c").await;
        check_points(&session, "third").await;
    });
}

#[test]
fn queries_of_one_command_keep_their_order() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text)").await;
        session.run("SELECT pgtrack.track('t')").await;
        session
            .run(
                "DO $$ BEGIN INSERT INTO t VALUES (7, 'x'); DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, 'y');
                             UPDATE t SET id = 8 WHERE id = 7; DELETE FROM t WHERE id = 8; END $$",
            )
            .await;
        session.check(OPERATIONS, "IDIUD").await;
        session
            .run("INSERT INTO t VALUES (9, 'x'); DELETE FROM t WHERE id = 9; INSERT INTO t VALUES (9, 'x'); UPDATE t SET id = 19 WHERE id = 9; INSERT INTO t VALUES (9, 'z')")
            .await;
        session.check(OPERATIONS, "IDIUI").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        // What a foreign key deletes may have been inserted by the same query.
        session
            .run("CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2)")
            .await;
        session.run("CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)").await;
        session.run("SELECT pgtrack.track('child')").await;
        session
            .run("WITH d AS (DELETE FROM parent WHERE id = 1) INSERT INTO child VALUES (7, 1)")
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn a_query_of_one_part_looks_for_no_others() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text)").await;
        session.run("INSERT INTO t SELECT i, 'a' FROM generate_series(1, 9) i").await;
        session.run("SELECT pgtrack.track('t')").await;
        session.run("SET track_functions = 'all'").await;
        let calls = "SELECT count(*) FROM pg_stat_user_functions WHERE funcname = '_put_first'";
        for id in 1..5 {
            session.run(&format!("DELETE FROM t WHERE id = {id}")).await;
            session.run(&format!("UPDATE t SET id = {id} WHERE id = {id} + 4")).await;
        }
        session.run("BEGIN; INSERT INTO t VALUES (20, 'b')").await;
        session.run("DELETE FROM t WHERE id = 20").await;
        session.run("COMMIT").await;
        session.run("SELECT pg_stat_force_next_flush()").await;
        session.check(calls, "0").await;
        session
            .run("WITH d AS (DELETE FROM t WHERE id = 4 RETURNING *) INSERT INTO t SELECT id, v || 'x' FROM d LIMIT 1")
            .await;
        session.run("SELECT pg_stat_force_next_flush()").await;
        session.check(calls, "1").await;
    });
}

#[test]
fn keys_can_be_retyped_and_dropped_all_the_same() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE plain (id int PRIMARY KEY, v int); CREATE TABLE pair (x int, y int, v int, PRIMARY KEY (x, y));
                 CREATE TABLE parted (id int, day date, v int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day); CREATE TABLE parts PARTITION OF parted DEFAULT;
                 SELECT pgtrack.track('public')",
            )
            .await;
        for (table, key) in [("plain", "id"), ("pair", "y"), ("parted", "id")] {
            session.run(&format!("ALTER TABLE {table} ALTER COLUMN {key} TYPE bigint")).await;
            session.run(&format!("UPDATE {table} SET {key} = 1")).await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
            session.run(&format!("ALTER TABLE {table} DROP COLUMN {key}")).await;
            session.run(&format!("UPDATE {table} SET v = 1")).await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
        }
    });
}

#[test]
fn a_foreign_key_that_nobody_reported_is_noticed_by_the_next_write() {
    for action in ["ON DELETE CASCADE", "ON DELETE SET NULL", "ON UPDATE CASCADE"] {
        on_outer_versions(async |session| {
            session
                .run(
                    "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2);
                     CREATE TABLE t (id int PRIMARY KEY, p int); INSERT INTO t VALUES (1, 1), (2, 2), (3, 2); SELECT pgtrack.track('t');
                     ALTER EVENT TRIGGER pgtrack_ddl DISABLE",
                )
                .await;
            session.run(&format!("ALTER TABLE t ADD FOREIGN KEY (p) REFERENCES p {action}")).await;
            let puts_first =
                "SELECT prosrc LIKE '%put_first%' FROM pg_proc WHERE proname = 'record_delete_1'";
            session.check(puts_first, "t").await;
            session.run("DELETE FROM t WHERE id = 1").await;
            session.check(puts_first, "f").await;
            session.run("ALTER EVENT TRIGGER pgtrack_ddl ENABLE").await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
        });
    }
}
