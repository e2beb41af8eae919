//! A plan of any size, in numbers: what would change, and what is in the way.

use crate::support::{Session, on_outer_versions};

const CHOICE: &str = "(SELECT jsonb_build_object('xid', min(xid)) FROM pgtrack.log(100, 't'))";

async fn digest(session: &Session) -> String {
    session
        .rows(&format!(
            "SELECT string_agg(digest, ' ' ORDER BY action) FROM pgtrack.plan_outline({CHOICE})"
        ))
        .await
}

#[test]
fn totals_come_with_the_first_rows_and_conflicts_before_others() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT i, i FROM generate_series(1, 300) i;
                 SELECT pgtrack.track('t');
                 BEGIN; UPDATE t SET v = 0 WHERE id <= 290; DELETE FROM t WHERE id > 295; INSERT INTO t VALUES (999, 9); COMMIT",
            )
            .await;
        session.run("UPDATE t SET v = 7 WHERE id IN (200, 201)").await;
        session
            .check(
                &format!("SELECT action, row_count, conflicts FROM pgtrack.plan_outline({CHOICE}) WHERE row_pk IS NULL ORDER BY 1"),
                "
            delete|1|0
            insert|5|0
            update|290|2",
            )
            .await;
        session
            .check(
                &format!("SELECT row_pk ->> 'id', before ->> 'v', after ->> 'v', left(conflict, 13) FROM pgtrack.plan_outline({CHOICE}, 3) WHERE row_pk IS NOT NULL"),
                "
            200|7|200|changed since
            201|7|201|changed since
            1|0|1|~",
            )
            .await;
        session
            .check(&format!("SELECT count(row_pk) FROM pgtrack.plan_outline({CHOICE})"), "200")
            .await;
        session
            .check(&format!("SELECT count(row_pk) FROM pgtrack.plan_outline({CHOICE}, 0)"), "0")
            .await;
        // The plan of the verb says the same of each row.
        session
            .check(
                &format!(
                    "SELECT count(*) FROM pgtrack.plan_undo_transaction(({CHOICE} ->> 'xid')::bigint) p
                     FULL JOIN (SELECT * FROM pgtrack.plan_outline({CHOICE}, 1000) WHERE row_pk IS NOT NULL) o USING (\"table\", row_pk, action, before, after)
                     WHERE p.conflict IS DISTINCT FROM o.conflict"
                ),
                "0",
            )
            .await;
    });
}

#[test]
fn the_digest_is_another_one_when_the_plan_is() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2); SELECT pgtrack.track('t'); UPDATE t SET v = 0")
            .await;
        let first = digest(&session).await;
        assert_eq!(first, digest(&session).await);
        session.run("UPDATE t SET v = 5 WHERE id = 2").await;
        let changed = digest(&session).await;
        assert_ne!(first, changed);
        session.run("UPDATE t SET v = 6 WHERE id = 2").await;
        assert_ne!(changed, digest(&session).await);
        // Rows of which nothing is left to set back are none.
        session.run("UPDATE t SET v = id").await;
        session.check(&format!("SELECT count(*) FROM pgtrack.plan_outline({CHOICE})"), "0").await;
    });
}
