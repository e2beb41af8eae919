//! Partitioned tables: one history under the root, whichever way a row is changed.

use crate::support::{Session, on_each_version, on_outer_versions};

/// A table partitioned by a part of its key; the columns of one partition stand in another order.
async fn tracked_tree(session: &Session) {
    session
        .run(
            "CREATE TABLE m (region text, id int, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
             CREATE TABLE m_a PARTITION OF m FOR VALUES IN ('a');
             CREATE TABLE m_x (v text, gone int, id int NOT NULL, region text NOT NULL); ALTER TABLE m_x DROP COLUMN gone;
             ALTER TABLE m ATTACH PARTITION m_x FOR VALUES IN ('x');
             SELECT pgtrack.track('m')",
        )
        .await;
}

#[test]
fn case_22_changes_through_the_root_and_through_a_leaf_are_recorded_once() {
    on_each_version(async |session| {
        tracked_tree(&session).await;
        session
            .run(
                "INSERT INTO m VALUES ('a', 1, 'one'), ('x', 2, 'two'); INSERT INTO m_a VALUES ('a', 3, 'three');
                 UPDATE m SET v = v || '!'; UPDATE m_x SET v = v || '?'; DELETE FROM m_a WHERE id = 3",
            )
            .await;
        session
            .check(
                "SELECT operation, row_count FROM pgtrack.activity ORDER BY statement_id",
                "
            INSERT|2
            INSERT|1
            UPDATE|3
            UPDATE|1
            DELETE|1",
            )
            .await;
        session
            .check(
                r#"SELECT ver, op, before ->> 'v', after ->> 'v' FROM pgtrack.history_pk('m', '{"region": "x", "id": 2}')"#,
                "
            1|INSERT|~|two
            2|UPDATE|two|two!
            3|UPDATE|two!|two!?",
            )
            .await;
    });
}

#[test]
fn case_22_a_row_that_moves_to_another_partition_keeps_its_history() {
    on_each_version(async |session| {
        tracked_tree(&session).await;
        session
            .run("INSERT INTO m VALUES ('a', 1, 'one'), ('x', 2, 'two'), ('a', 3, 'three')")
            .await;
        session.run("UPDATE m SET region = CASE region WHEN 'a' THEN 'x' ELSE 'a' END").await;
        session
            .check(
                r#"SELECT ver, op, before ->> 'region', after ->> 'region' FROM pgtrack.history_pk('m', '{"region": "x", "id": 3}')"#,
                "
            1|INSERT|~|a
            2|UPDATE|a|x",
            )
            .await;
        session.run("UPDATE m_x SET id = 10 WHERE id = 1").await;
        session
            .check(
                r#"SELECT count(*) FROM pgtrack.history_pk('m', '{"region": "x", "id": 10}')"#,
                "3",
            )
            .await;
        session.run("SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)").await;
        session
            .run("SELECT pgtrack.undo_transaction(xid, 'force') FROM (SELECT xid FROM pgtrack.log(3) OFFSET 2) x")
            .await;
        session
            .check(
                "SELECT * FROM m ORDER BY id",
                "
            a|1|one
            x|2|two
            a|3|three",
            )
            .await;
    });
}

#[test]
fn case_22_partitions_come_and_go() {
    on_each_version(async |session| {
        tracked_tree(&session).await;
        session
            .run(
                "CREATE TABLE m_b PARTITION OF m FOR VALUES IN ('b') PARTITION BY RANGE (id);
                 CREATE TABLE m_b1 PARTITION OF m_b FOR VALUES FROM (0) TO (100); CREATE TABLE m_rest PARTITION OF m DEFAULT;
                 INSERT INTO m VALUES ('b', 1, 'root'); INSERT INTO m_b VALUES ('b', 2, 'middle'); INSERT INTO m_b1 VALUES ('b', 3, 'leaf');
                 INSERT INTO m VALUES ('q', 4, 'default'); UPDATE m_b SET v = v || '!'",
            )
            .await;
        session
            .check(
                "SELECT operation, row_count FROM pgtrack.activity ORDER BY statement_id",
                "
            INSERT|1
            INSERT|1
            INSERT|1
            INSERT|1
            UPDATE|3",
            )
            .await;
        session
            .run("ALTER TABLE m DETACH PARTITION m_b; INSERT INTO m_b VALUES ('b', 5, 'alone')")
            .await;
        session.check("SELECT count(*) FROM pgtrack.statement", "5").await;
        session
            .check(
                "SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('m_b'::regclass, 'm_b1'::regclass)",
                "0",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify(gaps => false)", "").await;
        session.run("CREATE TABLE own (region text, id int, v text, PRIMARY KEY (region, id)); SELECT pgtrack.track('own')").await;
        session.run("ALTER TABLE m ATTACH PARTITION own FOR VALUES IN ('o'); INSERT INTO m VALUES ('o', 6, 'x'); INSERT INTO own VALUES ('o', 7, 'y')").await;
        session
            .check(
                "SELECT table_name, row_count FROM pgtrack.activity ORDER BY statement_id DESC LIMIT 2",
                "
            public.m|1
            public.m|1",
            )
            .await;
        session.check("SELECT table_name FROM pgtrack.tracked_table", "public.m").await;
    });
}

#[test]
fn case_06_truncating_a_partitioned_table_records_each_row_once() {
    on_each_version(async |session| {
        tracked_tree(&session).await;
        session
            .run("INSERT INTO m VALUES ('a', 1, 'one'), ('x', 2, 'two'), ('a', 3, 'three')")
            .await;
        session.run("TRUNCATE m").await;
        session.check("SELECT count(*) FROM pgtrack.deleted('m')", "3").await;
        session
            .check("SELECT sum(row_count) FROM pgtrack.activity WHERE operation = 'TRUNCATE'", "3")
            .await;
        session.run("SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)").await;
        session.run("TRUNCATE m_a").await;
        session.check("SELECT count(*) FROM pgtrack.deleted('m')", "2").await;
    });
}

#[test]
fn case_23_a_row_that_a_trigger_swallows_on_its_way_is_recorded_as_deleted() {
    on_each_version(async |session| {
        tracked_tree(&session).await;
        session
            .run(
                "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN CASE WHEN new.id <> 3 THEN new END; END$$;
                 CREATE TRIGGER swallow BEFORE INSERT ON m_a FOR EACH ROW EXECUTE FUNCTION swallow();
                 INSERT INTO m VALUES ('a', 1, 'one'), ('x', 2, 'two'), ('x', 3, 'three')",
            )
            .await;
        session.run("UPDATE m SET region = 'a', v = v || '!'").await;
        session
            .check(
                "SELECT row_pk, op, before ->> 'v', after ->> 'v' FROM pgtrack.changes('m', 3)",
                r#"
            {"id": 1, "region": "a"}|UPDATE|one|one!
            {"id": 2, "region": "x"}|UPDATE|two|two!
            {"id": 3, "region": "x"}|DELETE|three|~"#,
            )
            .await;
        session.run("SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)").await;
        session
            .check(
                "SELECT * FROM m ORDER BY id",
                "
            a|1|one
            x|2|two
            x|3|three",
            )
            .await;
    });
}

#[test]
fn a_partition_is_told_to_be_tracked_under_its_root() {
    on_each_version(async |session| {
        tracked_tree(&session).await;
        let error = session.error("SELECT pgtrack.track('m_a')").await;
        assert_eq!(
            error,
            "42809: cannot track public.m_a: it is a partition of public.m; track that"
        );
        let error = session.error("SELECT * FROM pgtrack.changes('m_a')").await;
        assert_eq!(
            error,
            "55000: table public.m_a is not tracked\nHINT: It is a partition; its history is under 'public.m'."
        );
    });
}

#[test]
fn many_moved_rows_take_no_longer_than_their_number() {
    on_each_version(async |session| {
        tracked_tree(&session).await;
        // Quadratic, this would take minutes.
        session.run("SET statement_timeout = '60s'; INSERT INTO m SELECT 'a', g, 'v' FROM generate_series(1, 50000) g; UPDATE m SET region = 'x'").await;
        session.check("SELECT count(*) FROM pgtrack.key_change", "50000").await;
    });
}

const DETACHED: &str = "CREATE TABLE ev (id int PRIMARY KEY, v text, s text) PARTITION BY RANGE (id);
    CREATE TABLE ev1 PARTITION OF ev FOR VALUES FROM (0) TO (100); CREATE TABLE ev2 PARTITION OF ev FOR VALUES FROM (100) TO (200);
    CREATE TABLE evs PARTITION OF ev FOR VALUES FROM (200) TO (300) PARTITION BY RANGE (id);
    CREATE TABLE evs1 PARTITION OF evs FOR VALUES FROM (200) TO (250); CREATE TABLE evf PARTITION OF ev FOR VALUES FROM (300) TO (400)";

#[test]
fn what_is_detached_in_a_tracked_schema_is_tracked_by_itself() {
    on_each_version(async |session| {
        session.run("SELECT pgtrack.track('public')").await;
        session.run(DETACHED).await;
        session
            .run(
                "SELECT pgtrack.track('ev', '{\"exclude\": [\"s\"]}'); INSERT INTO ev VALUES (1, 'a'), (101, 'b'), (201, 'c'), (301, 'd');
                 CREATE FUNCTION take_away() RETURNS void LANGUAGE plpgsql AS $$BEGIN ALTER TABLE ev DETACH PARTITION evf; END$$",
            )
            .await;
        session.run("ALTER TABLE ev DETACH PARTITION ev1").await;
        session.run("ALTER TABLE ev DETACH PARTITION ev2 CONCURRENTLY").await;
        session.run("ALTER TABLE ev DETACH PARTITION evs; SELECT take_away()").await;
        session
            .check(
                "SELECT table_name, options -> 'exclude' FROM pgtrack.tracked_table ORDER BY 1",
                r#"
            public.ev|["s"]
            public.ev1|["s"]
            public.ev2|["s"]
            public.evf|["s"]
            public.evs|["s"]"#,
            )
            .await;
        session
            .run(
                "UPDATE ev1 SET v = 'x'; TRUNCATE ev2; UPDATE evs1 SET v = 'y'; DELETE FROM evf;
                 CREATE TABLE evs2 PARTITION OF evs FOR VALUES FROM (250) TO (300); INSERT INTO evs2 VALUES (260, 'z')",
            )
            .await;
        session
            .check(
                "SELECT table_name, operation, row_count FROM pgtrack.activity ORDER BY statement_id",
                "
            public.ev|INSERT|4
            public.ev1|UPDATE|1
            public.ev2|TRUNCATE|1
            public.evs|UPDATE|1
            public.evf|DELETE|1
            public.evs|INSERT|1",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify(gaps => false)", "").await;
    });
}

#[test]
fn a_table_that_is_attached_and_detached_keeps_what_was_recorded() {
    on_each_version(async |session| {
        session.run("SELECT pgtrack.track('public')").await;
        session.run(DETACHED).await;
        session.run("CREATE TABLE own (id int PRIMARY KEY, v text, s text); INSERT INTO own VALUES (501, 'a'); UPDATE own SET v = 'b'").await;
        session
            .run("ALTER TABLE ev ATTACH PARTITION own FOR VALUES FROM (500) TO (600); UPDATE ev SET v = 'c'")
            .await;
        session
            .check(
                "SELECT op, before ->> 'v' FROM pgtrack.history('own', 501)",
                "
            INSERT|~
            UPDATE|a",
            )
            .await;
        session
            .check("SELECT op, before ->> 'v' FROM pgtrack.history('ev', 501)", "UPDATE|b")
            .await;
        session.run("ALTER TABLE ev DETACH PARTITION own; UPDATE own SET v = 'd'").await;
        session
            .check(
                "SELECT op, before ->> 'v' FROM pgtrack.history('own', 501)",
                "
            INSERT|~
            UPDATE|a
            UPDATE|c",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify(gaps => false)", "").await;
    });
}

#[test]
fn what_is_detached_elsewhere_is_not_tracked_and_a_warning_says_so() {
    on_each_version(async |session| {
        session.run(DETACHED).await;
        session.run("SELECT pgtrack.track('ev'); INSERT INTO ev VALUES (1, 'a')").await;
        assert_eq!(
            session.notices("ALTER TABLE ev DETACH PARTITION ev1").await,
            [
                "public.ev1 is not tracked: it is no partition any more, and its schema is not tracked"
            ]
        );
        session.run("UPDATE ev1 SET v = 'b'").await;
        session.check("SELECT count(*) FROM pgtrack.statement", "1").await;
        session.check("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'ev1'::regclass", "0").await;
        assert!(session.notices("ALTER TABLE ev ADD COLUMN w int").await.is_empty());
    });
}

#[test]
fn a_partition_that_was_tracked_by_itself_is_in_nobody_s_way() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE p (id int, k int, v text, w text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
                 CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); SELECT pgtrack.track('public')",
            )
            .await;
        session.run("ALTER TABLE p DETACH PARTITION p1").await;
        session.run("ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1)").await;
        session.run("ALTER TABLE p DROP COLUMN v; ALTER TABLE p ALTER id TYPE bigint").await;
        session
            .run("ALTER TABLE p1 ALTER w SET DEFAULT 'x'; ALTER TABLE p1 ALTER w DROP DEFAULT")
            .await;
        session.run("INSERT INTO p VALUES (1, 1, 'a'); UPDATE p SET id = 2").await;
        session
            .check("SELECT count(*) FROM pgtrack.history_pk('p', '{\"id\": 2, \"k\": 1}')", "2")
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn a_partitioned_table_may_be_called_like_a_table_of_moves() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE moves (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k); CREATE TABLE m1 PARTITION OF moves FOR VALUES IN (1);
                 CREATE TABLE m2 PARTITION OF moves DEFAULT; SELECT pgtrack.track('moves'); INSERT INTO moves VALUES (1, 1); UPDATE moves SET k = 2; DROP TABLE moves",
            )
            .await;
        session.check("SELECT history_table FROM pgtrack.relation", "moves_1_2").await;
        session.check("SELECT count(*) FROM pgtrack_history.moves_1_2", "2").await;
    });
}

/// Who belongs to a table is found without locks, and is who PostgreSQL says.
#[test]
fn the_members_of_a_table_are_those_of_its_partition_tree() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b)) PARTITION BY RANGE (a);
                 CREATE TABLE p9 PARTITION OF p FOR VALUES FROM (90) TO (99) PARTITION BY LIST (b);
                 CREATE TABLE p91 PARTITION OF p9 FOR VALUES IN (1); CREATE TABLE p92 PARTITION OF p9 FOR VALUES IN (2);
                 CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY LIST (b);
                 CREATE TABLE p01 PARTITION OF p0 FOR VALUES IN (1); CREATE TABLE parent (a int); CREATE TABLE child () INHERITS (parent)",
            )
            .await;
        let differing = "SELECT c.relname FROM pg_class c
             WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
               AND ARRAY(SELECT (m.relid, m.is_leaf)::text FROM pgtrack._members(c.oid) m)
                <> ARRAY(SELECT (t.relid, t.isleaf)::text FROM pg_partition_tree(c.oid) t
                         UNION ALL SELECT (c.oid::regclass, true)::text WHERE c.relkind <> 'p' AND NOT c.relispartition)";
        session.check(differing, "").await;
        // One whose DETACH CONCURRENTLY was cancelled belongs to it no more.
        let reader = session.another().await;
        reader.run("BEGIN; SELECT FROM p").await;
        session.run("SET statement_timeout = '500ms'").await;
        let error = session.error("ALTER TABLE p DETACH PARTITION p9 CONCURRENTLY").await;
        assert!(error.starts_with("57014"), "{error}");
        reader.run("COMMIT").await;
        session.run("RESET statement_timeout").await;
        session.check(differing, "").await;
    });
}
