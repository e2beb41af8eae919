//! What `track` takes on: schemas with the tables to come, under traffic, again, at the same time.

use std::time::Duration;

use crate::support::{install, on_each_version, on_outer_versions};

#[test]
fn the_tables_of_tomorrow_belong_to_a_tracked_schema() {
    on_each_version(async |session| {
        session.run("CREATE SCHEMA s; CREATE TABLE s.a (id int PRIMARY KEY); CREATE TABLE outside (id int PRIMARY KEY, v text); SELECT pgtrack.track('s')").await;
        session.run("CREATE ROLE owner_tomorrow LOGIN; GRANT USAGE, CREATE ON SCHEMA s TO owner_tomorrow").await;
        let owner = session.another_as("owner_tomorrow").await;
        owner.run("CREATE TABLE s.b (id int PRIMARY KEY, v text); INSERT INTO s.b VALUES (1, 'a'); CREATE TABLE s.c AS SELECT * FROM s.b; ALTER TABLE s.c ADD PRIMARY KEY (id)").await;
        owner.run("CREATE TABLE s.p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE s.p1 PARTITION OF s.p DEFAULT; INSERT INTO s.p VALUES (1); CREATE VIEW s.v AS SELECT * FROM s.a").await;
        session
            .run("ALTER TABLE outside SET SCHEMA s; INSERT INTO s.outside VALUES (1, 'x')")
            .await;
        session
            .check(
                "SELECT table_name FROM pgtrack.tracked_table ORDER BY 1",
                "
            s.a
            s.b
            s.c
            s.outside
            s.p",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.history('s.b', 1)", "1").await;
        session.run("SELECT pgtrack.untrack('s.b'); ALTER TABLE s.b ADD COLUMN w int").await;
        session.check("SELECT count(*) FROM pgtrack.tracked_table", "4").await;
        session.run("SELECT pgtrack.untrack('s'); CREATE TABLE s.d (id int PRIMARY KEY)").await;
        session.check("SELECT count(*) FROM pgtrack.tracked_table", "0").await;
        session.run("DROP OWNED BY owner_tomorrow; DROP ROLE owner_tomorrow").await;
    });
}

#[test]
fn case_50_a_table_swapped_for_a_partitioned_one_goes_on_being_tracked_in_its_schema() {
    on_each_version(async |session| {
        session.run("CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, v text); SELECT pgtrack.track('s'); INSERT INTO s.t VALUES (1, 'a')").await;
        session
            .run(
                "BEGIN; CREATE TABLE s.t_new (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE s.t_new_1 PARTITION OF s.t_new DEFAULT;
                 INSERT INTO s.t_new SELECT * FROM s.t; ALTER TABLE s.t RENAME TO t_old; ALTER TABLE s.t_new RENAME TO t; COMMIT; UPDATE s.t SET v = 'b'",
            )
            .await;
        session
            .check(
                "SELECT ver, op FROM pgtrack.history('s.t', 1)",
                "
            1|INSERT
            2|UPDATE",
            )
            .await;
        session.check("SELECT ver, op FROM pgtrack.history('s.t_old', 1)", "1|INSERT").await;
    });
}

#[test]
fn case_34_many_tables_are_tracked_by_several_at_once() {
    on_outer_versions(async |session| {
        session.run("CREATE SCHEMA s; DO $$BEGIN FOR i IN 1..100 LOOP EXECUTE format('CREATE TABLE s.t%s (id int PRIMARY KEY, v text)', i); END LOOP; END$$").await;
        let (one, two) = (session.another().await, session.another().await);
        tokio::join!(one.run("SELECT pgtrack.track('s')"), two.run("SELECT pgtrack.track('s')"));
        session
            .check("SELECT count(*), count(DISTINCT relid) FROM pgtrack.relation", "100|100")
            .await;
        session.run("INSERT INTO s.t77 VALUES (1, 'a')").await;
        session.check("SELECT count(*) FROM pgtrack.history('s.t77', 1)", "1").await;
        session.run("CREATE SCHEMA empty").await;
        session.check("SELECT * FROM pgtrack.track('empty')", "").await;
    });
}

#[test]
fn case_34_tracking_gives_way_to_writers_and_says_so() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')")
            .await;
        let writer = session.another().await;
        writer.run("BEGIN; UPDATE t SET v = 'b'").await;
        let busy = session.another().await;
        let attempt = tokio::spawn(async move { busy.error("SELECT pgtrack.track('t')").await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Others do not queue behind the attempt for longer than it waits.
        let third = session.another().await;
        third.run("SET lock_timeout = '2s'; INSERT INTO t VALUES (2, 'c')").await;
        let error = attempt.await.unwrap();
        assert!(error.starts_with("55P03: could not lock public.t to track it"), "{error}");
        writer.run("COMMIT").await;
        session.check("SELECT status FROM pgtrack.track('t')", "tracked").await;
    });
}

#[test]
fn case_74_installing_again_under_traffic_loses_no_change_and_fails_no_write() {
    on_each_version(async |session| {
        session.run("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int); SELECT pgtrack.track('public'); INSERT INTO a SELECT g, 0 FROM generate_series(1, 4) g; INSERT INTO b SELECT g, 0 FROM generate_series(1, 4) g").await;
        let mut writers = Vec::new();
        for id in 1..=4 {
            let writer = session.another().await;
            writers.push(tokio::spawn(async move {
                for round in 0..150 {
                    let (first, second) = if (round + id) % 2 == 0 { ("a", "b") } else { ("b", "a") };
                    writer.run(&format!("BEGIN; UPDATE {first} SET v = v + 1 WHERE id = {id}; UPDATE {second} SET v = v + 1 WHERE id = {id}; COMMIT")).await;
                }
            }));
        }
        for _ in 0..3 {
            install(session.database.clone()).await;
        }
        for writer in writers {
            writer.await.unwrap();
        }
        session
            .check("SELECT sum(v) FROM (SELECT v FROM a UNION ALL SELECT v FROM b) x", "1200")
            .await;
        session
            .check("SELECT sum(row_count) FROM pgtrack.activity WHERE operation = 'UPDATE'", "1200")
            .await;
        session.check("SELECT max(ver) FROM pgtrack.history('a', 1)", "151").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn case_80_a_read_only_transaction_reads_history() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        session.run("SELECT pgtrack.tag('x')").await;
        session.run("UPDATE t SET v = 'b'").await;
        session.run("SET default_transaction_read_only = on").await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 1)", "2").await;
        session.check("SELECT v FROM pgtrack.as_of(NULL::t, 'x')", "a").await;
        session.check("SELECT count(*) FROM pgtrack.plan_undo_transaction((SELECT xid FROM pgtrack.log(1)))", "1").await;
        for query in [
            "SELECT * FROM pgtrack.log()",
            "SELECT * FROM pgtrack.show((SELECT xid FROM pgtrack.log(1)))",
            "SELECT * FROM pgtrack.diff('t', 'x')",
            "SELECT * FROM pgtrack.blame('t', 1)",
            "SELECT * FROM pgtrack.verify()",
            "SELECT * FROM pgtrack.info()",
            "SELECT * FROM pgtrack.deleted('t')",
        ] {
            session.run(query).await;
        }
        let error = session.error("SELECT pgtrack.undo('t', 1)").await;
        assert!(error.starts_with("25006: cannot execute "), "{error}");
    });
}

#[test]
fn case_63_a_tag_inside_a_transaction_is_before_all_of_it() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        let other = session.another().await;
        session.run("BEGIN; UPDATE t SET v = 'b'").await;
        // A younger transaction ends first, so that the older one lies within the snapshot.
        other.run("INSERT INTO t VALUES (2, 'x')").await;
        session.run("SELECT pgtrack.tag('inside'); UPDATE t SET v = 'c'; COMMIT").await;
        session
            .check(
                "SELECT * FROM pgtrack.as_of(NULL::t, 'inside') ORDER BY id",
                "
            1|a
            2|x",
            )
            .await;
    });
}

#[test]
fn case_33_what_is_no_table_is_skipped_in_a_schema_and_refused_by_name() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE SCHEMA s; CREATE TABLE s.a (id int PRIMARY KEY); CREATE UNLOGGED TABLE s.u (id int PRIMARY KEY); CREATE VIEW s.v AS SELECT 1;
                 CREATE MATERIALIZED VIEW s.m AS SELECT 1; CREATE SEQUENCE s.q; CREATE TABLE s.keyless (v int); CREATE TEMP TABLE temporary (id int PRIMARY KEY);
                 CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere; CREATE FOREIGN TABLE s.f (id int) SERVER nowhere",
            )
            .await;
        session
            .check(
                "SELECT * FROM pgtrack.track('s')",
                "
            s.a|tracked
            s.f|skipped: it is a foreign table; track it on its own server
            s.keyless|tracked without a primary key: single rows cannot be reverted
            s.m|skipped: it is a materialized view; track the tables under it
            s.u|tracked
            s.v|skipped: it is a view; track the tables under it",
            )
            .await;
        for (name, reason) in [
            ("s.f", "it is a foreign table"),
            ("s.m", "it is a materialized view"),
            ("s.v", "it is a view"),
            ("s.q", "it is not a table"),
            ("temporary", "it is temporary"),
            ("pg_catalog.pg_class", "it belongs to the system"),
            ("pgtrack.statement", "it belongs to pg_track"),
        ] {
            let error = session.error(&format!("SELECT pgtrack.track('{name}')")).await;
            assert!(error.starts_with("42809: cannot track ") && error.contains(reason), "{error}");
        }
    });
}
