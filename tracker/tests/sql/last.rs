//! Somebody's latest transaction, and a refusal where it is not clear which that is.

use crate::support::{Session, on_outer_versions};

const UNCLEAR: &str = "55000: it is not clear which transaction is your latest\nDETAIL: ";

async fn begin(session: &Session) {
    session
        .run("SET application_name = 'mine'; CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t')")
        .await;
    session.run("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')").await;
}

#[test]
fn what_this_session_did_last_is_undone_and_not_what_others_did_since() {
    on_outer_versions(async |session| {
        begin(&session).await;
        session.run("UPDATE t SET v = 'wrong' WHERE id < 3").await;
        let other = session.another().await;
        other.run("SET application_name = 'nightly'").await;
        other.run("UPDATE t SET v = 'theirs' WHERE id = 3").await;
        session
            .check(
                "SELECT \"table\", row_pk, action, after ->> 'v', conflict FROM pgtrack.plan_undo_last()",
                r#"
            public.t|{"id": 1}|update|a|~
            public.t|{"id": 2}|update|b|~"#,
            )
            .await;
        session
            .check(
                "SELECT * FROM pgtrack.undo_last(columns => '{v}', message => 'a slip')",
                "public.t|0|2|0|0",
            )
            .await;
        session.check("SELECT string_agg(v, ' ' ORDER BY id) FROM t", "a b theirs").await;
        // An undo does not count, so the same one is meant; nothing is left to do.
        session.check("SELECT * FROM pgtrack.undo_last()", "public.t|0|0|0|0").await;
        session
            .check(
                "SELECT verb, message, arguments - 'xid', (arguments ->> 'xid')::bigint = (SELECT max(xid) FROM pgtrack.activity WHERE application = 'mine' AND reverts IS NULL)
                 FROM pgtrack.audit WHERE verb <> 'track' ORDER BY entry_id",
                r#"
            undo_last|a slip|{"columns": ["v"], "on_conflict": "error"}|t
            undo_last|~|{"on_conflict": "error"}|t"#,
            )
            .await;
        // What changed since is a conflict as ever.
        session.run("UPDATE t SET v = 'again' WHERE id = 1").await;
        other.run("UPDATE t SET v = 'newer' WHERE id = 1").await;
        let error = session.error("SELECT pgtrack.undo_last()").await;
        assert!(error.starts_with("TK001: cannot undo transaction "), "{error}");
        session.check("SELECT * FROM pgtrack.undo_last('force')", "public.t|0|1|0|0").await;
    });
}

#[test]
fn which_it_is_stands_in_a_notice() {
    on_outer_versions(async |session| {
        begin(&session).await;
        let said = session
            .notices("SET application_name = 'teller'; COMMIT; UPDATE t\n  SET v = 'x'; COMMIT; SELECT pgtrack.undo_last()")
            .await;
        let last = said.last().map(String::as_str).unwrap_or_default();
        assert!(last.starts_with("your latest is transaction "), "{said:?}");
        assert!(
            last.contains(
                ": SET application_name = 'teller'; COMMIT; UPDATE t SET v = 'x'; COMMIT;"
            ),
            "{last}"
        );
    });
}

#[test]
fn where_another_may_be_meant_it_is_refused() {
    on_outer_versions(async |session| {
        let error = session.error("SELECT pgtrack.undo_last()").await;
        assert!(error.starts_with("P0002: no change of postgres is recorded\nDETAIL: "), "{error}");
        assert!(error.contains("\nHINT: SELECT * FROM pgtrack.log() "), "{error}");
        begin(&session).await;
        // The transaction itself.
        let error = session.error("BEGIN; UPDATE t SET v = 'x'; SELECT pgtrack.undo_last()").await;
        assert_eq!(
            error,
            "55000: your latest changes are those of this transaction\nDETAIL: It has not ended.\nHINT: ROLLBACK takes them back."
        );
        session.run("ROLLBACK").await;
        // A session that looks the same.
        let twin = session.another().await;
        twin.run("SET application_name = 'mine'").await;
        session.run("UPDATE t SET v = 'x' WHERE id = 1").await;
        let error = session.error("SELECT pgtrack.undo_last()").await;
        assert!(error.starts_with(&format!("{UNCLEAR}Transaction ")), "{error}");
        twin.run("SET application_name = 'another'").await;
        session.check("SELECT * FROM pgtrack.undo_last()", "public.t|0|1|0|0").await;
        // Whoever comes later, with another program: it may be theirs, or that of a third.
        let late = session.another_with("-c application_name=late").await;
        late.check("SELECT * FROM pgtrack.plan_undo_last()", "").await;
        twin.run("UPDATE t SET v = 'y' WHERE id = 2").await;
        let error = late.error("SELECT pgtrack.undo_last()").await;
        assert!(
            error.starts_with(&format!(
                "{UNCLEAR}As postgres, 'another' from 127.0.0.1 made transaction "
            )),
            "{error}"
        );
        assert!(error.contains(", and 'mine' from 127.0.0.1 transaction "), "{error}");
        session.check("SELECT count(*) FROM t WHERE v = 'y'", "1").await;
    });
}

#[test]
fn a_person_is_login_and_actor() {
    on_outer_versions(async |session| {
        begin(&session).await;
        session.run("SELECT pgtrack.set_actor('ann')").await;
        session.run("UPDATE t SET v = 'by ann' WHERE id = 1").await;
        session.run("SELECT pgtrack.set_actor('bob')").await;
        let error = session.error("SELECT pgtrack.undo_last()").await;
        assert!(
            error.starts_with("P0002: no change of postgres on behalf of bob is recorded"),
            "{error}"
        );
        session.run("UPDATE t SET v = 'by bob' WHERE id = 2").await;
        session.run("SELECT pgtrack.set_actor('ann')").await;
        session.check("SELECT * FROM pgtrack.undo_last()", "public.t|0|1|0|0").await;
        session.check("SELECT string_agg(v, ' ' ORDER BY id) FROM t", "a by bob c").await;
        session.run("SELECT pgtrack.set_actor(NULL)").await;
        session
            .check("SELECT action FROM pgtrack.plan_undo_last()", "delete\ndelete\ndelete")
            .await;
        // One before another.
        session.run("UPDATE t SET v = 'z' WHERE id = 3").await;
        session
            .check(
                "SELECT pgtrack._find_last(NULL, 0) > pgtrack._find_last(NULL, 1), pgtrack._find_last(NULL, 1) = min(a.xid) FROM pgtrack.activity a",
                "t|t",
            )
            .await;
        let error = session.error("SELECT pgtrack._find_last(NULL, 2)").await;
        assert!(error.starts_with("P0002: postgres made fewer transactions than that"), "{error}");
    });
}

#[test]
fn what_somebody_may_not_read_counts_and_an_older_one_is_not_taken_for_it() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE last_writer LOGIN; CREATE TABLE seen (id int PRIMARY KEY, v int); CREATE TABLE unseen (id int PRIMARY KEY);
                 SELECT pgtrack.track('public'); GRANT ALL ON seen TO last_writer; GRANT INSERT ON unseen TO last_writer",
            )
            .await;
        session.run("INSERT INTO seen VALUES (9, 9)").await;
        let writer = session.another_as("last_writer").await;
        writer.run("INSERT INTO seen VALUES (1, 1)").await;
        writer.check("SELECT * FROM pgtrack.undo_last()", "public.seen|0|0|1|0").await;
        writer.run("INSERT INTO unseen VALUES (1)").await;
        let error = writer.error("SELECT pgtrack.undo_last()").await;
        assert!(
            error.starts_with("P0002: no change of transaction ") || error.starts_with("42501: "),
            "{error}"
        );
        session.check("SELECT count(*) FROM unseen", "1").await;
        session.run("DROP OWNED BY last_writer; DROP ROLE last_writer").await;
    });
}

#[test]
fn log_takes_a_table_and_restore_tells_what_else_went() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE items (id int PRIMARY KEY, o int REFERENCES orders ON DELETE CASCADE);
                 SELECT pgtrack.track('public')",
            )
            .await;
        session.run("INSERT INTO orders VALUES (1), (2), (3)").await;
        session.run("INSERT INTO items VALUES (10, 1), (11, 1)").await;
        for (call, count) in [
            ("'orders'", "1"),
            ("'public.items', 5", "1"),
            ("\"table\" => 'orders'", "1"),
            ("on_table => 'orders'", "1"),
            ("", "2"),
            ("1", "1"),
            // As a driver sends a number whose type it leaves open.
            ("'1'", "1"),
        ] {
            session.check(&format!("SELECT count(*) FROM pgtrack.log({call})"), count).await;
        }
        session.run("DELETE FROM orders WHERE id < 3").await;
        let xid = session.rows("SELECT xid FROM pgtrack.log(1)").await;
        let expected = format!(
            "more went in the same transaction, {xid}: DELETE public.orders, 1 row; DELETE public.items, 2 rows"
        );
        for verb in ["plan_restore", "restore"] {
            assert_eq!(
                session.notices(&format!("SELECT pgtrack.{verb}('orders', 1)")).await,
                [expected.as_str()]
            );
        }
        session.run("DELETE FROM orders WHERE id = 3").await;
        assert!(session.notices("SELECT pgtrack.restore('orders', 3)").await.is_empty());
    });
}
