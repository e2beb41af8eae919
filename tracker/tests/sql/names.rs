//! A name may lead to something else than it did: what is read is the table, with nobody's code run on the way.

use std::time::Duration;

use crate::support::{Session, on_outer_versions};

/// A role that owns a schema, a table in it, and code that tells as whom it runs.
async fn owner(session: &Session, name: &str) -> Session {
    session
        .run(&format!(
            "CREATE ROLE {name} LOGIN; CREATE SCHEMA app AUTHORIZATION {name};
             CREATE TABLE alarms (who name); GRANT INSERT ON alarms TO PUBLIC;
             DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {name}', current_database()); END$$"
        ))
        .await;
    let owner = session.another_as(name).await;
    owner
        .run(
            "CREATE FUNCTION app.alarm(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.alarms VALUES (current_user); RETURN $1; END$$;
             CREATE FUNCTION app.fold(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN
               IF current_user NOT LIKE 'owner\\_%' THEN RAISE EXCEPTION 'planned as %', current_user; END IF; RETURN $1; END$$;
             CREATE TABLE app.t (id int PRIMARY KEY, v text); INSERT INTO app.t VALUES (1, 'a'), (2, 'b')",
        )
        .await;
    session.run("SELECT pgtrack.track('app.t')").await;
    owner
}

/// Nothing of the owner's ran as anybody else.
async fn farewell(session: &Session, name: &str) {
    session.check(&format!("SELECT DISTINCT who FROM alarms WHERE who <> '{name}'"), "").await;
    session
        .run(&format!("DROP TABLE alarms; DROP OWNED BY {name} CASCADE; DROP ROLE {name}"))
        .await;
}

#[test]
fn what_the_planner_may_call_is_not_called_for_truncate() {
    on_outer_versions(async |session| {
        let name = "owner_folds";
        let owner = owner(&session, name).await;
        for (make, drop) in [
            ("CREATE INDEX i ON app.t ((app.fold('x') || v))", "DROP INDEX app.i"),
            ("CREATE INDEX i ON app.t (v) WHERE app.fold('x') = v", "DROP INDEX app.i"),
            (
                "CREATE STATISTICS app.s ON (app.fold('x') || v), id FROM app.t",
                "DROP STATISTICS app.s",
            ),
        ] {
            owner.run(make).await;
            for call in ["TRUNCATE app.t", "SELECT pgtrack.keep('app.t')"] {
                let caller = if call.starts_with("TRUNCATE") { &owner } else { &session };
                let error = caller.error(call).await;
                assert!(
                    error.starts_with("42501: cannot read the rows of app.t to record them"),
                    "{make}: {error}"
                );
            }
            session.check("SELECT problem LIKE '%need app.fold(text)%TRUNCATE fails' FROM pgtrack.verify(false)", "t").await;
            // Somebody took it over who could run it anyway.
            session.run("ALTER FUNCTION app.fold(text) OWNER TO CURRENT_USER; BEGIN").await;
            session.run(&format!("CREATE OR REPLACE FUNCTION app.fold(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1'; TRUNCATE app.t; ROLLBACK; ALTER FUNCTION app.fold(text) OWNER TO {name}")).await;
            owner.run(drop).await;
        }
        owner
            .run("CREATE TABLE app.p (id int, v text) PARTITION BY RANGE ((app.fold('x') || v)); CREATE TABLE app.p1 PARTITION OF app.p DEFAULT; INSERT INTO app.p VALUES (1, 'a')")
            .await;
        session.run("SELECT pgtrack.track('app.p')").await;
        let error = session.error("SELECT pgtrack.keep('app.p')").await;
        assert!(error.contains("needs app.fold(text)"), "{error}");
        owner.run("TRUNCATE app.p; TRUNCATE app.t").await;
        session.check("SELECT table_name, operation, row_count FROM pgtrack.activity ORDER BY statement_id", "app.p|TRUNCATE|1\napp.t|TRUNCATE|2").await;
        session.run("DROP TABLE app.p").await;
        farewell(&session, name).await;
    });
}

#[test]
fn truncate_records_the_rows_of_the_table_and_not_of_what_has_its_name() {
    on_outer_versions(async |session| {
        let name = "owner_renames";
        let owner = owner(&session, name).await;
        let view = "AS SELECT 7 AS id, app.alarm('forged') AS v";
        owner.run(&format!("BEGIN; ALTER INDEX app.t RENAME TO u; CREATE VIEW app.t {view}; TRUNCATE app.u; DROP VIEW app.t; ALTER INDEX app.u RENAME TO t; COMMIT")).await;
        owner.run("INSERT INTO app.t VALUES (3, 'c'); ALTER SCHEMA app RENAME TO other").await;
        session.check("SELECT table_name FROM pgtrack.tracked_table", "other.t").await;
        owner
            .run(&format!(
                "CREATE SCHEMA app; CREATE VIEW app.t {}",
                view.replace("app.alarm", "other.alarm")
            ))
            .await;
        owner
            .run("TRUNCATE other.t; DROP SCHEMA app CASCADE; ALTER SCHEMA other RENAME TO app")
            .await;
        session
            .check(
                "SELECT op, before ->> 'id', before ->> 'v' FROM pgtrack.changes('app.t') ORDER BY statement_id, 2",
                "
            TRUNCATE|1|a
            TRUNCATE|2|b
            INSERT|~|~
            TRUNCATE|3|c",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        farewell(&session, name).await;
    });
}

#[test]
fn a_schema_keeps_its_name_until_a_truncate_has_ended() {
    on_outer_versions(async |session| {
        let name = "owner_waits";
        let owner = owner(&session, name).await;
        owner.run("BEGIN; TRUNCATE app.t").await;
        let other = session.another_as(name).await;
        let error =
            other.error("SET statement_timeout = '300ms'; ALTER SCHEMA app RENAME TO other").await;
        assert!(error.starts_with("57014"), "{error}");
        owner.run("COMMIT").await;
        other.run("ALTER SCHEMA app RENAME TO other; ALTER SCHEMA other RENAME TO app").await;
        farewell(&session, name).await;
    });
}

#[test]
fn a_tracked_schema_is_tracked_under_its_new_name() {
    on_outer_versions(async |session| {
        session
            .run("CREATE SCHEMA shop; CREATE TABLE shop.a (id int PRIMARY KEY, v int); SELECT pgtrack.track('shop'); ALTER SCHEMA shop RENAME TO store;
                  INSERT INTO store.a VALUES (1, 1); CREATE TABLE store.b (id int PRIMARY KEY, v int); INSERT INTO store.b VALUES (1, 1);
                  CREATE SCHEMA shop; CREATE TABLE shop.other (id int PRIMARY KEY)")
            .await;
        session
            .check("SELECT table_name FROM pgtrack.tracked_table ORDER BY 1", "store.a\nstore.b")
            .await;
        session
            .check("SELECT table_name FROM pgtrack.activity ORDER BY 1", "store.a\nstore.b")
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn truncate_at_repeatable_read_records_all_rows_or_is_to_be_tried_again() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'); SELECT pgtrack.track('t')").await;
        for level in ["REPEATABLE READ", "SERIALIZABLE"] {
            let old = session.another().await;
            old.run(&format!("BEGIN ISOLATION LEVEL {level}; SELECT count(*) FROM t")).await;
            session.run("INSERT INTO t VALUES (2, 'b'); UPDATE t SET v = 'c' WHERE id = 1").await;
            let error = old.error("TRUNCATE t").await;
            assert!(
                error.starts_with("40001: could not serialize access due to concurrent update"),
                "{error}"
            );
            old.run("ROLLBACK").await;
            // Transactions of other tests commit meanwhile; who tries again gets through.
            let mut tries = 0;
            while let Err(error) = old
                .attempt(&format!("BEGIN ISOLATION LEVEL {level}; SAVEPOINT s; UPDATE t SET v = v; RELEASE s; TRUNCATE t; COMMIT"))
                .await
            {
                assert!(error.starts_with("40001"), "{error}");
                old.run("ROLLBACK").await;
                tries += 1;
                assert!(tries < 200, "never");
            }
            session
                .check(
                    "SELECT row_count FROM pgtrack.activity ORDER BY statement_id DESC LIMIT 1",
                    "2",
                )
                .await;
            session.run("INSERT INTO t VALUES (1, 'a')").await;
            session.run("DELETE FROM t WHERE id = 2").await;
        }
    });
}

#[test]
fn a_column_that_is_gone_is_not_taken_for_a_function() {
    on_outer_versions(async |session| {
        let name = "owner_columns";
        let owner = owner(&session, name).await;
        owner
            .run("ALTER TABLE app.t ADD COLUMN w int; CREATE FUNCTION app.v(anyelement) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN app.alarm('v'); END$$")
            .await;
        for level in ["READ COMMITTED", "REPEATABLE READ"] {
            let reader = session.another().await;
            let history = session.rows("SELECT history_table FROM pgtrack.tracked_table").await;
            let old = session.another_as(name).await;
            old.run(&format!("SET search_path = app, pg_catalog; BEGIN ISOLATION LEVEL {level}; SELECT 1 FROM pg_class LIMIT 1")).await;
            reader.run(&format!("BEGIN; SELECT count(*) FROM {history}")).await;
            // Somebody reads the history, so this cannot be followed at once.
            owner.run("ALTER TABLE app.t DROP COLUMN v").await;
            old.run("UPDATE t SET w = coalesce(w, 0) + 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (2)").await;
            old.run("COMMIT").await;
            reader.run("COMMIT").await;
            session.run("SELECT pgtrack.follow_ddl()").await;
            session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
            owner.run("ALTER TABLE app.t ADD COLUMN v text").await;
            session
                .check("SELECT operation, row_count FROM pgtrack.activity ORDER BY statement_id DESC LIMIT 3", "INSERT|1\nDELETE|1\nUPDATE|2")
                .await;
        }
        farewell(&session, name).await;
    });
}

#[test]
fn whoever_waits_for_a_table_does_not_read_what_takes_its_name_meanwhile() {
    on_outer_versions(async |session| {
        let name = "owner_swaps";
        let owner = owner(&session, name).await;
        session.run("SELECT pgtrack.tag('start')").await;
        owner.run("UPDATE app.t SET v = 'x'; DELETE FROM app.t WHERE id = 2").await;
        for call in [
            "SELECT count(*) FROM pgtrack.history('app.t', 1)",
            "SELECT count(*) FROM pgtrack.plan_undo('app.t', 1)",
            "SELECT count(*) FROM pgtrack.deleted('app.t')",
            "SELECT count(*) FROM pgtrack.changes('app.t')",
            "SELECT count(*) FROM pgtrack.diff('app.t', 'start')",
            "SELECT count(*) FROM pgtrack.plan_revert_table('app.t', 'start')",
            "SELECT count(*) FROM pgtrack.as_of(NULL::app.t, 'start')",
            "SELECT count(*) FROM pgtrack.verify()",
            "SELECT pgtrack.keep('app.t')",
            "SELECT pgtrack.undo('app.t', 1)",
        ] {
            owner.run("BEGIN; LOCK TABLE app.t").await;
            let reader = session.another().await;
            let pid = reader.rows("SELECT pg_backend_pid()").await;
            let read = tokio::spawn(async move { reader.attempt(call).await });
            while session
                .rows(&format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted"))
                .await
                != "1"
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            owner.run("ALTER TABLE app.t RENAME TO u; CREATE VIEW app.t AS SELECT 1 AS id, app.alarm('x') AS v, app.alarm('y') AS w; COMMIT").await;
            let outcome = read.await.expect("it ends");
            session.check("SELECT count(*) FROM alarms", "0").await;
            // What was recorded is about the table, whatever it is called.
            assert!(
                outcome.is_ok() || !outcome.clone().unwrap_err().contains("alarm"),
                "{call}: {outcome:?}"
            );
            owner.run("DROP VIEW app.t; ALTER TABLE app.u RENAME TO t").await;
        }
        farewell(&session, name).await;
    });
}

#[test]
fn ddl_follows_the_tables_that_it_is_about_and_waits_for_no_other() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE products (id int PRIMARY KEY, v int); CREATE TABLE products_archive (id int PRIMARY KEY, v int, w int);
                  CREATE TABLE lame (id int PRIMARY KEY); SELECT pgtrack.track('products'); SELECT pgtrack.track('lame'); DROP TRIGGER pgtrack_key ON lame")
            .await;
        let other = session.another().await;
        other.run("BEGIN; SELECT count(*) FROM products; INSERT INTO lame VALUES (1)").await;
        session.run("SET lock_timeout = '2s'; ALTER TABLE products_archive DROP COLUMN w; CREATE TABLE another (id int); ALTER TABLE another ADD COLUMN v int").await;
        other.run("COMMIT").await;
        session
            .check(
                "SELECT problem FROM pgtrack.verify()",
                "the trigger pgtrack_key is missing on public.lame",
            )
            .await;
        session.check("SELECT done FROM pgtrack.follow_ddl()", "t").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn a_function_of_an_extension_makes_no_values_of_an_owners_types_for_truncate() {
    on_outer_versions(async |session| {
        let name = "owner_values";
        session.run("CREATE EXTENSION hstore").await;
        let owner = owner(&session, name).await;
        owner
            .run("CREATE FUNCTION app.check(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM app.fold('x'); RETURN true; END$$;
                  CREATE DOMAIN app.d AS int CHECK (app.check(VALUE)); CREATE TYPE app.c AS (a app.d);
                  CREATE INDEX i ON app.t (((public.populate_record(NULL::app.c, 'a=>1'::public.hstore)).a))")
            .await;
        // What is planned is planned anew in another session.
        let another = session.another_as(name).await;
        let error = another.error("TRUNCATE app.t").await;
        assert!(error.contains("the type app.c"), "{error}");
        farewell(&session, name).await;
    });
}

#[test]
fn an_undo_that_waits_for_a_row_reads_no_view_afterwards() {
    on_outer_versions(async |session| {
        let name = "owner_rows";
        let owner = owner(&session, name).await;
        owner
            .run("UPDATE app.t SET v = 'x'; BEGIN; SELECT FROM app.t WHERE id = 1 FOR UPDATE")
            .await;
        let admin = session.another().await;
        let pid = admin.rows("SELECT pg_backend_pid()").await;
        let undo =
            tokio::spawn(async move { admin.attempt("SELECT pgtrack.undo('app.t', 1)").await });
        while session
            .rows(&format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted"))
            .await
            != "1"
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The renaming waits for the undo, which waits for the row: one of them gives way.
        let renamed = owner
            .attempt("ALTER SCHEMA app RENAME TO other; CREATE SCHEMA app; CREATE VIEW app.t AS SELECT 1 AS id, other.alarm('x') AS v; COMMIT")
            .await;
        if renamed.is_err() {
            owner.run("ROLLBACK").await;
        }
        let undone = undo.await.expect("it ends");
        assert!(renamed.is_err() || undone.is_err());
        session.check("SELECT count(*) FROM alarms", "0").await;
        farewell(&session, name).await;
    });
}

#[test]
fn whoever_refers_to_a_table_runs_no_code_in_the_undo_of_its_changes() {
    on_outer_versions(async |session| {
        let name = "owner_refers";
        session.run("CREATE TABLE parent (id int PRIMARY KEY); SELECT pgtrack.track('parent'); INSERT INTO parent VALUES (1)").await;
        let owner = owner(&session, name).await;
        session.run(&format!("GRANT REFERENCES ON parent TO {name}")).await;
        owner.run("CREATE TABLE app.child (p int REFERENCES parent ON DELETE CASCADE)").await;
        // Of an untracked table, too, it is told whether rows would go.
        owner.run("INSERT INTO app.child VALUES (1)").await;
        let error = session.error("SELECT pgtrack.undo('parent', 1)").await;
        assert!(
            error.starts_with("23503: rows of app.child refer to rows of public.parent"),
            "{error}"
        );
        owner.run("DELETE FROM app.child").await;
        // Who looks into it is its owner, who may have anything done: in planning, in a table that inherits, with settings.
        owner
            .run("CREATE DOMAIN app.text AS pg_catalog.text CHECK (app.alarm('domain') IS NOT NULL);
                  CREATE FUNCTION app.lead(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('pgtrack.search_path', 'app, PG_CATALOG', true); RETURN $1; END$$;
                  CREATE FUNCTION app.mislead(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM app.lead('x'); PERFORM app.fold('x'); RETURN $1; END$$;
                  CREATE INDEX i ON app.child ((app.mislead('x') || p::text)); CREATE TABLE app.heir () INHERITS (app.child);
                  INSERT INTO app.heir VALUES (1); CREATE INDEX j ON app.heir ((app.fold('x') || p::text))")
            .await;
        session.run("BEGIN; SELECT pgtrack.undo('parent', 1); ROLLBACK").await;
        owner.run("DROP TABLE app.heir; DROP INDEX app.i; BEGIN; LOCK TABLE app.child").await;
        let admin = session.another().await;
        let pid = admin.rows("SELECT pg_backend_pid()").await;
        let undo =
            tokio::spawn(async move { admin.attempt("SELECT pgtrack.undo('parent', 1)").await });
        while session
            .rows(&format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted"))
            .await
            != "1"
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        owner.run("ALTER TABLE app.child RENAME TO u; CREATE VIEW app.child AS SELECT 1 AS p, app.alarm('x'); COMMIT").await;
        let _ = undo.await.expect("it ends");
        session.run("DROP TABLE app.u; DROP TABLE parent").await;
        farewell(&session, name).await;
    });
}

#[test]
fn a_foreign_key_that_comes_back_runs_no_code_of_the_table_that_it_refers_to() {
    on_outer_versions(async |session| {
        let name = "owner_recovered";
        let owner = owner(&session, name).await;
        owner.run("CREATE TABLE app.child (id int PRIMARY KEY, p int REFERENCES app.t)").await;
        session.run("SELECT pgtrack.track('app')").await;
        owner.run("INSERT INTO app.child VALUES (1, 1)").await;
        session.run("SELECT pgtrack.keep('app.child')").await;
        owner.run("CREATE INDEX ON app.t ((app.fold('x') || v)); DROP TABLE app.child").await;
        // The schema is tracked, which makes it no new table.
        session.run("SELECT pgtrack.recover('app.child')").await;
        session.check("SELECT count(*) FROM pgtrack.tracked_table WHERE name = 'child'", "1").await;
        session.check("SELECT conname FROM pg_constraint WHERE conrelid = 'app.child'::regclass AND contype = 'f'", "child_p_fkey").await;
        session.check("SELECT op FROM pgtrack.history('app.child', 1)", "INSERT").await;
        farewell(&session, name).await;
    });
}

#[test]
fn a_schema_stays_tracked_whatever_others_say_they_are_called() {
    on_outer_versions(async |session| {
        let name = "owner_moves";
        let owner = owner(&session, name).await;
        session.run(&format!("CREATE SCHEMA shared; SELECT pgtrack.track('shared'); GRANT ALL ON SCHEMA shared TO {name}")).await;
        owner
            .run("CREATE TABLE shared.z (id int PRIMARY KEY); INSERT INTO shared.z VALUES (1)")
            .await;
        let reader = session.another().await;
        reader.run("BEGIN; DO $$BEGIN EXECUTE 'LOCK TABLE ' || (SELECT history_table FROM pgtrack.tracked_table WHERE name = 'z') || ' IN ACCESS SHARE MODE'; END$$").await;
        owner.run("ALTER TABLE shared.z ADD COLUMN w int; CREATE SCHEMA app2; ALTER TABLE shared.z SET SCHEMA app2; ALTER SCHEMA app2 OWNER TO CURRENT_USER; ALTER SCHEMA app2 RENAME TO app3").await;
        reader.run("COMMIT").await;
        session.check("SELECT schema_name FROM pgtrack.tracked_schema", "shared").await;
        session.run("DROP SCHEMA shared CASCADE").await;
        farewell(&session, name).await;
    });
}

#[test]
fn no_name_opens_the_way_to_drop_what_history_needs() {
    on_outer_versions(async |session| {
        let name = "owner_drops";
        let owner = owner(&session, name).await;
        session
            .run(&format!(
                "CREATE EXTENSION hstore; CREATE TABLE h (id int PRIMARY KEY, h hstore); SELECT pgtrack.track('h'); INSERT INTO h VALUES (1, 'a=>1'); UPDATE h SET h = 'a=>2';
                 CREATE COLLATION app.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false); ALTER COLLATION app.ci OWNER TO {name};
                 CREATE TABLE k (k text COLLATE app.ci PRIMARY KEY, v int); SELECT pgtrack.track('k'); INSERT INTO k VALUES ('a', 1); UPDATE k SET v = 2"
            ))
            .await;
        owner.run("CREATE PUBLICATION pg_track").await;
        for drop in ["DROP COLLATION app.ci CASCADE", "DROP OWNED BY CURRENT_USER CASCADE"] {
            let error = owner.error(drop).await;
            assert!(error.starts_with("2BP01: cannot drop"), "{drop}: {error}");
        }
        let error = session.error("DROP EXTENSION hstore CASCADE").await;
        assert!(error.contains("With it would go: pgtrack_history."), "{error}");
        let error = session.error("SELECT pgtrack.release_type('hstore')").await;
        assert!(error.starts_with("2BP01: the type public.hstore is in use"), "{error}");
        session.run("ALTER TABLE h DROP COLUMN h; SELECT pgtrack.release_type('hstore'); DROP EXTENSION hstore").await;
        session
            .check(
                "SELECT before ->> 'h' FROM pgtrack.history('h', 1) WHERE op = 'UPDATE'",
                "\"a\"=>\"1\"",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        session.run("DROP TABLE k; DO $$BEGIN EXECUTE format('ALTER TABLE pgtrack_history.%I ALTER COLUMN k TYPE text COLLATE \"default\"', (SELECT history_table FROM pgtrack.relation WHERE table_name = 'k')); END$$").await;
        farewell(&session, name).await;
    });
}

#[test]
fn an_owner_makes_nobody_wait_but_for_the_owners_tables() {
    on_outer_versions(async |session| {
        let name = "owner_lingers";
        let owner = owner(&session, name).await;
        session.run("CREATE TABLE mine (id int PRIMARY KEY, v int, w int); SELECT pgtrack.track('mine'); SET statement_timeout = '20s'").await;

        // A name that is a word of commands; a command that names no table.
        owner.run("CREATE TABLE app.drop (id int PRIMARY KEY)").await;
        session.run("SELECT pgtrack.track('app.drop')").await;
        owner.run("BEGIN; LOCK TABLE app.drop IN ACCESS SHARE MODE").await;
        session.run("CREATE TABLE other (a int, b int); ALTER TABLE other DROP COLUMN b; ALTER TABLE IF EXISTS nosuch DROP COLUMN mine").await;
        session.check("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'mine'::regclass AND tgname = 'pgtrack_key'", "1").await;
        owner.run("COMMIT").await;

        // Rights that are being given.
        owner.run("CREATE TABLE app.d1 (id int PRIMARY KEY); CREATE TABLE app.d2 (id int PRIMARY KEY)").await;
        session.run("SELECT pgtrack.track('app.d1'); SELECT pgtrack.track('app.d2')").await;
        owner.run("GRANT SELECT ON app.d1 TO PUBLIC; DROP TABLE app.d1; BEGIN; GRANT SELECT ON app.d2 TO PUBLIC").await;
        session.run("GRANT SELECT ON mine TO PUBLIC").await;
        session.check("SELECT has_table_privilege('public', c.oid, 'SELECT') FROM pg_class c JOIN pgtrack.relation r ON r.history_table = c.relname WHERE r.table_name = 'mine'", "t").await;
        owner.run("COMMIT").await;

        // A write that follows what could not be followed.
        let reader = session.another().await;
        reader.run("BEGIN; DO $$BEGIN EXECUTE 'LOCK TABLE ' || (SELECT history_table FROM pgtrack.tracked_table WHERE name = 't') || ' IN ACCESS SHARE MODE'; END$$").await;
        owner.run("ALTER TABLE app.t ADD COLUMN w int").await;
        reader.run("COMMIT").await;
        owner.run("BEGIN; UPDATE app.t SET w = 1").await;
        session.run("CREATE TABLE late (id int PRIMARY KEY); SELECT pgtrack.track('late'); SELECT pgtrack.follow_ddl()").await;
        owner.run("COMMIT").await;

        // A table in use, while history goes.
        owner.run("BEGIN; LOCK TABLE app.t").await;
        session.run("SELECT pgtrack.purge('0 seconds')").await;
        owner.run("COMMIT").await;
        session.run("DROP TABLE mine; DROP TABLE late; DROP TABLE other").await;
        farewell(&session, name).await;
    });
}

#[test]
fn a_setting_makes_no_table_a_part_of_somebodys_ddl() {
    on_outer_versions(async |session| {
        let name = "owner_settings";
        let owner = owner(&session, name).await;
        session
            .run("CREATE TABLE mine (id int PRIMARY KEY, v int); SELECT pgtrack.track('mine')")
            .await;
        owner
            .run("CREATE TABLE app.x (v text); INSERT INTO app.x VALUES ('a');
                  CREATE FUNCTION app.setit(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN
                    PERFORM set_config('pgtrack.stepped_aside', (SELECT string_agg(r.relid::oid::text, ' ') FROM pgtrack.relation r), true); RETURN $1; END$$;
                  BEGIN; ALTER TABLE app.x ALTER v TYPE varchar(99) USING app.setit(v)")
            .await;
        session
            .run(
                "SET lock_timeout = '5s'; ALTER TABLE mine ADD COLUMN w int; UPDATE mine SET w = 1",
            )
            .await;
        session
            .check("SELECT count(*) FROM pgtrack.verify() WHERE \"table\" = 'public.mine'", "0")
            .await;
        owner.run("COMMIT").await;
        session.run("DROP TABLE mine").await;
        farewell(&session, name).await;
    });
}

#[test]
fn a_type_may_be_moved_under_a_partitioned_tables_key() {
    on_outer_versions(async |session| {
        session
            .run("CREATE SCHEMA types; CREATE EXTENSION citext SCHEMA types; CREATE TABLE t (k types.citext, d int, v int, PRIMARY KEY (k, d)) PARTITION BY LIST (d); CREATE TABLE t1 PARTITION OF t DEFAULT;
                  SELECT pgtrack.track('t'); INSERT INTO t VALUES ('a', 1, 1); ALTER SCHEMA types RENAME TO kinds; UPDATE t SET v = 2; UPDATE t SET d = 2")
            .await;
        session.run("CREATE SCHEMA elsewhere; GRANT USAGE ON SCHEMA elsewhere TO PUBLIC; ALTER EXTENSION citext SET SCHEMA elsewhere; UPDATE t SET v = 3; UPDATE t SET d = 3; SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn checks_of_a_table_are_not_called_where_its_rows_are_looked_for() {
    on_outer_versions(async |session| {
        let name = "owner_checks";
        let owner = owner(&session, name).await;
        owner
            .run("CREATE TABLE app.w (id int, v int, PRIMARY KEY (id, v)) PARTITION BY RANGE (v); CREATE TABLE app.w1 PARTITION OF app.w DEFAULT; ALTER TABLE app.w1 ADD CHECK (app.fold('x') = 'x');
                  CREATE TABLE app.c (id int PRIMARY KEY, v int, CHECK (app.fold('x') = 'x'))")
            .await;
        session.run("SELECT pgtrack.track('app.w'); SELECT pgtrack.track('app.c')").await;
        owner
            .run("SET constraint_exclusion = on; INSERT INTO app.w VALUES (1, 1); UPDATE app.w SET id = id + 10; ALTER TABLE app.w ALTER id TYPE bigint;
                  INSERT INTO app.c VALUES (1, 1); UPDATE app.c SET v = 2; ALTER TABLE app.c ALTER id TYPE bigint; TRUNCATE app.c, app.w")
            .await;
        // What comes with a role that looks into everything runs no code of anybody.
        owner.run("CREATE INDEX ON app.t ((app.fold('x') || v))").await;
        session
            .check(
                "SELECT count(*) FROM pgtrack.verify() WHERE problem LIKE '%need app.fold(text)%'",
                "1",
            )
            .await;
        farewell(&session, name).await;
    });
}

#[test]
fn what_has_come_since_a_snapshot_runs_no_code_either() {
    on_outer_versions(async |session| {
        let name = "owner_snapshots";
        let owner = owner(&session, name).await;
        owner.run("UPDATE app.t SET v = 'x'").await;
        let old = session.another_as(name).await;
        old.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class LIMIT 1").await;
        let admin = session.another().await;
        admin.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class LIMIT 1").await;
        owner.run("CREATE STATISTICS app.s ON (app.fold('x') || v), id FROM app.t").await;
        old.run("ALTER TABLE app.t ALTER id TYPE bigint; COMMIT").await;
        admin.run("SELECT count(*) FROM pgtrack.verify(); COMMIT").await;
        owner.run("DROP STATISTICS app.s").await;

        // While a lock is waited for.
        owner.run("BEGIN; LOCK TABLE app.t").await;
        let pid = admin.rows("SELECT pg_backend_pid()").await;
        let verified =
            tokio::spawn(
                async move { admin.attempt("SELECT count(*) FROM pgtrack.verify()").await },
            );
        while session
            .rows(&format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted"))
            .await
            != "1"
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        owner.run("CREATE INDEX i ON app.t (v) WHERE app.fold('x') = v; COMMIT").await;
        verified.await.expect("it ends").expect("it finds what it finds");

        // What PostgreSQL reads of a default when it makes it.
        owner.run("DROP INDEX app.i; CREATE DOMAIN app.d AS int; CREATE TABLE app.r (id int PRIMARY KEY, v app.d[] DEFAULT '{1}'::app.d[])").await;
        session.run("SELECT pgtrack.track('app.r'); SELECT pgtrack.keep('app.r')").await;
        owner
            .run("DROP TABLE app.r; CREATE FUNCTION app.check(int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM app.alarm('x'); RETURN true; END$$;
                  ALTER DOMAIN app.d ADD CHECK (app.check(VALUE)) NOT VALID")
            .await;
        session.run("SELECT pgtrack.recover('app.r')").await;
        farewell(&session, name).await;
    });
}
