//! To undo a transaction finds an order that unique indexes and exclusion constraints allow, whatever they are.

use proptest::collection::vec;

use super::trial::try_law;
use crate::support::{Session, on_outer_versions};

/// What makes values stand in each other's way.
const CONSTRAINTS: &[&str] = &[
    "ALTER TABLE f ADD UNIQUE (u)",
    "CREATE UNIQUE INDEX ON f (w, g)",
    "CREATE UNIQUE INDEX ON f (g) WHERE main",
    "ALTER TABLE f ADD EXCLUDE USING gist (x WITH &&)",
    "CREATE UNIQUE INDEX ON f (lower(n))",
    "ALTER TABLE f ADD UNIQUE (g, u) DEFERRABLE",
    "ALTER TABLE f ADD UNIQUE (d)",
];

/// Statements on the rows $a and $b.
const STATEMENTS: &[&str] = &[
    "UPDATE f SET u = $a + 100 WHERE id = $a",
    "UPDATE f SET u = $b WHERE id = $a",
    "UPDATE f SET w = $b WHERE id = $a",
    "UPDATE f SET u = u + 1000; UPDATE f SET u = u - 1000 + $b - 6",
    "UPDATE f SET u = u + 1000; UPDATE f SET u = (u - 1000 + $b) % 12",
    "UPDATE f SET main = NOT main WHERE id = $a",
    "UPDATE f SET main = false WHERE g = $a % 3; UPDATE f SET main = true WHERE id = $a",
    "UPDATE f SET g = $b % 3 WHERE id = $a",
    "UPDATE f SET x = int4range(lower(x) + 1000, upper(x) + 1000); UPDATE f SET x = int4range(lower(x) - 1000 + $b, upper(x) - 1000 + $b)",
    "UPDATE f SET x = NULL WHERE id = $a",
    "UPDATE f SET x = int4range($b * 10, $b * 10 + 10) WHERE id = $a",
    "UPDATE f SET n = upper(n)",
    "UPDATE f SET n = n || '+'; UPDATE f SET n = 'N' || (id % 10 + 1)",
    "DELETE FROM f WHERE id = $a",
    "INSERT INTO f VALUES ($a, $b, $b, $a % 3, false, NULL, 'n' || $b)",
    "UPDATE f SET id = -id; UPDATE f SET id = ($b - id) % 13 + 1",
    "UPDATE f SET id = $b + 20 WHERE id = $a",
    "UPDATE f SET id = $b WHERE id = $a + 20",
];

#[test]
fn an_undo_finds_an_order_that_constraints_allow() {
    on_outer_versions(async |session| {
        let transaction = vec((0..STATEMENTS.len(), 1..12, 1..12), 1..6);
        let world = (0..1u32 << CONSTRAINTS.len(), vec(transaction, 1..6));
        try_law(5, world, async |(constraints, history)| {
            make(&session, constraints).await;
            for transaction in &history {
                let before = state(&session).await;
                let Some(xid) = transact(&session, transaction).await else { continue };
                let after = state(&session).await;
                expect_undo(&session, &xid, &before).await?;
                let undo = "SELECT xid FROM pgtrack.log(1)";
                expect_undo(
                    &session,
                    &session.rows(undo).await,
                    if before == after { &before } else { &after },
                )
                .await?;
            }
            Ok(())
        })
        .await;
    });
}

/// The table, with those constraints whose bits are set.
async fn make(session: &Session, constraints: u32) {
    session
        .run(
            "DROP TABLE IF EXISTS f;
             CREATE TABLE f (id int PRIMARY KEY, u int, w int, g int, main boolean, x int4range, n text, d int GENERATED ALWAYS AS (u * 2) STORED);
             INSERT INTO f SELECT i, i, i, i % 3, i < 4, int4range(i * 10, i * 10 + 10), 'n' || i FROM generate_series(1, 10) i;
             SELECT pgtrack.track('f')",
        )
        .await;
    for (number, constraint) in CONSTRAINTS.iter().enumerate() {
        if constraints >> number & 1 == 1 {
            session.run(constraint).await;
        }
    }
}

/// Runs those of the statements that the constraints allow in one transaction. Returns its xid if it wrote anything.
async fn transact(session: &Session, statements: &[(usize, i32, i32)]) -> Option<String> {
    session.run("BEGIN").await;
    for (number, a, b) in statements {
        let sql = STATEMENTS[*number].replace("$a", &a.to_string()).replace("$b", &b.to_string());
        session.run("SAVEPOINT s").await;
        if session.attempt(&sql).await.is_err() {
            session.run("ROLLBACK TO s").await;
        }
    }
    let xid = session.rows("SELECT pg_current_xact_id_if_assigned()").await;
    session.run("COMMIT").await;
    let is_recorded = format!("SELECT count(*) FROM pgtrack.activity WHERE xid = '{xid}'");
    (xid != "~" && session.rows(&is_recorded).await != "0").then_some(xid)
}

async fn expect_undo(session: &Session, xid: &str, expected: &str) -> Result<(), String> {
    session
        .attempt(&format!("SELECT pgtrack.undo_transaction({xid})"))
        .await
        .map_err(|error| format!("undo of {xid}: {error}"))?;
    let actual = state(session).await;
    (actual == expected)
        .then_some(())
        .ok_or(format!("undo of {xid} gave\n{actual}\nnot\n{expected}"))
}

async fn state(session: &Session) -> String {
    session.rows("SELECT * FROM f ORDER BY id").await
}
