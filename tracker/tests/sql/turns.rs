//! Rows that stand in each other's way by a unique value or an exclusion constraint are set back in turn.

use crate::support::{Session, on_outer_versions};

/// A table with a unique value that two rows have exchanged in one transaction.
const EXCHANGED: &str = "
    CREATE TABLE t (id int PRIMARY KEY, u text CONSTRAINT one_u UNIQUE);
    INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c');
    SELECT pgtrack.track('t');
    BEGIN; UPDATE t SET u = 'x' WHERE id = 1; UPDATE t SET u = 'a' WHERE id = 2; UPDATE t SET u = 'b' WHERE id = 1; COMMIT";
const UNDO: &str = "SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1, 't')))";

/// Undoes the latest transaction, and that must give what `before` has of `table`.
async fn check_undo(session: &Session, table: &str, before: &str) {
    session
        .run(&format!(
            "SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1, '{table}')))"
        ))
        .await;
    session.check(&format!("(TABLE {table} EXCEPT TABLE {before}) UNION ALL (TABLE {before} EXCEPT TABLE {table})"), "").await;
}

#[test]
fn moved_flags_shifted_positions_and_ranges_go_back_in_one_step() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE item (id int PRIMARY KEY, list int, position int, is_first boolean, during int4range,
                                    UNIQUE (list, position), EXCLUDE USING gist (during WITH &&));
                 CREATE UNIQUE INDEX ON item (list) WHERE is_first;
                 INSERT INTO item SELECT i, 1, i, i = 1, int4range(i * 10, i * 10 + 10) FROM generate_series(1, 9) i;
                 SELECT pgtrack.track('item');
                 CREATE TABLE before AS TABLE item",
            )
            .await;
        session.run("BEGIN; UPDATE item SET is_first = false WHERE id = 1; UPDATE item SET is_first = true WHERE id = 5; COMMIT").await;
        check_undo(&session, "item", "before").await;
        session.run("BEGIN; UPDATE item SET position = -position; UPDATE item SET position = 1 - position; COMMIT").await;
        check_undo(&session, "item", "before").await;
        session
            .run(
                "BEGIN; UPDATE item SET during = int4range(id * 1000, id * 1000 + 10);
                 UPDATE item SET during = int4range(id * 10 + 5, id * 10 + 15); COMMIT",
            )
            .await;
        check_undo(&session, "item", "before").await;
        // The latest is an undo of an undo.
        session
            .run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1, 'item')))")
            .await;
        session.check("SELECT during FROM item WHERE id = 1", "[15,25)").await;
    });
}

#[test]
fn values_that_go_round_in_a_circle_go_back_by_a_row_that_is_inserted_again() {
    on_outer_versions(async |session| {
        session.run(EXCHANGED).await;
        // What refers to the row without acting on its deletion goes on doing so.
        session.run("CREATE TABLE c (u text REFERENCES t (u)); INSERT INTO c VALUES ('a')").await;
        session.check(UNDO, "(public.t,0,2,0,0)").await;
        session.check("SELECT * FROM t ORDER BY id; ", "1|a\n2|b\n3|c").await;
        session.check("SELECT string_agg(op, ' ' ORDER BY op) FROM pgtrack.changes('t') WHERE xid = (SELECT xid FROM pgtrack.log(1, 't'))", "DELETE INSERT UPDATE").await;
        check_history(&session).await;
    });
}

/// Row 1 has its whole history, and what undoes the undo exchanges the values again.
async fn check_history(session: &Session) {
    session.check("SELECT problem FROM pgtrack.verify()", "").await;
    session.run("DROP TABLE c").await;
    session.run(UNDO).await;
    session.check("SELECT * FROM t ORDER BY id", "1|b\n2|a\n3|c").await;
}

#[test]
fn a_circle_is_refused_where_a_row_that_is_inserted_again_would_mean_something_else() {
    on_outer_versions(async |session| {
        session.run(EXCHANGED).await;
        for (make, obstacle, unmake) in [
            (
                "CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                 CREATE TRIGGER mine BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION mine()",
                "trigger mine",
                "DROP TRIGGER mine ON t",
            ),
            (
                "CREATE TABLE c (t int CONSTRAINT c_to_t REFERENCES t ON DELETE CASCADE)",
                "foreign key c_to_t of public.c",
                "DROP TABLE c",
            ),
        ] {
            session.run(make).await;
            let error = session.error(UNDO).await;
            assert!(error.starts_with("23505: rows of public.t cannot be set back one after the other"), "{error}");
            assert!(error.contains("(id=1) and (id=2) are in each other's way by one_u"), "{error}");
            assert!(error.contains(&format!("would mean something else to the {obstacle}.")), "{error}");
            session.check("SELECT u FROM t ORDER BY id", "b\na\nc").await;
            session.run(unmake).await;
        }
    });
}

#[test]
fn rows_that_come_back_to_a_partition_wait_for_those_that_leave_it() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE e (id int, p int, v text, k int, PRIMARY KEY (id, p)) PARTITION BY LIST (p);
                 CREATE TABLE e1 PARTITION OF e FOR VALUES IN (1);
                 CREATE TABLE e2 (k int, v text, p int NOT NULL, id int NOT NULL);
                 ALTER TABLE e ATTACH PARTITION e2 FOR VALUES IN (2);
                 CREATE UNIQUE INDEX ON e1 (lower(v)) WHERE k > 0;
                 CREATE UNIQUE INDEX ON e (p, k);
                 INSERT INTO e SELECT i, 1 + i % 2, 'V' || i, i FROM generate_series(1, 20) i;
                 SELECT pgtrack.track('e');
                 CREATE TABLE before AS TABLE e",
            )
            .await;
        for last in ["", ", p = 3 - p"] {
            session
                .run(&format!(
                    "BEGIN; UPDATE e SET v = v || '+', k = k + 100;
                     UPDATE e SET v = 'v' || (id % 20 + 1), k = (k - 100) % 20 + 3{last}; COMMIT"
                ))
                .await;
            check_undo(&session, "e", "before").await;
        }
    });
}

#[test]
fn a_key_that_others_would_forget_is_not_set_back() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE a (id int PRIMARY KEY, v int UNIQUE);
                 CREATE TABLE b (a int CONSTRAINT b_to_a REFERENCES a ON UPDATE SET NULL, v int REFERENCES a (v) ON UPDATE CASCADE);
                 INSERT INTO a VALUES (1, 1); SELECT pgtrack.track('a')",
            )
            .await;
        session.run("UPDATE a SET id = 101, v = 101; INSERT INTO b VALUES (101, 101)").await;
        let undo = "SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1, 'a')))";
        let error = session.error(undo).await;
        assert!(
            error.starts_with(
                "23503: rows of public.b refer to rows of public.a that this would give another key"
            ),
            "{error}"
        );
        assert!(error.contains("The foreign key b_to_a would change 1 of them too."), "{error}");
        session.run("UPDATE b SET a = NULL").await;
        session.run(undo).await;
        session.check("SELECT a.id, b.v FROM a, b", "1|1").await;
    });
}
