//! Sets of any size that are undone without a list of their rows: which these are, and that they are done as others are.

use crate::support::{Session, on_each_version, on_outer_versions};

/// The latest transaction that is no undo.
const LATEST: &str = "(SELECT max(xid) FROM pgtrack.log(100))";

/// A table's columns after `id`, what else there is, what is changed, and what was to be listed.
struct Case {
    columns: &'static str,
    more: &'static str,
    change: &'static str,
    is_listed: bool,
}

const CASES: [Case; 11] = [
    Case { columns: "v int", more: "", change: "UPDATE t SET v = v + 1", is_listed: false },
    Case { columns: "v int", more: "", change: "DELETE FROM t", is_listed: false },
    Case {
        columns: "v int",
        more: "",
        change: "INSERT INTO t (id) VALUES (8), (9)",
        is_listed: false,
    },
    Case {
        columns: "v int, w int",
        more: "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
               CREATE TRIGGER r BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        change: "UPDATE t SET v = 5; UPDATE t SET w = 5 WHERE id = 1",
        is_listed: false,
    },
    // Rows of one statement whose triggers differ.
    Case {
        columns: "v int, w int",
        more: "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
               CREATE TRIGGER r BEFORE UPDATE OF w ON t FOR EACH ROW EXECUTE FUNCTION f()",
        change: "UPDATE t SET v = 5; UPDATE t SET w = 5 WHERE id = 1",
        is_listed: true,
    },
    Case { columns: "v int UNIQUE", more: "", change: "UPDATE t SET v = v + 10", is_listed: true },
    Case {
        columns: "v int, w int UNIQUE",
        more: "",
        change: "UPDATE t SET v = v + 10",
        is_listed: false,
    },
    Case {
        columns: "v int, p int REFERENCES t ON DELETE SET NULL",
        more: "",
        change: "UPDATE t SET v = 5",
        is_listed: true,
    },
    Case {
        columns: "v int",
        more: "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES t ON DELETE CASCADE); INSERT INTO c VALUES (1, 1)",
        change: "UPDATE t SET v = 5",
        is_listed: false,
    },
    Case {
        columns: "v int GENERATED ALWAYS AS IDENTITY",
        more: "",
        change: "UPDATE t SET v = DEFAULT",
        is_listed: true,
    },
    Case { columns: "v int", more: "", change: "UPDATE t SET id = id + 10", is_listed: true },
];

#[test]
fn rows_are_listed_only_where_they_have_to_be() {
    on_outer_versions(async |session| {
        for Case { columns, more, change, is_listed } in CASES {
            session
                .run(&format!(
                    "CREATE TABLE t (id int PRIMARY KEY, {columns}); INSERT INTO t (id) SELECT generate_series(1, 5); {more};
                     SELECT pgtrack.track('t')"
                ))
                .await;
            if !columns.contains("GENERATED") {
                session.run("UPDATE t SET v = id").await;
            }
            let before = session.rows("SELECT t FROM t ORDER BY t.id").await;
            session.run(&format!("BEGIN; {change}; COMMIT")).await;
            session
                .check(
                    &format!(
                        "SELECT (w.work).relid IS NULL FROM pgtrack._bulk_work('t', pgtrack._choice(jsonb_build_object('xid', {LATEST}), NULL),
                         pgtrack._shape('t'), 'error', NULL) w"
                    ),
                    if is_listed { "t" } else { "f" },
                )
                .await;
            session.run(&format!("SELECT pgtrack.undo_transaction({LATEST})")).await;
            assert_eq!(session.rows("SELECT t FROM t ORDER BY t.id").await, before, "{change}");
            session
                .run("DROP TABLE t CASCADE; DROP TABLE IF EXISTS c; DROP FUNCTION IF EXISTS f()")
                .await;
        }
    });
}

/// Starts a writer that changes row 2, and an undo that waits for it; what becomes of the rows then.
async fn undone_after_waiting(session: &Session, write: &str, on_conflict: &str) -> String {
    session
        .run(
            "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2), (3, 3), (4, 4);
             SELECT pgtrack.track('t'); UPDATE t SET v = v + 10 WHERE id < 4",
        )
        .await;
    let undo = format!(
        "SELECT pgtrack.undo_transaction({}, on_conflict => '{on_conflict}')",
        session.rows(&format!("SELECT {LATEST}")).await
    );
    let writer = session.another().await;
    writer.run(&format!("BEGIN; {write}")).await;
    let (outcome, ()) = tokio::join!(session.attempt(&undo), async {
        let watcher = session.another().await;
        while watcher.rows("SELECT count(*) FROM pg_locks WHERE NOT granted").await == "0" {}
        writer.run("COMMIT").await;
    });
    let outcome = match outcome {
        Ok(()) => {
            session.rows("SELECT string_agg(format('%s=%s', id, v), ' ' ORDER BY id) FROM t").await
        }
        Err(error) => error.split(':').next().unwrap_or_default().to_owned(),
    };
    session.run("DROP TABLE t").await;
    outcome
}

#[test]
fn what_others_did_while_their_locks_were_waited_for_is_in_the_way() {
    on_each_version(async |session| {
        for (write, on_conflict, expected) in [
            ("UPDATE t SET v = 99 WHERE id = 2", "error", "TK001"),
            ("UPDATE t SET v = 99 WHERE id = 2", "skip", "1=1 2=99 3=3 4=4"),
            ("UPDATE t SET v = 99 WHERE id = 2", "merge", "1=1 2=99 3=3 4=4"),
            ("UPDATE t SET v = 99 WHERE id = 2", "force", "1=1 2=2 3=3 4=4"),
            ("DELETE FROM t WHERE id = 2", "error", "TK001"),
            ("DELETE FROM t WHERE id = 2", "skip", "1=1 3=3 4=4"),
            ("DELETE FROM t WHERE id = 2", "force", "1=1 2=2 3=3 4=4"),
            ("UPDATE t SET id = 20 WHERE id = 2", "skip", "1=1 3=3 4=4 20=12"),
            (
                "SELECT FROM t WHERE id = 2 FOR UPDATE; UPDATE t SET v = 5 WHERE id = 4",
                "error",
                "1=1 2=2 3=3 4=5",
            ),
        ] {
            assert_eq!(
                undone_after_waiting(&session, write, on_conflict).await,
                expected,
                "{write}, {on_conflict}"
            );
        }
    });
}

#[test]
fn a_set_that_changed_rows_again_and_again_gives_each_what_was_first() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v int, n numeric); INSERT INTO t SELECT i, i, 1.0 FROM generate_series(1, 1000) i;
                 SELECT pgtrack.track('t');
                 BEGIN; UPDATE t SET v = v + 1; UPDATE t SET n = 1.00 WHERE id % 2 = 0; UPDATE t SET v = v - 1 WHERE id % 3 = 0; COMMIT",
            )
            .await;
        session.run("UPDATE t SET v = 0 WHERE id IN (7, 8); DELETE FROM t WHERE id = 9").await;
        session
            .check(
                "SELECT inserted, updated, deleted, skipped FROM pgtrack.undo_transaction((SELECT min(xid) FROM pgtrack.log(100)), on_conflict => 'skip')",
                "0|831|0|3",
            )
            .await;
        // A number is what it was, to the last digit.
        session
            .check("SELECT count(*), count(*) FILTER (WHERE v = id), count(*) FILTER (WHERE n::text = '1.0') FROM t", "999|997|998")
            .await;
    });
}
