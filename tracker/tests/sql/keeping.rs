//! Keeping the rows of a table before it is dropped, and bringing it back.

use crate::support::on_outer_versions;

#[test]
fn case_51_a_dropped_table_comes_back_with_its_rows_and_its_history() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE parent (id int PRIMARY KEY);
                 INSERT INTO parent VALUES (1);
                 CREATE TABLE t (id serial PRIMARY KEY, v text NOT NULL DEFAULT 'x', w numeric(5,2) CHECK (w > 0), u text UNIQUE,
                                 p int DEFAULT 1 REFERENCES parent, twice numeric GENERATED ALWAYS AS (w * 2) STORED);
                 CREATE INDEX t_v ON t (v); SELECT pgtrack.track('t');
                 INSERT INTO t (v, w) VALUES ('a', 1), ('b', 2); UPDATE t SET v = v || '!' WHERE id = 1;
                 SELECT pgtrack.keep('t'); DROP TABLE t",
            )
            .await;
        let error = session.error("SELECT * FROM pgtrack.history('t', 1)").await;
        assert!(error.starts_with("42P01: table \"t\" does not exist"), "{error}");
        session
            .check(
                "SELECT regexp_replace(pgtrack.recover('t'), 'as of [^,]*', 'as of …')",
                "public.t: created again with 2 rows, as of …, and tracked",
            )
            .await;
        session
            .check(
                "SELECT id, v, w, p, twice FROM t ORDER BY id",
                "
            1|a!|1.00|1|2.00
            2|b|2.00|1|4.00",
            )
            .await;
        session.check("INSERT INTO t (w) VALUES (3) RETURNING id, v", "3|x").await;
        for wrong in [
            "INSERT INTO t (w) VALUES (-1)",
            "INSERT INTO t (p) VALUES (99)",
            "INSERT INTO t (id) VALUES (1)",
            "UPDATE t SET v = NULL",
        ] {
            session.error(wrong).await;
        }
        session.check("SELECT count(*) FROM pg_indexes WHERE tablename = 't'", "3").await;
        session
            .check(
                "SELECT ver, op, after ->> 'v' FROM pgtrack.history('t', 1)",
                "
            1|INSERT|a
            2|UPDATE|a!",
            )
            .await;
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT v FROM t WHERE id = 1", "a").await;
    });
}

#[test]
fn a_dropped_column_comes_back_with_its_values() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text, w numeric(5,2) DEFAULT 7); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a', 1.50), (2, 'b', 2); SELECT pgtrack.keep('t');
                 ALTER TABLE t DROP COLUMN w; INSERT INTO t VALUES (3, 'c'); UPDATE t SET v = 'later' WHERE id = 2; SELECT pgtrack.recover('t', 'w')",
            )
            .await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a|1.50
            2|later|2.00
            3|c|7.00",
            )
            .await;
    });
}

#[test]
fn what_was_not_kept_cannot_come_back() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t'); SELECT pgtrack.keep('t')").await;
        let error = session.error("SELECT pgtrack.recover('t')").await;
        assert!(error.starts_with("42P07: table public.t exists"), "{error}");
        let error = session.error("SELECT pgtrack.recover('t', 'nope')").await;
        assert!(
            error.starts_with("42703: column \"nope\" of public.t cannot be recovered"),
            "{error}"
        );
        let error = session.error("SELECT pgtrack.recover('unknown')").await;
        assert!(error.starts_with("P0002: no rows of table \"unknown\" were kept"), "{error}");
        session.run("CREATE ROLE stranger LOGIN; GRANT SELECT ON t TO stranger").await;
        let stranger = session.another_as("stranger").await;
        let error = stranger.error("SELECT pgtrack.keep('t')").await;
        assert!(error.starts_with("42501: permission denied for function _keep"), "{error}");
        session.run("DROP OWNED BY stranger; DROP ROLE stranger").await;
    });
}

/// What a table is besides its rows, as the catalogs have it.
const DEFINITION: &str = "SELECT jsonb_pretty(pgtrack._definition('t'))";

#[test]
fn a_recovered_table_has_its_rights_policies_triggers_comments_and_the_foreign_keys_of_others() {
    on_outer_versions(async |session| {
        session
            .run("CREATE ROLE recovered_reader;
                 CREATE TABLE t (id int PRIMARY KEY, owner text, v text COLLATE \"C\") WITH (fillfactor = 70);
                 CREATE TABLE other (id int PRIMARY KEY, t int REFERENCES t ON DELETE CASCADE);
                 ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
                 CREATE POLICY p ON t FOR SELECT TO recovered_reader USING (owner = current_user);
                 CREATE POLICY q ON t AS RESTRICTIVE FOR UPDATE USING (id > 3) WITH CHECK (id > 4);
                 CREATE POLICY r ON t FOR INSERT WITH CHECK (true);
                 GRANT SELECT (id, owner), UPDATE ON t TO recovered_reader WITH GRANT OPTION; REVOKE TRIGGER ON t FROM current_user;
                 COMMENT ON TABLE t IS 'it''s'; COMMENT ON COLUMN t.v IS 'hush';
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := NEW.v || ''!''; RETURN NEW; END';
                 CREATE TRIGGER f BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f();
                 CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t DISABLE TRIGGER g;
                 CREATE RULE never AS ON DELETE TO t WHERE old.id = 77 DO INSTEAD NOTHING;
                 CREATE VIEW shown AS SELECT * FROM t;
                 INSERT INTO t VALUES (1, 'x', 'a'), (2, 'y', 'b'); INSERT INTO other VALUES (1, 1);
                 SELECT pgtrack.track('t')")
            .await;
        let before = session.rows(DEFINITION).await;
        session
            .check(
                "SELECT regexp_replace(pgtrack.keep('t'), '_kept_[0-9_]+', '')",
                "public.t: 2 rows kept in pgtrack_history.t; pgtrack.recover() does not bring back the view public.shown",
            )
            .await;
        session
            .run("DROP TABLE t CASCADE; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO recovered_reader; SELECT pgtrack.recover('t')")
            .await;
        assert_eq!(session.rows(DEFINITION).await, before);
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|x|a!
            2|y|b!",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        session.run("DROP OWNED BY recovered_reader; DROP ROLE recovered_reader").await;
    });
}

#[test]
fn a_recovered_table_has_its_partitions() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
                 CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10) PARTITION BY LIST (id);
                 CREATE TABLE t11 PARTITION OF t1 FOR VALUES IN (1, 2) WITH (fillfactor = 50); CREATE TABLE t1_other PARTITION OF t1 DEFAULT;
                 CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20);
                 CREATE INDEX \"on v\" ON t (v); CREATE INDEX of_t2 ON t2 (id);
                 INSERT INTO t VALUES (1, 1, 'a'), (5, 5, 'b'), (7, 15, 'c'); SELECT pgtrack.track('t'); UPDATE t SET v = v || '!'",
            )
            .await;
        let before = session.rows(DEFINITION).await;
        session
            .check(
                "SELECT regexp_replace(pgtrack.keep('t'), '_kept_[0-9_]+', '')",
                "public.t: 3 rows kept in pgtrack_history.t; pgtrack.recover() does not bring back \
                 the index public.of_t2 of the partition public.t2 alone",
            )
            .await;
        session.run("DROP TABLE t; SELECT pgtrack.recover('t')").await;
        assert_eq!(session.rows(DEFINITION).await, before);
        session
            .check(
                "SELECT tableoid::regclass, * FROM t ORDER BY id",
                "
            t11|1|1|a!
            t1_other|5|5|b!
            t2|7|15|c!",
            )
            .await;
        session.check("SELECT count(*) FROM pg_index WHERE NOT indisvalid", "0").await;
        session
            .check("SELECT ver, op FROM pgtrack.history('t', '{\"id\": 7, \"k\": 15}')", "1|UPDATE")
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn what_a_recovered_table_cannot_have_again_gives_nobody_a_right() {
    on_outer_versions(async |session| {
        session
            .run("CREATE ROLE recovered_other; CREATE ROLE recovered_gone;
                 CREATE FUNCTION is_open(text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
                 CREATE TABLE t (id int PRIMARY KEY, owner text); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY everything ON t USING (true); CREATE POLICY own ON t AS RESTRICTIVE USING (is_open(owner));
                 GRANT SELECT ON t TO recovered_other, recovered_gone;
                 INSERT INTO t VALUES (1, 'x'); SELECT pgtrack.track('t'); SELECT pgtrack.keep('t');
                 DROP TABLE t; DROP FUNCTION is_open; DROP OWNED BY recovered_gone; DROP ROLE recovered_gone; SET client_min_messages = error;
                 SELECT pgtrack.recover('t'); SET ROLE recovered_other")
            .await;
        session.check("SELECT count(*) FROM t", "0").await;
        session.run("RESET ROLE; DROP OWNED BY recovered_other; DROP ROLE recovered_other").await;
    });
}
