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
                "SELECT replace(regexp_replace(pgtrack.recover('t'), 'as of [^,]*', 'as of …'), 'for ' || current_user, 'for its owner')",
                "public.t: created again for its owner with 2 rows, as of …, and tracked",
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
/// But for the digests of what may have changed, which are of rows of the catalogs, with their OIDs.
const DEFINITION: &str =
    "SELECT jsonb_pretty((pgtrack._definition('t') - 'code') #- '{rights,state}')";

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

#[test]
fn a_column_comes_back_from_a_copy_of_its_own_table() {
    on_outer_versions(async |session| {
        session
            .run("CREATE ROLE recovered_successor; CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO recovered_successor;
                  CREATE TABLE app.t (id int PRIMARY KEY, salary int); INSERT INTO app.t VALUES (1, 1234);
                  SELECT pgtrack.track('app'); SELECT pgtrack.keep('app.t'); DROP TABLE app.t; SET ROLE recovered_successor;
                  CREATE TABLE app.t (id int PRIMARY KEY, salary int); INSERT INTO app.t VALUES (1, 1); RESET ROLE")
            .await;
        session.run("ALTER TABLE app.t DROP COLUMN salary").await;
        let error = session.error("SELECT pgtrack.recover('app.t', 'salary')").await;
        assert!(error.starts_with("P0002: no rows of table \"app.t\" were kept"), "{error}");
        session.check("SELECT * FROM app.t", "1").await;
        session.run("DROP OWNED BY recovered_successor; DROP ROLE recovered_successor").await;
    });
}

#[test]
fn a_role_that_took_the_name_of_another_gets_nothing_that_is_recovered() {
    on_outer_versions(async |session| {
        session
            .run("CREATE ROLE recovered_owner; CREATE ROLE recovered_dropped; CREATE SCHEMA app;
                  GRANT USAGE, CREATE ON SCHEMA app TO recovered_owner, recovered_dropped; CREATE TABLE app.t (id int PRIMARY KEY);
                  CREATE TABLE app.u (id int PRIMARY KEY); INSERT INTO app.t VALUES (1); INSERT INTO app.u VALUES (1);
                  ALTER TABLE app.t OWNER TO recovered_owner; ALTER TABLE app.u OWNER TO recovered_dropped; GRANT SELECT ON app.t TO recovered_dropped;
                  SELECT pgtrack.track('app'); SELECT pgtrack.keep('app.t'), pgtrack.keep('app.u'); DROP TABLE app.t, app.u;
                  DROP OWNED BY recovered_dropped; DROP ROLE recovered_dropped; CREATE ROLE recovered_dropped;
                  GRANT USAGE, CREATE ON SCHEMA app TO recovered_dropped; ALTER ROLE recovered_owner RENAME TO recovered_renamed")
            .await;
        let warnings = session.notices("SELECT pgtrack.recover('app.t')").await;
        assert_eq!(
            warnings,
            ["what recovered_dropped had of app.t is not recovered: there are no such roles"]
        );
        session
            .check(
                "SELECT c.relowner::regrole, has_table_privilege('recovered_dropped', c.oid, 'SELECT') FROM pg_class c WHERE c.oid = 'app.t'::regclass",
                "recovered_renamed|f",
            )
            .await;
        let error = session.error("SELECT pgtrack.recover('app.u')").await;
        assert!(
            error.starts_with("42704: app.u belonged to recovered_dropped, and that role is gone"),
            "{error}"
        );
        session
            .run("DROP SCHEMA app CASCADE; DROP ROLE recovered_renamed, recovered_dropped")
            .await;
    });
}

#[test]
fn a_table_that_was_renamed_since_comes_back_whole_and_leaves_another_of_its_former_name_alone() {
    on_outer_versions(async |session| {
        session
            .run("CREATE SCHEMA other; CREATE TABLE t (id int PRIMARY KEY, v text); CREATE INDEX t_v ON t (v); COMMENT ON TABLE t IS 'kept';
                  INSERT INTO t VALUES (1, 'a'); SELECT pgtrack.track('t'); SELECT pgtrack.keep('t'); ALTER TABLE t SET SCHEMA other;
                  ALTER TABLE other.t RENAME TO u; DROP TABLE other.u; CREATE TABLE t (id int, v text)")
            .await;
        let error = session.error("SELECT pgtrack.recover('other.u')").await;
        assert!(
            error.starts_with(
                "42P07: table public.t exists\nDETAIL: other.u was called public.t when its rows were kept"
            ),
            "{error}"
        );
        session.check("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass", "0").await;
        session.run("DROP TABLE t; SELECT pgtrack.recover('other.u')").await;
        session.check("SELECT obj_description('other.u'::regclass)", "kept").await;
        session
            .check(
                "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'other.u'::regclass ORDER BY indexrelid::regclass::text",
                "
            other.t_pkey
            other.t_v",
            )
            .await;
        session.run("UPDATE other.u SET v = 'b'").await;
        session.check("SELECT op FROM pgtrack.history('other.u', 1)", "UPDATE").await;
    });
}

#[test]
fn a_table_comes_back_to_who_had_it_last_and_its_history_to_who_might_read_it_then() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE recovered_former LOGIN; CREATE ROLE recovered_last LOGIN; CREATE ROLE recovered_audience LOGIN; CREATE SCHEMA app;
                 GRANT USAGE, CREATE ON SCHEMA app TO recovered_former, recovered_last, recovered_audience; SELECT pgtrack.track('app');
                 SET ROLE recovered_former; CREATE TABLE app.t (id int PRIMARY KEY, v text DEFAULT 'x'); INSERT INTO app.t VALUES (1, 'a');
                 CREATE TABLE app.u (id int PRIMARY KEY, v text); INSERT INTO app.u VALUES (1, 'a');
                 GRANT SELECT ON app.t, app.u TO recovered_audience; RESET ROLE; SELECT pgtrack.keep('app.t'), pgtrack.keep('app.u');
                 ALTER TABLE app.t OWNER TO recovered_last; REVOKE ALL ON app.t FROM recovered_former, recovered_audience;
                 SET ROLE recovered_last; UPDATE app.t SET v = 'secret'; UPDATE app.t SET v = 'other'; DROP TABLE app.t;
                 SET ROLE recovered_former; UPDATE app.u SET v = 'secret'; UPDATE app.u SET v = 'other';
                 REVOKE SELECT ON app.u FROM recovered_audience; DROP TABLE app.u; RESET ROLE;
                 SELECT pgtrack.recover('app.t'), pgtrack.recover('app.u')",
            )
            .await;
        session
            .check(
                "SELECT c.relname, c.relowner::regrole, r.rolname FROM pg_class c JOIN pg_roles r ON has_table_privilege(r.oid, c.oid, 'SELECT')
                 WHERE c.oid IN ('app.t'::regclass, 'app.u'::regclass) AND r.rolname LIKE 'recovered\\_%' ORDER BY 1, 3",
                "
            t|recovered_last|recovered_last
            u|recovered_former|recovered_former",
            )
            .await;
        for (role, table) in [
            ("recovered_former", "app.t"),
            ("recovered_audience", "app.t"),
            ("recovered_audience", "app.u"),
        ] {
            let other = session.another_as(role).await;
            let error = other.error(&format!("SELECT * FROM pgtrack.changes('{table}')")).await;
            assert!(
                error.starts_with(&format!("42501: permission denied for table {table}")),
                "{error}"
            );
            other.check("SELECT count(*) FROM pg_class h WHERE h.relnamespace = 'pgtrack_history'::regnamespace AND h.relkind = 'r'
                           AND h.relname ~ '^[tu]_' AND has_table_privilege(h.oid, 'SELECT')",
                        if role == "recovered_former" { "1" } else { "0" }).await;
        }
        let last = session.another_as("recovered_last").await;
        last.check("SELECT op FROM pgtrack.history('app.t', 1)", "\nINSERT\nUPDATE\nUPDATE").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;

        // Nobody was told of REASSIGN OWNED; and a drop may come with the schema, or at REPEATABLE READ.
        session
            .run("SELECT pgtrack.keep('app.t'); REASSIGN OWNED BY recovered_last TO recovered_audience; UPDATE app.t SET v = 'later'")
            .await;
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ; DROP TABLE app.u; COMMIT").await;
        session
            .run("DROP SCHEMA app CASCADE; CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO recovered_former, recovered_audience;
                  SELECT pgtrack.recover('app.t'), pgtrack.recover('app.u'); DROP TABLE app.u; SELECT pgtrack.recover('app.u')")
            .await;
        session
            .check(
                "SELECT relname, relowner::regrole FROM pg_class WHERE oid IN ('app.t'::regclass, 'app.u'::regclass) ORDER BY 1",
                "
            t|recovered_audience
            u|recovered_former",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.changes('app.t')", "4").await;
        session
            .run("DROP SCHEMA app CASCADE; DROP OWNED BY recovered_former, recovered_last, recovered_audience;
                  DROP ROLE recovered_former, recovered_last, recovered_audience")
            .await;
    });
}

#[test]
fn code_of_a_former_owner_does_not_come_back_to_run_as_the_last_one() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE recovered_coder; CREATE ROLE recovered_heir; CREATE SCHEMA app;
                 GRANT USAGE, CREATE ON SCHEMA app TO recovered_coder, recovered_heir; SELECT pgtrack.track('app'); SET ROLE recovered_coder;
                 CREATE TABLE app.ran (who name); GRANT INSERT ON app.ran TO PUBLIC;
                 CREATE FUNCTION app.is_fine() RETURNS boolean LANGUAGE sql AS 'INSERT INTO app.ran VALUES (current_user) RETURNING true';
                 CREATE TABLE app.t (id int PRIMARY KEY, CONSTRAINT fine CHECK (app.is_fine())); INSERT INTO app.t VALUES (1); RESET ROLE;
                 SELECT pgtrack.keep('app.t'); ALTER TABLE app.t OWNER TO recovered_heir; ALTER TABLE app.t DROP CONSTRAINT fine; DROP TABLE app.t",
            )
            .await;
        let error = session.error("SELECT pgtrack.recover('app.t')").await;
        assert!(
            error.starts_with("55000: app.t belonged to recovered_coder when its rows were kept, and to recovered_heir when it was dropped"),
            "{error}"
        );
        session.check("SELECT DISTINCT who FROM app.ran", "recovered_coder").await;
        session
            .run("DROP SCHEMA app CASCADE; DROP OWNED BY recovered_coder, recovered_heir; DROP ROLE recovered_coder, recovered_heir")
            .await;
    });
}

#[test]
fn a_table_whose_policies_were_changed_after_the_copy_shows_nothing_by_the_former_ones() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE recovered_viewer; CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY, v text);
                 ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY open ON t USING (v = 'open'); GRANT SELECT ON t, u TO recovered_viewer;
                 ALTER TABLE u ENABLE ROW LEVEL SECURITY; CREATE POLICY open ON u USING (v = 'open');
                 SELECT pgtrack.track('t'), pgtrack.track('u'); INSERT INTO t VALUES (1, 'open'); INSERT INTO u VALUES (1, 'open');
                 SELECT pgtrack.keep('t'), pgtrack.keep('u'); ALTER POLICY open ON t USING (false); UPDATE t SET v = v; DROP TABLE t, u",
            )
            .await;
        assert_eq!(
            session.notices("SELECT pgtrack.recover('t'), pgtrack.recover('u')").await,
            ["the policies of public.t are not recovered"]
        );
        session.run("SET ROLE recovered_viewer").await;
        session.check("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)", "0|1").await;
        session.check("SELECT count(*) FROM pgtrack.changes('t')", "0").await;
        session.run("RESET ROLE; DROP TABLE t, u").await;
        assert_eq!(
            session.notices("SELECT pgtrack.recover('t'), pgtrack.recover('u')").await,
            Vec::<String>::new()
        );
        session.run("SET ROLE recovered_viewer").await;
        session.check("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM u)", "0|1").await;
        session.run("RESET ROLE; DROP OWNED BY recovered_viewer; DROP ROLE recovered_viewer").await;
    });
}

#[test]
fn where_nobody_knows_who_had_a_table_last_its_history_begins_anew() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'), pgtrack.track('u');
                  INSERT INTO t VALUES (1, 'a'); INSERT INTO u VALUES (1, 'a'); GRANT SELECT ON t, u TO PUBLIC; SELECT pgtrack.keep('t'), pgtrack.keep('u');
                  UPDATE t SET v = 'secret'; DROP TABLE t, u; UPDATE pgtrack.kept SET definition = definition - 'last'")
            .await;
        assert_eq!(
            session.notices("SELECT pgtrack.recover('t'), pgtrack.recover('u')").await,
            ["the history of public.t begins anew"]
        );
        session.check("SELECT count(*) FROM pgtrack.history('t', 1)", "0").await;
        session.check("SELECT op FROM pgtrack.history('u', 1)", "INSERT").await;
        session.run("UPDATE t SET v = 'b'").await;
        session
            .check("SELECT before ->> 'v', after ->> 'v' FROM pgtrack.history('t', 1)", "a|b")
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn who_gets_a_column_back_sees_no_more_of_the_copy() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE recovered_curious; CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO recovered_curious;
                 CREATE TABLE app.t (id int PRIMARY KEY, salary int, note text); SELECT pgtrack.track('app.t');
                 INSERT INTO app.t VALUES (1, 1234, 'n'); SELECT pgtrack.keep('app.t');
                 ALTER TABLE app.t DROP COLUMN salary, DROP COLUMN note; ALTER TABLE app.t OWNER TO recovered_curious;
                 SET ROLE recovered_curious; CREATE TABLE app.seen (what text);
                 CREATE FUNCTION app.look() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   FOR i IN 1 .. 3 LOOP BEGIN
                     EXECUTE format('INSERT INTO app.seen SELECT %s::text FROM pgtrack_history.%I k', ('{k,salary,note}'::text[])[i],
                                    (SELECT kept_table FROM pgtrack.kept));
                   EXCEPTION WHEN insufficient_privilege THEN NULL; END; END LOOP; RETURN new; END$$;
                 CREATE TRIGGER look BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.look(); RESET ROLE;
                 SELECT pgtrack.recover('app.t', 'note')",
            )
            .await;
        // What it reads is a view of the copy.
        session.check("SELECT what FROM app.seen", "").await;
        session.check("SELECT * FROM app.t", "1|n").await;
        session
            .check("SELECT count(*) FROM pg_attribute a JOIN pgtrack.kept k ON a.attrelid = format('pgtrack_history.%I', k.kept_table)::regclass
                    CROSS JOIN aclexplode(a.attacl) g", "0")
            .await;
        session.run("DROP SCHEMA app CASCADE; DROP OWNED BY recovered_curious; DROP ROLE recovered_curious").await;
    });
}
