//! An undo in batches, each a transaction of its own.

use crate::support::{Session, on_outer_versions};

/// Customers with items, all of which one transaction spoiled: some changed, some gone, some new.
async fn spoiled(session: &Session) -> String {
    session
        .run(
            "CREATE TABLE customer (id int PRIMARY KEY, name text UNIQUE);
              CREATE TABLE item (id int PRIMARY KEY, customer int REFERENCES customer, v int);
              SELECT pgtrack.track('customer'), pgtrack.track('item')",
        )
        .await;
    session
        .run(
            "INSERT INTO customer SELECT n, 'c' || n FROM generate_series(1, 20) n;
              INSERT INTO item SELECT n, n, 0 FROM generate_series(1, 20) n",
        )
        .await;
    session
        .run(
            "
              INSERT INTO customer SELECT n, 'new' || n FROM generate_series(21, 25) n;
              UPDATE item SET customer = customer + 15, v = 1 WHERE id <= 10;
              DELETE FROM item WHERE id > 15;
              DELETE FROM customer WHERE id <= 5;
              INSERT INTO item SELECT n, n, 0 FROM generate_series(21, 25) n",
        )
        .await;
    session.rows("SELECT xid FROM pgtrack.log(1)").await
}

const STATE: &str = "SELECT 'customer', c::text FROM customer c UNION ALL SELECT 'item', i::text FROM item i ORDER BY 1, 2";

/// The calls that do an undo in batches of some size.
async fn calls(session: &Session, choice: &str, size: u32, options: &str) -> Vec<String> {
    let query = format!(
        "SELECT format('SELECT * FROM pgtrack.undo_batch(%L, %L, %L{options})', '{choice}', rows, seen)
         FROM pgtrack.plan_batches('{choice}', {size}) ORDER BY batch"
    );
    session.rows(&query).await.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn batches_do_what_the_undo_does_and_foreign_keys_hold_after_each() {
    on_outer_versions(async |session| {
        let xid = spoiled(&session).await;
        let spoiled = session.rows(STATE).await;
        session.run(&format!("BEGIN; SELECT pgtrack.undo_transaction({xid})")).await;
        let whole = session.rows(STATE).await;
        session.run("ROLLBACK").await;
        let choice = format!(r#"{{"xid": {xid}}}"#);
        session
            .check(&format!("SELECT sum(row_count), count(*), max(row_count) FROM pgtrack.plan_batches('{choice}', 4)"), "30|8|4")
            .await;
        let batches = calls(&session, &choice, 4, ", message => ''why''").await;
        for batch in &batches {
            session.run(batch).await;
        }
        assert_eq!(session.rows(STATE).await, whole);
        session
            .check(
                &format!("SELECT DISTINCT reverts, message FROM pgtrack.activity WHERE statement_id > (SELECT max(statement_id) FROM pgtrack.statement WHERE xid = '{xid}')"),
                &format!("xid:{xid}|why"),
            )
            .await;
        session
            .check("SELECT count(*), count(arguments -> 'rows') FROM pgtrack.audit WHERE verb = 'undo_batch'", "8|8")
            .await;

        // Once more, each: nothing is left to do.
        let last = "SELECT max(statement_id) FROM pgtrack.statement";
        let before = session.rows(last).await;
        for batch in &batches {
            session.run(batch).await;
        }
        session.check(&format!("SELECT count(*) FROM pgtrack.plan_batches('{choice}')"), "0").await;
        session.run(&format!("SELECT pgtrack.undo_transaction({xid})")).await;
        assert_eq!(session.rows(last).await, before);

        // All of them together are undone like any change.
        let xids = session
            .rows(&format!(
                "SELECT array_agg(DISTINCT xid) FROM pgtrack.activity WHERE reverts = 'xid:{xid}'"
            ))
            .await;
        session.run(&format!("SELECT pgtrack.undo_transactions('{xids}')")).await;
        assert_eq!(session.rows(STATE).await, spoiled);
    });
}

#[test]
fn a_batch_that_fails_leaves_the_earlier_ones_and_nothing_of_its_own() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t');
                  INSERT INTO t SELECT n, 0 FROM generate_series(1, 30) n",
            )
            .await;
        session.run("UPDATE t SET v = 1").await;
        let xid = session.rows("SELECT xid FROM pgtrack.log(1)").await;
        session
            .run(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    IF new.id = 15 THEN RAISE EXCEPTION 'not this one'; END IF; RETURN new; END $$;
                  CREATE TRIGGER refuse BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION refuse()",
            )
            .await;
        let choice = format!(r#"{{"xid": {xid}}}"#);
        let batches = calls(&session, &choice, 10, "").await;
        session.run(&batches[0]).await;
        let error = session.error(&batches[1]).await;
        assert!(error.starts_with("P0001: not this one"), "{error}");
        session
            .check(
                "SELECT v, count(*), min(id) FROM t GROUP BY v ORDER BY v",
                "
            0|10|21
            1|20|1",
            )
            .await;
        session.run("DROP TRIGGER refuse ON t").await;
        session
            .check(
                &format!("SELECT batch, row_count FROM pgtrack.plan_batches('{choice}', 15)"),
                "
            1|15
            2|5",
            )
            .await;
        // What is left of it can be done in one step as well: what was undone is as wanted, and no conflict.
        session.run(&format!("SELECT pgtrack.undo_transaction({xid})")).await;
        session.check("SELECT DISTINCT v FROM t", "0").await;
    });
}

#[test]
fn what_happens_between_batches_is_a_conflict() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int, w int); SELECT pgtrack.track('t');
                  INSERT INTO t SELECT n, 0, 0 FROM generate_series(1, 6) n; SET application_name = 'bad'")
            .await;
        session.run("SELECT pgtrack.tag('good')").await;
        session.run("UPDATE t SET v = 1").await;
        for choice in [
            r#"{"table": "t", "point": "good"}"#,
            r#"{"schema": "public", "point": "good"}"#,
            r#"{"application": "bad"}"#,
        ] {
            let after = |options| {
                let session = &session;
                async move {
                    session.run("BEGIN").await;
                    let batches = calls(session, choice, 3, options).await;
                    session.run(&batches[0]).await;
                    session.run("UPDATE t SET w = 2 WHERE id = 1; SAVEPOINT s").await;
                    let result = session.attempt(&batches[1]).await;
                    session.run("ROLLBACK TO s").await;
                    if result.is_ok() {
                        session.run(&batches[1]).await;
                    }
                    let rows = session.rows("SELECT * FROM t WHERE id < 3 ORDER BY id").await;
                    session.run("ROLLBACK").await;
                    (result.err().unwrap_or_default(), rows)
                }
            };
            let (error, _) = after("").await;
            assert!(error.starts_with("TK001: cannot undo "), "{choice}: {error}");
            assert_eq!(after(", ''skip''").await.1, "1|1|2\n2|0|0");
            assert_eq!(after(", ''merge''").await.1, "1|0|2\n2|0|0");
            assert_eq!(after(", ''force''").await.1, "1|0|0\n2|0|0");
        }
    });
}

#[test]
fn rows_that_refer_to_each_other_stay_together() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE node (id int PRIMARY KEY, parent int REFERENCES node, v int);
                  CREATE TABLE leaf (id int PRIMARY KEY, node int NOT NULL REFERENCES node);
                  SELECT pgtrack.track('node'), pgtrack.track('leaf');
                  INSERT INTO node SELECT n, n % 10 + 1, 0 FROM generate_series(1, 10) n; INSERT INTO leaf SELECT n, n FROM generate_series(1, 10) n")
            .await;
        session.run("DELETE FROM leaf; DELETE FROM node").await;
        let xid = session.rows("SELECT xid FROM pgtrack.log(1)").await;
        let choice = format!(r#"{{"xid": {xid}}}"#);
        session
            .check(&format!("SELECT batch, row_count, (SELECT string_agg(k, ',') FROM jsonb_object_keys(rows) k) FROM pgtrack.plan_batches('{choice}', 4)"), "
            1|10|public.node
            2|2|public.leaf
            3|4|public.leaf
            4|4|public.leaf")
            .await;
        for batch in calls(&session, &choice, 4, "").await {
            session.run(&batch).await;
        }
        session
            .check("SELECT (SELECT count(*) FROM node), (SELECT count(*) FROM leaf)", "10|10")
            .await;
        // Updates do not need to.
        session.run("UPDATE node SET v = 1").await;
        let query = "SELECT array_agg(b.row_count) FROM pgtrack.log(1) l, pgtrack.plan_batches(jsonb_build_object('xid', l.xid), 4) b";
        session.check(query, "{4,4,2}").await;
    });
}

#[test]
fn what_cannot_be_done_in_batches_says_why() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 0), (2, 0)")
            .await;
        session.run("UPDATE t SET v = 1").await;
        let xid = session.rows("SELECT xid FROM pgtrack.log(1)").await;
        let call = |rows: &str| {
            format!(r#"SELECT * FROM pgtrack.undo_batch('{{"xid": {xid}}}', '{rows}')"#)
        };
        for (rows, expected) in [
            ("[]", "22023: it is not clear which rows to undo: []"),
            (
                r#"{"public.u": []}"#,
                &format!(
                    "42P01: transaction {xid} has no rows in public.u\nDETAIL: Its tables are public.t."
                ),
            ),
            (
                r#"{"public.t": [{"v": 1}]}"#,
                "22023: {\"v\": 1} is no key of public.t\nDETAIL: Its key is (id).",
            ),
            (r#"{"public.t": 1}"#, "2203"),
        ] {
            let error = session.error(&call(rows)).await;
            assert!(error.starts_with(expected), "{error}");
        }
        let error = session
            .error("SELECT * FROM pgtrack.plan_batches('{\"xid\": 1, \"xids\": [2]}')")
            .await;
        assert!(error.starts_with("22023: it is not clear what to undo: "), "{error}");
        let error = session.error("SELECT * FROM pgtrack.plan_batches('{\"xid\": 1}', 0)").await;
        assert!(error.starts_with("22023: a batch must have at least one row"), "{error}");
        session.run(&call("{}")).await;
        session.run(&call(r#"{"public.t": [{"id": 7}, {"id": 1}, {"id": 1}]}"#)).await;
        session.check("SELECT * FROM t ORDER BY id", "1|0\n2|1").await;
        session.run("UPDATE t SET id = id + 10").await;
        let expected = "55000: cannot undo only some rows of public.t\nDETAIL: Rows of the table have got other keys since";
        for error in [
            session.error(&call(r#"{"public.t": []}"#)).await,
            session
                .error(&format!(r#"SELECT * FROM pgtrack.plan_batches('{{"xid": {xid}}}')"#))
                .await,
        ] {
            assert!(error.starts_with(expected), "{error}");
        }
    });
}
