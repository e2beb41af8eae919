//! What stands in the way of a revert stops it as a whole.

use crate::support::on_each_version;

#[test]
fn case_32_a_broken_constraint_is_named_and_nothing_is_done() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, n int, v text, span int4range);
                 SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, NULL, 'a', '[1,5)'), (2, 50, 'a', '[4,9)')",
            )
            .await;
        session.run("UPDATE t SET n = id, v = id, span = NULL").await;
        for (constraint, error) in [
            ("ALTER TABLE t ALTER n SET NOT NULL", "23502: null value in column \"n\""),
            (
                "ALTER TABLE t ADD CONSTRAINT small CHECK (n < 10)",
                "violates check constraint \"small\"",
            ),
            (
                "CREATE UNIQUE INDEX one_v ON t (v) WHERE id < 9",
                "violates unique constraint \"one_v\"",
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT apart EXCLUDE USING gist (span WITH &&)",
                "violates exclusion constraint \"apart\"",
            ),
        ] {
            session.run(constraint).await;
            let raised = session
                .error("SELECT pgtrack.undo_transaction((SELECT max(xid) FROM pgtrack.log()))")
                .await;
            assert!(raised.contains(error), "{raised}");
            session
                .check(
                    "SELECT id, n, v, span FROM t ORDER BY id",
                    "
                1|1|1|~
                2|2|2|~",
                )
                .await;
            session.run("ALTER TABLE t ALTER n DROP NOT NULL; ALTER TABLE t DROP CONSTRAINT IF EXISTS small; DROP INDEX IF EXISTS one_v").await;
        }
    });
}

#[test]
fn case_53_version_0_is_before_the_row_and_an_earlier_moment_is_refused() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'").await;
        let error =
            session.error("SELECT pgtrack.rollback_to('t', 1, '2020-01-01'::timestamptz)").await;
        assert!(
            error.contains(
                "DETAIL: The row did not exist then.\nHINT: To remove it, undo its INSERT."
            ),
            "{error}"
        );
        session.check("SELECT action, after FROM pgtrack.plan_revert('t', 1, 0)", "delete|~").await;
        session.check("SELECT pgtrack.revert('t', 1, 0)", "public.t (id=1): row deleted").await;
        session.check("SELECT count(*) FROM t", "0").await;
    });
}

#[test]
fn case_56_the_insert_of_a_row_that_others_refer_to_is_not_undone() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int CONSTRAINT c_to_p REFERENCES p);
                 SELECT pgtrack.track('public'); INSERT INTO p VALUES (1), (2)",
            )
            .await;
        session.run("INSERT INTO c VALUES (10, 1)").await;
        for undo in ["undo('p', 1)", "undo_transaction((SELECT min(xid) FROM pgtrack.log()))"] {
            let error = session.error(&format!("SELECT pgtrack.{undo}")).await;
            assert!(
                error.starts_with("23503: update or delete on table \"p\" violates ")
                    && error.contains("\"c_to_p\" on table \"c\""),
                "{error}"
            );
        }
        session.check("SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c)", "2|1").await;
    });
}

#[test]
fn case_57_a_deleted_row_whose_key_was_taken_is_a_conflict() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        session.run("DELETE FROM t").await;
        session.run("INSERT INTO t VALUES (1, 'other')").await;
        let deletion = "SELECT pgtrack.undo_transaction((SELECT max(xid) FROM pgtrack.activity WHERE operation = 'DELETE'))";
        let error = session.error(deletion).await;
        assert!(error.starts_with("TK001: cannot undo transaction "), "{error}");
        let error = session.error("SELECT pgtrack.restore('t', 1)").await;
        assert!(error.starts_with("23505: public.t (id=1) exists"), "{error}");
        session.check("SELECT * FROM t", "1|other").await;
    });
}

#[test]
fn case_61_a_revert_waits_for_writers_as_long_as_lock_timeout_says() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'), (2, 'a')").await;
        session.run("SELECT pgtrack.tag('start')").await;
        session.run("UPDATE t SET v = 'b'").await;
        let writer = session.another().await;
        writer.run("BEGIN; UPDATE t SET v = 'c' WHERE id = 2").await;
        let error = session
            .error("SET lock_timeout = '100ms'; SELECT pgtrack.revert_table('t', 'start')")
            .await;
        assert!(error.starts_with("55P03: canceling statement due to lock timeout"), "{error}");
        session.check("SELECT v FROM t ORDER BY id", "b\nb").await;
        writer.run("COMMIT").await;
        session.run("SELECT pgtrack.revert_table('t', 'start')").await;
        session.check("SELECT v FROM t ORDER BY id", "a\na").await;
    });
}

#[test]
fn case_68_a_transaction_that_touched_a_table_the_caller_may_not_write_is_not_undone() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE mine (id int PRIMARY KEY, v text); CREATE TABLE yours (id int PRIMARY KEY, v text); SELECT pgtrack.track('public');
                 INSERT INTO mine VALUES (1, 'a'); INSERT INTO yours VALUES (1, 'a')",
            )
            .await;
        session.run("BEGIN; UPDATE mine SET v = 'b'; UPDATE yours SET v = 'b'; COMMIT").await;
        session.run("CREATE ROLE case_68 LOGIN; GRANT ALL ON mine TO case_68; GRANT SELECT ON yours TO case_68").await;
        let caller = session.another_as("case_68").await;
        let error = caller
            .error("SELECT pgtrack.undo_transaction((SELECT max(xid) FROM pgtrack.log()))")
            .await;
        assert!(error.starts_with("42501: permission denied for table yours"), "{error}");
        session.check("SELECT m.v, y.v FROM mine m, yours y", "b|b").await;
        session.run("DROP OWNED BY case_68; DROP ROLE case_68").await;
    });
}

#[test]
fn an_undo_that_a_trigger_keeps_from_its_rows_is_no_undo() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, gone boolean DEFAULT false); CREATE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                    UPDATE public.t SET gone = true WHERE id = OLD.id; RETURN NULL; END$$;
                  CREATE TRIGGER hide BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION hide(); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1)")
            .await;
        for undo in ["undo('t', 1)", "undo_transaction((SELECT xid FROM pgtrack.log(1)))"] {
            let error = session.error(&format!("SELECT pgtrack.{undo}")).await;
            assert!(error.starts_with("27000: 1 rows of public.t are as they were"), "{error}");
        }
        session.check("TABLE t", "1|f").await;
    });
}

#[test]
fn rows_of_partitions_that_go_as_well_are_no_obstacle() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a ON DELETE CASCADE) PARTITION BY RANGE (id);
                  CREATE TABLE b1 PARTITION OF b FOR VALUES FROM (0) TO (100); SELECT pgtrack.track('public')")
            .await;
        session.run("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1, 1)").await;
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session.check("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)", "0|0").await;
    });
}

/// A foreign key may refer to a partition, or be of one, alone: it acts on rows of others all the same, and no others.
#[test]
fn a_foreign_key_of_a_partition_takes_nothing_along() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE p (v int, id int, u int, PRIMARY KEY (v, id)) PARTITION BY LIST (v); CREATE TABLE p1 (id int NOT NULL, u int UNIQUE, v int NOT NULL);
                 ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
                 CREATE TABLE c (id int PRIMARY KEY, u int CONSTRAINT to_p1 REFERENCES p1 (u) ON DELETE CASCADE ON UPDATE SET NULL) PARTITION BY RANGE (id);
                 CREATE TABLE c1 PARTITION OF c DEFAULT; SELECT pgtrack.track('p')",
            )
            .await;
        session.run("INSERT INTO p VALUES (1, 1, 7), (2, 1, 7)").await;
        session.run("INSERT INTO c VALUES (1, 7)").await;
        for undo in [
            "undo_transaction((SELECT xid FROM pgtrack.log(1)))",
            "undo_pk('p', '{\"v\": 1, \"id\": 1}')",
        ] {
            let error = session.error(&format!("SELECT pgtrack.{undo}")).await;
            assert!(
                error.starts_with(
                    "23503: rows of public.c refer to rows of public.p that this would delete"
                ),
                "{undo}: {error}"
            );
        }
        // The row of the other partition has the value as well, and nobody refers to it.
        session.run("SELECT pgtrack.undo_pk('p', '{\"v\": 2, \"id\": 1}')").await;
        session.check("SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c)", "1|1").await;
        session.run("DELETE FROM c; UPDATE p SET u = 8").await;
        session.run("INSERT INTO c VALUES (1, 8)").await;
        let error = session.error("SELECT pgtrack.undo_pk('p', '{\"v\": 1, \"id\": 1}')").await;
        assert!(
            error.starts_with(
                "23503: rows of public.c refer to rows of public.p that this would give another key"
            ),
            "{error}"
        );
        session.run("TRUNCATE c, p; DROP TABLE c; CREATE TABLE c (id int PRIMARY KEY, u int) PARTITION BY RANGE (id)").await;
        // And a row of the set that a partition's own key would take along is in the set.
        session
            .run(
                "CREATE TABLE c1 (u int, id int NOT NULL); ALTER TABLE c ATTACH PARTITION c1 DEFAULT;
                 ALTER TABLE c1 ADD FOREIGN KEY (u) REFERENCES p1 (u) ON DELETE CASCADE; SELECT pgtrack.track('c')",
            )
            .await;
        session
            .run("BEGIN; INSERT INTO p VALUES (1, 1, 7); INSERT INTO c VALUES (1, 7); COMMIT")
            .await;
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session.check("SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM c)", "0|0").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

/// What a foreign key does to a row that the undo has set back is not what was planned.
#[test]
fn values_that_passed_on_under_a_foreign_key_that_follows_them_are_not_set_back() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE a (id int PRIMARY KEY, u int UNIQUE); CREATE TABLE c (id int PRIMARY KEY, u int REFERENCES a (u) ON UPDATE CASCADE);
                 SELECT pgtrack.track('public'); SELECT pgtrack.tag('before')",
            )
            .await;
        session
            .run("INSERT INTO a VALUES (1, 1), (2, 2), (3, 3); INSERT INTO c VALUES (1, 1), (3, 3)")
            .await;
        session.run("SELECT pgtrack.tag('made')").await;
        session
            .run("BEGIN; UPDATE a SET u = 6 WHERE id = 1; UPDATE a SET u = 1 WHERE id = 2; COMMIT")
            .await;
        for undo in [
            "undo_transaction((SELECT xid FROM pgtrack.log(1)))",
            "revert_schema('public', 'made')",
        ] {
            let error = session.error(&format!("SELECT pgtrack.{undo}")).await;
            assert!(
                error.starts_with(
                    "27000: foreign keys changed 1 rows of public.c that were set back"
                ),
                "{error}"
            );
        }
        session
            .check("SELECT id, u FROM a UNION ALL TABLE c ORDER BY 1, 2", "1|6\n1|6\n2|1\n3|3\n3|3")
            .await;
        // One after another it can be done, and a value that nobody else had is no matter.
        session.run("UPDATE a SET u = 2 WHERE id = 2; UPDATE a SET u = 1 WHERE id = 1").await;
        session.run("UPDATE a SET u = u + 10; SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session
            .check("SELECT id, u FROM a UNION ALL TABLE c ORDER BY 1, 2", "1|1\n1|1\n2|2\n3|3\n3|3")
            .await;
        session.run("SELECT pgtrack.revert_schema('public', 'before')").await;
        session.check("SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM c)", "0|0").await;
    });
}

/// A key that follows another may be one that others refer to.
#[test]
fn rows_that_follow_a_key_make_no_others_forget_them() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY REFERENCES p ON UPDATE CASCADE);
                 CREATE TABLE d (id int PRIMARY KEY REFERENCES c ON UPDATE CASCADE); CREATE TABLE g (id int PRIMARY KEY, d int REFERENCES d ON UPDATE SET NULL);
                 SELECT pgtrack.track('p')",
            )
            .await;
        session.run("INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (1); INSERT INTO d VALUES (1); INSERT INTO g VALUES (2, NULL)").await;
        session.run("UPDATE p SET id = 5 WHERE id = 1").await;
        session.run("INSERT INTO g VALUES (1, 5)").await;
        for undo in ["undo_transaction((SELECT xid FROM pgtrack.log(1)))", "undo('p', 5)"] {
            let error = session.error(&format!("SELECT pgtrack.{undo}")).await;
            assert!(error.starts_with("23503: rows may be made to forget rows of public.d whose keys this would change"), "{undo}: {error}");
        }
        // Where nobody refers to them, nobody forgets.
        session.run("DELETE FROM g WHERE id = 1; SELECT pgtrack.undo('p', 5)").await;
        session
            .check(
                "SELECT (SELECT min(id) FROM p), (SELECT id FROM c), (SELECT id FROM d)",
                "1|1|1",
            )
            .await;
        // Those that forgot because of the change remember again.
        session.run("SELECT pgtrack.track('public')").await;
        session.run("INSERT INTO g VALUES (1, 1)").await;
        session.run("UPDATE p SET id = 5 WHERE id = 1").await;
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session.check("SELECT (SELECT min(id) FROM p), (SELECT id FROM c), (SELECT id FROM d), (SELECT d FROM g WHERE id = 1)", "1|1|1|1").await;
        // A table on the way is not looked into as somebody else than its owner.
        session.run("CREATE ROLE owns_the_middle; ALTER TABLE c OWNER TO owns_the_middle; UPDATE p SET id = 5 WHERE id = 1").await;
        let error = session.error("SELECT pgtrack.undo('p', 5)").await;
        assert!(
            error.contains(
                "whether others refer to them, in tables of several owners, is not looked for"
            ),
            "{error}"
        );
        session.run("DROP OWNED BY owns_the_middle CASCADE; DROP ROLE owns_the_middle").await;
    });
}

/// Foreign keys act on rows whatever policies hide.
#[test]
fn rows_that_policies_hide_are_not_taken_along() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE ROLE hides_rows; GRANT CREATE ON SCHEMA public TO hides_rows; SET ROLE hides_rows; CREATE TABLE p (id int PRIMARY KEY);
                 CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE); ALTER TABLE c ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
                 CREATE POLICY none ON c USING (false); RESET ROLE; SELECT pgtrack.track('p'); INSERT INTO p VALUES (1)",
            )
            .await;
        session.run("INSERT INTO c VALUES (1, 1)").await;
        for role in ["NONE", "hides_rows"] {
            session.run(&format!("SET ROLE {role}")).await;
            let error = session.error("SELECT pgtrack.undo('p', 1)").await;
            assert!(
                error.starts_with(
                    "42501: cannot tell whether rows of public.c would be deleted or changed too"
                ),
                "{role}: {error}"
            );
        }
        session.run("RESET ROLE; ALTER TABLE c NO FORCE ROW LEVEL SECURITY").await;
        let error = session.error("SELECT pgtrack.undo('p', 1)").await;
        assert!(
            error.starts_with(
                "23503: rows of public.c refer to rows of public.p that this would delete"
            ),
            "{error}"
        );
        session.run("DELETE FROM c; SELECT pgtrack.undo('p', 1)").await;
        session.check("SELECT count(*) FROM p", "0").await;
        session.run("DROP OWNED BY hides_rows CASCADE; DROP ROLE hides_rows").await;
    });
}

/// It comes back with the table that it refers to.
#[test]
fn a_foreign_key_to_a_partition_is_kept() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE p (v int, id int, PRIMARY KEY (v, id)) PARTITION BY LIST (v); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
                 CREATE TABLE c (id int PRIMARY KEY, v int, p int, CONSTRAINT to_p1 FOREIGN KEY (v, p) REFERENCES p1); SELECT pgtrack.track('p');
                 INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1, 1); SELECT pgtrack.keep('p'); DROP TABLE p CASCADE; SELECT pgtrack.recover('p')",
            )
            .await;
        session.check("SELECT conrelid::regclass, confrelid::regclass FROM pg_constraint WHERE conname = 'to_p1' AND conparentid = 0", "c|p1").await;
    });
}

#[test]
fn a_table_goes_back_whole_or_the_transaction_is_to_be_tried_again() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1); SELECT pgtrack.track('t')").await;
        session.run("SELECT pgtrack.tag('start')").await;
        let old = session.another().await;
        old.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM t").await;
        session.run("INSERT INTO t VALUES (2, 2)").await;
        let error = old.error("SELECT pgtrack.revert_table('t', 'start')").await;
        assert!(error.starts_with("40001: could not serialize access"), "{error}");
    });
}
