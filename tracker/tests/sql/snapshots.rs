//! What a transaction left, where it kept its snapshot while others took and left the keys that it took.

use crate::support::{Session, on_outer_versions};

/// What others do and commit after the transaction's snapshot, what the transaction does, and what others do after it.
struct Case {
    others: &'static str,
    transaction: &'static str,
    since: &'static str,
}

const CASES: [Case; 17] = [
    Case {
        others: "INSERT INTO t VALUES (3, 'theirs'); DELETE FROM t WHERE id = 3",
        transaction: "INSERT INTO t VALUES (3, 'own')",
        since: "",
    },
    Case {
        others: "INSERT INTO t VALUES (3, 'theirs'); DELETE FROM t WHERE id = 3",
        transaction: "INSERT INTO t VALUES (3, 'own')",
        since: "UPDATE t SET v = 'since' WHERE id = 3",
    },
    Case {
        others: "INSERT INTO t VALUES (3, 'theirs'); DELETE FROM t WHERE id = 3",
        transaction: "INSERT INTO t VALUES (3, 'own'); DELETE FROM t WHERE id = 3",
        since: "INSERT INTO t VALUES (3, 'since')",
    },
    Case {
        others: "INSERT INTO t VALUES (3, 'theirs'); DELETE FROM t WHERE id = 3",
        transaction: "INSERT INTO t VALUES (3, 'own')",
        since: "DELETE FROM t WHERE id = 3; UPDATE t SET id = 3 WHERE id = 2",
    },
    Case {
        others: "INSERT INTO t VALUES (3, 'theirs'); DELETE FROM t WHERE id = 3",
        transaction: "UPDATE t SET id = 3 WHERE id = 1",
        since: "UPDATE t SET v = 'since' WHERE id = 3",
    },
    Case {
        others: "INSERT INTO t VALUES (3, 'theirs'); DELETE FROM t WHERE id = 3",
        transaction: "UPDATE t SET id = 3 WHERE id = 1",
        since: "UPDATE t SET id = 1 WHERE id = 3",
    },
    Case {
        others: "INSERT INTO t VALUES (3, 'theirs'); DELETE FROM t WHERE id = 3",
        transaction: "INSERT INTO t VALUES (3, 'own'); UPDATE t SET id = 4 WHERE id = 3",
        since: "INSERT INTO t VALUES (3, 'since')",
    },
    Case {
        others: "UPDATE t SET id = id + 2; UPDATE t SET id = id + 4",
        transaction: "INSERT INTO t VALUES (3, 'own'), (4, 'own')",
        since: "",
    },
    Case {
        others: "UPDATE t SET id = id + 2; UPDATE t SET id = id + 4",
        transaction: "INSERT INTO t VALUES (3, 'own'), (4, 'own')",
        since: "UPDATE t SET id = id + 10 WHERE id < 5",
    },
    Case {
        others: "INSERT INTO t VALUES (3, 'theirs'); UPDATE t SET id = 5 WHERE id = 3",
        transaction: "INSERT INTO t VALUES (3, 'own')",
        since: "UPDATE t SET v = 'since' WHERE id = 3",
    },
    Case {
        others: "UPDATE t SET id = 3 WHERE id = 2; UPDATE t SET id = 5 WHERE id = 3",
        transaction: "UPDATE t SET id = 3 WHERE id = 1",
        since: "UPDATE t SET v = 'since' WHERE id = 3",
    },
    Case {
        others: "INSERT INTO t VALUES (3, 'theirs'); UPDATE t SET id = 4 WHERE id = 3; DELETE FROM t WHERE id = 4",
        transaction: "INSERT INTO t VALUES (3, 'own'); UPDATE t SET id = 4 WHERE id = 3",
        since: "UPDATE t SET v = 'since' WHERE id = 4",
    },
    Case {
        others: "UPDATE t SET id = 3 WHERE id = 2; DELETE FROM t WHERE id = 3",
        transaction: "INSERT INTO t VALUES (3, 'own')",
        since: "UPDATE t SET v = 'since' WHERE id = 3",
    },
    Case {
        others: "UPDATE t SET id = 3 WHERE id = 1; DELETE FROM t WHERE id = 3; UPDATE t SET id = 1 WHERE id = 2",
        transaction: "INSERT INTO t VALUES (3, 'own')",
        since: "DELETE FROM t WHERE id = 3; UPDATE t SET id = 3 WHERE id = 1; INSERT INTO t VALUES (1, 'since')",
    },
    Case {
        others: "DELETE FROM t WHERE id = 1",
        transaction: "INSERT INTO t VALUES (1, 'own'); DELETE FROM t WHERE v = 'own'",
        since: "",
    },
    Case {
        others: "DELETE FROM t WHERE id = 1",
        transaction: "INSERT INTO t VALUES (1, 'own'); UPDATE t SET id = 7 WHERE v = 'own'",
        since: "INSERT INTO t VALUES (1, 'since')",
    },
    Case {
        others: "UPDATE t SET id = 5 WHERE id = 1",
        transaction: "INSERT INTO t VALUES (1, 'own'); UPDATE t SET id = 7 WHERE v = 'own'",
        since: "INSERT INTO t VALUES (1, 'since')",
    },
];

#[test]
fn a_transaction_is_shown_with_what_it_took_after_others_whom_it_does_not_see() {
    on_outer_versions(async |session| {
        for case in &CASES {
            check(&session, case).await;
        }
    });
}

async fn check(session: &Session, Case { others, transaction, since }: &Case) {
    session
        .run(
            "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
             INSERT INTO t VALUES (1, 'before'), (2, 'before')",
        )
        .await;
    let rows = "SELECT id, v FROM t ORDER BY id";
    let writer = session.another().await;
    writer.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM t").await;
    session.run(others).await;
    writer.run(transaction).await;
    let left = writer.rows(rows).await;
    let xid = writer.rows("SELECT pg_current_xact_id()").await;
    writer.run("COMMIT").await;
    session.run(since).await;
    let present = session.rows(rows).await;

    let as_of = format!("pgtrack.as_of(NULL::t, 'xid:{xid}')");
    let case = format!("{others}\nthen {transaction}\nthen {since}");
    let shown = session.rows(&format!("SELECT id, v FROM {as_of} ORDER BY id")).await;
    assert_eq!(shown, left, "as_of: {case}");
    // What changed since makes the one state the other.
    let differences = session
        .rows(&format!("SELECT before, after FROM pgtrack.diff('t', 'xid:{xid}') ORDER BY row_pk"))
        .await;
    let real = session
        .rows(&format!(
            "SELECT to_jsonb(a), to_jsonb(b) FROM {as_of} a FULL JOIN t b USING (id)
             WHERE a IS DISTINCT FROM b ORDER BY jsonb_build_object('id', id)"
        ))
        .await;
    assert_eq!(differences, real, "diff: {case}");
    let planned = session
        .rows(&format!("SELECT count(*) = 0 FROM pgtrack.plan_revert_table('t', 'xid:{xid}')"))
        .await;
    session.run(&format!("SELECT pgtrack.revert_table('t', 'xid:{xid}')")).await;
    assert_eq!(planned == "t", left == present, "plan: {case}");
    assert_eq!(session.rows(rows).await, left, "revert: {case}");
    // Taken back, it is as if nothing had been reverted.
    if left != present {
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
    }
    assert_eq!(session.rows(rows).await, present, "undo: {case}");
}
