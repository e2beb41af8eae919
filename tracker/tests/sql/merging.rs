//! MERGE on partitioned tables: what it moves is recorded as the UPDATE that it is, whatever else it does.

use crate::support::{Session, on_outer_versions};

/// A table in two levels of partitions; the columns of one stand in another order.
const TREE: &str = "
    CREATE TABLE t (a int, b int, id int, v text, n int, PRIMARY KEY (a, b, id)) PARTITION BY LIST (a);
    CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
    CREATE TABLE t2 (v text, gone int, n int, id int NOT NULL, b int NOT NULL, a int NOT NULL) PARTITION BY RANGE (b);
    ALTER TABLE t2 DROP COLUMN gone; ALTER TABLE t ATTACH PARTITION t2 FOR VALUES IN (2);
    CREATE TABLE t2a PARTITION OF t2 FOR VALUES FROM (0) TO (5); CREATE TABLE t2b PARTITION OF t2 FOR VALUES FROM (5) TO (100);
    CREATE TABLE t3 PARTITION OF t FOR VALUES IN (3, 4) PARTITION BY HASH (id);
    CREATE TABLE t3a PARTITION OF t3 FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE t3b PARTITION OF t3 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    SELECT pgtrack.track('t')";

async fn activity(session: &Session, expected: &str) {
    session
        .check("SELECT operation, row_count FROM pgtrack.activity ORDER BY statement_id", expected)
        .await;
}

/// Nothing is missing, no note is left, and an undo of the latest transaction leads back to the point `before`.
async fn is_undone_to(session: &Session, point: &str) {
    session.check("SELECT * FROM pgtrack.verify()", "").await;
    session.check("SELECT count(*) FROM pgtrack_history.moves_1", "0").await;
    session.run("CREATE TABLE present AS TABLE t; SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)").await;
    session
        .check(&format!("TABLE t EXCEPT ALL SELECT * FROM pgtrack.as_of(NULL::t, '{point}')"), "")
        .await;
    session
        .check(&format!("SELECT * FROM pgtrack.as_of(NULL::t, '{point}') EXCEPT ALL TABLE t"), "")
        .await;
    session.run("SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)").await;
    session.check("TABLE t EXCEPT ALL TABLE present", "").await;
    session.check("SELECT * FROM pgtrack.verify()", "").await;
}

#[test]
fn a_row_that_merge_moves_is_recorded_as_updated() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session.run("INSERT INTO t VALUES (1, 1, 1, 'one', 0), (1, 2, 2, 'two', 0)").await;
        session.run("SELECT pgtrack.tag(\'p\')").await;
        session
            .run("MERGE INTO t USING (VALUES (1)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 2, b = 9, v = 'moved'")
            .await;
        activity(&session, "INSERT|2\nUPDATE|1").await;
        session
            .check(
                r#"SELECT ver, op, before ->> 'v', after ->> 'v' FROM pgtrack.history('t', '{"a": 2, "b": 9, "id": 1}')"#,
                "
            1|INSERT|~|one
            2|UPDATE|one|moved",
            )
            .await;
        is_undone_to(&session, "p").await;
    });
}

#[test]
fn a_merge_that_inserts_and_updates_changes_no_key() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session.run("INSERT INTO t VALUES (1, 4, 4, 'old', 0)").await;
        session.run("SELECT pgtrack.tag(\'p\')").await;
        session
            .run("MERGE INTO t USING (VALUES (3, 2, 2), (1, 4, 4)) s (a, b, id) ON t.id = s.id
                  WHEN MATCHED THEN UPDATE SET v = 'new' WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b, s.id, 'new', 0)")
            .await;
        session.check("SELECT * FROM pgtrack.key_change", "").await;
        activity(&session, "INSERT|1\nUPDATE|1\nINSERT|1").await;
        is_undone_to(&session, "p").await;
    });
}

#[test]
fn every_action_of_a_merge_is_counted_where_it_belongs() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session.run("INSERT INTO t SELECT 1, g, g, 'v', g FROM generate_series(1, 8) g").await;
        session.run("SELECT pgtrack.tag('p')").await;
        session
            .run("MERGE INTO t USING (SELECT generate_series(1, 10)) s (id) ON t.id = s.id
                  WHEN MATCHED AND n IN (1, 2) THEN UPDATE SET a = 2 WHEN MATCHED AND n = 3 THEN UPDATE SET b = b + 100
                  WHEN MATCHED AND n = 4 THEN UPDATE SET v = 'stays' WHEN MATCHED AND n IN (5, 6, 7) THEN DELETE
                  WHEN NOT MATCHED THEN INSERT VALUES (3, 0, s.id, 'new', 0)")
            .await;
        activity(&session, "INSERT|8\nDELETE|3\nUPDATE|4\nINSERT|2").await;
        session
            .check("SELECT old_key ->> 'id', new_key ->> 'a', new_key ->> 'b' FROM pgtrack.key_change ORDER BY 1", "1|2|1\n2|2|2\n3|1|103")
            .await;
        is_undone_to(&session, "p").await;
    });
}

#[test]
fn a_merge_may_return_rows_and_have_actions_for_what_the_source_lacks() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        if session.rows("SELECT current_setting('server_version_num')::int >= 170000").await == "f"
        {
            return;
        }
        session.run("INSERT INTO t SELECT 1, g, g, 'v', g FROM generate_series(1, 4) g").await;
        session.run("SELECT pgtrack.tag(\'p\')").await;
        session
            .run("MERGE INTO t USING (VALUES (1), (9)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 3
                  WHEN NOT MATCHED BY SOURCE AND n = 2 THEN UPDATE SET a = 2, v = 'lacking' WHEN NOT MATCHED BY SOURCE AND n = 3 THEN DELETE
                  WHEN NOT MATCHED THEN INSERT VALUES (4, 0, s.id, 'new', 0) RETURNING t.id")
            .await;
        activity(&session, "INSERT|4\nDELETE|1\nUPDATE|2\nINSERT|1").await;
        is_undone_to(&session, "p").await;
    });
}

#[test]
fn triggers_that_change_or_swallow_moving_rows_have_the_last_word() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session
            .run("CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                    IF TG_OP = 'UPDATE' THEN
                      IF new.v = 'stay' THEN new.a := old.a; new.b := old.b; END IF;
                      IF new.v = 'go' THEN new.a := 4; END IF;
                      RETURN CASE WHEN new.v <> 'never' THEN new END;
                    ELSIF TG_OP = 'DELETE' THEN RETURN CASE WHEN old.v <> 'keep' THEN old END;
                    END IF;
                    IF new.v = 'other' THEN new.b := 77; END IF;
                    RETURN CASE WHEN new.v <> 'lost' THEN new END;
                  END$$;
                  CREATE TRIGGER zz_meddle BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION meddle();
                  INSERT INTO t SELECT 1, g, g, CASE g WHEN 6 THEN 'keep' ELSE 'v' END, g FROM generate_series(1, 8) g")
            .await;
        session.run("SELECT pgtrack.tag(\'p\')").await;
        session
            .run("MERGE INTO t USING (VALUES (1, 'stay'), (2, 'go'), (3, 'never'), (4, 'lost'), (5, 'other'), (6, 'kept'), (7, 'plain'), (20, 'new')) s (id, v)
                  ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 2, v = s.v WHEN NOT MATCHED THEN INSERT VALUES (3, 0, s.id, s.v, 0)")
            .await;
        session
            .check("SELECT a, b, id, v FROM t ORDER BY id", "1|1|1|stay\n4|2|2|go\n1|3|3|v\n2|77|5|other\n1|6|6|keep\n2|7|7|plain\n1|8|8|v\n3|0|20|new")
            .await;
        // The lost one is recorded first.
        activity(&session, "INSERT|8\nDELETE|1\nUPDATE|4\nINSERT|1").await;
        session
            .check(
                "SELECT new_key FROM pgtrack.key_change ORDER BY new_key -> 'id'",
                r#"
            {"a": 4, "b": 2, "id": 2}
            {"a": 2, "b": 77, "id": 5}
            {"a": 2, "b": 7, "id": 7}"#,
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.check("SELECT count(*) FROM pgtrack_history.moves_1", "0").await;
        session.check("SELECT count(*) FROM pgtrack.as_of(NULL::t, 'p') WHERE a = 1", "8").await;
    });
}

#[test]
fn statements_inside_a_moving_one_keep_their_rows_apart() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session
            .run("CREATE FUNCTION f(i int) RETURNS text LANGUAGE plpgsql AS $$BEGIN
                    IF i = 2 THEN MERGE INTO t USING (VALUES (11)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 3; END IF;
                    IF i = 3 THEN UPDATE t SET v = 'inner' WHERE id = 12; END IF;
                    RETURN 'f'; END$$;
                  INSERT INTO t SELECT 1, g, g, 'v', g FROM generate_series(1, 4) g; INSERT INTO t VALUES (1, 11, 11, 'v', 0), (1, 12, 12, 'v', 0)")
            .await;
        session.run("SELECT pgtrack.tag(\'p\')").await;
        session.run("UPDATE t SET a = 2, v = f(id) WHERE id < 5").await;
        activity(&session, "INSERT|4\nINSERT|2\nUPDATE|1\nUPDATE|1\nUPDATE|4").await;
        session
            .check("SELECT count(*), count(DISTINCT old_key) FROM pgtrack.key_change", "5|5")
            .await;
        is_undone_to(&session, "p").await;
    });
}

#[test]
fn merges_of_one_transaction_and_abandoned_ones_do_not_mix() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session.run("INSERT INTO t VALUES (1, 1, 1, 'v', 0), (1, 2, 2, 'v', 0)").await;
        session.run("SELECT pgtrack.tag(\'p\')").await;
        let merge = |id: u8, a: u8| {
            format!(
                "MERGE INTO t USING (VALUES ({id})) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = {a} WHEN NOT MATCHED THEN INSERT VALUES ({a}, 0, {id}, 'n', 0);"
            )
        };
        session
            .run(&format!(
                "BEGIN; SAVEPOINT s; {} ROLLBACK TO s; {} {} DELETE FROM t WHERE id = 2; {} {} SET pgtrack.open = ''; {} COMMIT",
                merge(1, 2), merge(2, 3), merge(2, 2), merge(2, 3), merge(2, 1), merge(1, 4)
            ))
            .await;
        session.check("SELECT a, b, id FROM t ORDER BY id", "4|1|1\n1|0|2").await;
        is_undone_to(&session, "p").await;
    });
}

#[test]
fn a_generated_column_of_the_key_moves_along() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE g (k int, id int, c int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (k, c)) PARTITION BY LIST (k);
                  CREATE TABLE g1 PARTITION OF g FOR VALUES IN (1); CREATE TABLE g2 PARTITION OF g FOR VALUES IN (2);
                  SELECT pgtrack.track('g'); INSERT INTO g VALUES (1, 1), (1, 2); UPDATE g SET k = 2, id = 5 WHERE id = 1;
                  MERGE INTO g USING (VALUES (2), (7)) s (i) ON g.id = s.i WHEN MATCHED THEN UPDATE SET k = 2 WHEN NOT MATCHED THEN INSERT VALUES (1, s.i)")
            .await;
        session
            .check(
                "SELECT old_key, new_key FROM pgtrack.key_change ORDER BY change_id",
                r#"
            {"c": 2, "k": 1}|{"c": 10, "k": 2}
            {"c": 4, "k": 1}|{"c": 4, "k": 2}"#,
            )
            .await;
        activity(&session, "INSERT|2\nUPDATE|1\nUPDATE|1\nINSERT|1").await;
    });
}

#[test]
fn many_moves_one_by_one_are_recorded_as_the_first_is() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session
            .run("INSERT INTO t SELECT 1, g % 90, g, 'v', g FROM generate_series(1, 400) g")
            .await;
        session.run("SELECT pgtrack.tag(\'p\')").await;
        // Every second one of the third kind is rolled back.
        session
            .run("DO $$BEGIN
                    FOR i IN 1..300 LOOP
                      IF i % 3 = 0 THEN UPDATE t SET a = 2 WHERE id = i;
                      ELSIF i % 3 = 1 THEN
                        MERGE INTO t USING (VALUES (i), (1000 + i)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 3
                        WHEN NOT MATCHED THEN INSERT VALUES (1, 0, s.id, 'new', 0);
                      ELSE
                        BEGIN
                          MERGE INTO t USING (VALUES (i), (i + 1)) s (id) ON t.id = s.id WHEN MATCHED AND t.n % 2 = 0 THEN DELETE
                          WHEN MATCHED THEN UPDATE SET a = 4;
                          IF i % 2 = 0 THEN RAISE EXCEPTION division_by_zero; END IF;
                        EXCEPTION WHEN division_by_zero THEN NULL;
                        END;
                      END IF;
                    END LOOP;
                  END$$")
            .await;
        session
            .check(
                "SELECT operation, sum(row_count) FROM pgtrack.activity GROUP BY 1 ORDER BY 1",
                "DELETE|50\nINSERT|500\nUPDATE|200",
            )
            .await;
        is_undone_to(&session, "p").await;
    });
}

#[test]
fn a_key_that_a_merge_has_moved_a_row_to_can_be_inserted_again() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session.run("INSERT INTO t VALUES (1, 1, 1, 'v', 0)").await;
        let again = |a: u8, between: &str| {
            format!(
                "BEGIN; MERGE INTO t USING (VALUES (1)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = {a};
                 {between}; INSERT INTO t VALUES ({a}, 1, 1, 'again', 0); COMMIT"
            )
        };
        session.run(&again(2, "TRUNCATE t")).await;
        session.run(&again(1, "DELETE FROM t")).await;
        session
            .run(&again(2, "ALTER TABLE t DETACH PARTITION t2; CREATE TABLE t2x PARTITION OF t FOR VALUES IN (2)"))
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session
            .check(
                "SELECT operation, row_count FROM pgtrack.activity ORDER BY statement_id",
                "INSERT|1\nUPDATE|1\nTRUNCATE|1\nINSERT|1\nUPDATE|1\nDELETE|1\nINSERT|1\nUPDATE|1\nINSERT|1",
            )
            .await;
    });
}

#[test]
fn a_trigger_between_the_update_and_the_insert_of_a_merge_does_not_mix_them() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session.run("INSERT INTO t SELECT 1, g, g, 'v', g FROM generate_series(1, 4) g").await;
        session.run("SELECT pgtrack.tag('p')").await;
        session
            .run("CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                    IF pg_trigger_depth() = 1 THEN
                      MERGE INTO t USING (VALUES (3), (30)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 4
                      WHEN NOT MATCHED THEN INSERT VALUES (1, 0, s.id, 'inner', 0);
                    END IF;
                    RETURN NULL; END$$;
                  CREATE TRIGGER zz_again AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION again()")
            .await;
        session
            .run("MERGE INTO t USING (VALUES (1), (2), (20)) s (id) ON t.id = s.id WHEN MATCHED AND t.n = 2 THEN DELETE
                  WHEN MATCHED THEN UPDATE SET a = 2 WHEN NOT MATCHED THEN INSERT VALUES (3, 0, s.id, 'outer', 0)")
            .await;
        session
            .check(
                "SELECT operation, sum(row_count) FROM pgtrack.activity GROUP BY 1 ORDER BY 1",
                "DELETE|1\nINSERT|6\nUPDATE|2",
            )
            .await;
        session.run("DROP TRIGGER zz_again ON t").await;
        is_undone_to(&session, "p").await;
    });
}

#[test]
fn notes_of_moving_rows_follow_the_table_and_hold_on_to_no_type() {
    on_outer_versions(async |session| {
        session
            .run("CREATE EXTENSION hstore;
                  CREATE TABLE x (a int, id int, v text, h hstore, PRIMARY KEY (a, id)) PARTITION BY LIST (a);
                  CREATE TABLE x1 PARTITION OF x FOR VALUES IN (1); CREATE TABLE x2 PARTITION OF x FOR VALUES IN (2);
                  SELECT pgtrack.track('x'); INSERT INTO x SELECT 1, g, 'v', 'a=>1' FROM generate_series(1, 6) g")
            .await;
        let moved = |id: u8| {
            format!(
                "MERGE INTO x USING (VALUES ({id})) s (id) ON x.id = s.id WHEN MATCHED THEN UPDATE SET a = 2"
            )
        };
        session.run(&moved(1)).await;
        session.run("ALTER TABLE x ADD COLUMN w int DEFAULT 5; ALTER TABLE x ALTER COLUMN v TYPE varchar(40)").await;
        session.run(&moved(2)).await;
        session
            .run("ALTER TABLE x DROP COLUMN h; ALTER TABLE x RENAME COLUMN w TO ww; SELECT pgtrack.release_type('hstore'); DROP EXTENSION hstore")
            .await;
        session.run(&moved(3)).await;
        session.run("ALTER TABLE x ALTER COLUMN id TYPE bigint").await;
        session.run(&moved(4)).await;
        session.run("SELECT pgtrack.untrack('x'); SELECT pgtrack.track('x')").await;
        session.run(&moved(5)).await;
        activity(&session, "INSERT|6\nUPDATE|1\nUPDATE|1\nUPDATE|1\nUPDATE|1\nUPDATE|1").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.run("DROP TABLE x").await;
        session.check("SELECT to_regclass('pgtrack_history.moves_1')", "~").await;
    });
}

#[test]
fn a_merge_that_moves_rows_is_refused_where_postgres_does_not_count() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session
            .run(
                "INSERT INTO t VALUES (1, 1, 1, 'v', 0), (1, 2, 2, 'v', 0); SET track_counts = off",
            )
            .await;
        session.run("UPDATE t SET a = 2 WHERE id = 1").await;
        session.check("SELECT count(*) FROM pgtrack.key_change", "1").await;
        let error = session
            .error("MERGE INTO t USING (VALUES (2)) s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 2")
            .await;
        assert!(error.contains("track_counts"), "{error}");
    });
}

/// One random statement; one that would break a constraint leaves no trace.
const STEP: &str = "
    CREATE TABLE copy AS SELECT 0 AS i, t.* FROM t;
    CREATE FUNCTION step(i int) RETURNS void LANGUAGE plpgsql AS $step$
    DECLARE
      sets    text[] := ARRAY['a = 1 + t.a % 4', 'b = s.b', 'a = s.a, b = s.b', 'v = s.v', 'id = s.id + 10 * s.b', 'v = s.v, a = s.a'];
      source  text := format('(SELECT DISTINCT ON (id) * FROM (SELECT 1 + (x * 7 + %1$s) %% 4 AS a, (x * %2$s) %% 10 AS b, 1 + (x * %3$s) %% 14 AS id, ''w'' || x AS v
                                FROM generate_series(1, 7) x) s ORDER BY id) s', floor(random() * 9), 1 + floor(random() * 9), 1 + floor(random() * 12));
    BEGIN
      EXECUTE format((ARRAY[
        'MERGE INTO t USING %1$s ON t.id = s.id WHEN MATCHED AND t.n < %2$s THEN UPDATE SET %3$s WHEN MATCHED AND t.n > %4$s THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b, s.id, s.v, s.b)',
        'MERGE INTO t USING %1$s ON t.id = s.id WHEN MATCHED AND t.n <> %2$s THEN UPDATE SET %3$s',
        'MERGE INTO t USING %1$s ON t.id = s.id AND t.a = s.a WHEN MATCHED AND t.n > %2$s THEN UPDATE SET %3$s WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b, s.id, s.v, s.b)',
        'UPDATE t SET %3$s FROM %1$s WHERE t.id = s.id',
        'INSERT INTO t SELECT s.a, s.b, s.id, s.v, s.b FROM %1$s ON CONFLICT (a, b, id) DO UPDATE SET v = excluded.v'])[1 + floor(random() * 5)],
        source, floor(random() * 9), sets[1 + floor(random() * 6)], floor(random() * 9));
    EXCEPTION WHEN unique_violation THEN NULL;
    END
    $step$";

#[test]
fn random_statements_on_a_tree_leave_every_point_as_it_was() {
    on_outer_versions(async |session| {
        session.run(TREE).await;
        session.run(STEP).await;
        session
            .run("SELECT setseed(0.4); INSERT INTO t SELECT 1 + g % 4, g, g, 'v', g FROM generate_series(1, 12) g")
            .await;
        for i in 1..=60 {
            session.run(&format!("SELECT pgtrack.tag('p{i}')")).await;
            session
                .run(&format!("INSERT INTO copy SELECT {i}, t.* FROM t; SELECT step({i})"))
                .await;
        }
        for i in 1..=60 {
            let (then, now) = (
                format!("SELECT a, b, id, v, n FROM copy WHERE i = {i}"),
                format!("SELECT * FROM pgtrack.as_of(NULL::t, 'p{i}')"),
            );
            session
                .check(&format!("SELECT {i} WHERE EXISTS (({then}) EXCEPT ALL ({now}))"), "")
                .await;
            session
                .check(&format!("SELECT {i} WHERE EXISTS (({now}) EXCEPT ALL ({then}))"), "")
                .await;
        }
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.run("SELECT pgtrack.revert_table('t', 'p1')").await;
        session.check("TABLE t EXCEPT ALL SELECT a, b, id, v, n FROM copy WHERE i = 1", "").await;
        session.check("SELECT a, b, id, v, n FROM copy WHERE i = 1 EXCEPT ALL TABLE t", "").await;
    });
}
