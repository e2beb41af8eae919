//! The application has event triggers and extensions of its own: pg_track's commands are none of its business.

use std::fs;

use crate::support::{Session, on_each_version, on_outer_versions, without_psql_lines};

/// Two event triggers that write into a table which they name without its schema.
const LOG: &str = "CREATE TABLE ddl_log (tag text, object text);
    CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO ddl_log SELECT command_tag, object_identity FROM pg_event_trigger_ddl_commands(); END $$;
    CREATE FUNCTION log_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO ddl_log SELECT 'drop', object_identity FROM pg_event_trigger_dropped_objects(); END $$;
    CREATE EVENT TRIGGER log_ddl ON ddl_command_end EXECUTE FUNCTION log_ddl();
    CREATE EVENT TRIGGER log_drop ON sql_drop EXECUTE FUNCTION log_drop()";

#[test]
fn event_triggers_of_the_application_do_not_fire_for_ours() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('public')")
            .await;
        session.run(LOG).await;
        session
            .run("ALTER TABLE t ADD COLUMN w int; ALTER TABLE t ALTER COLUMN id TYPE bigint")
            .await;
        session.run("CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1); INSERT INTO t VALUES (1, 1)").await;
        session
            .run("UPDATE t SET v = 2; SELECT pgtrack.undo('t', 1); SELECT pgtrack.keep('t')")
            .await;
        session.run("SELECT pgtrack.untrack('u'); SELECT pgtrack.track('u')").await;
        session
            .run("ALTER EVENT TRIGGER pgtrack_ddl DISABLE; ALTER TABLE t ADD COLUMN x int")
            .await;
        session.run("ALTER EVENT TRIGGER pgtrack_ddl ENABLE; UPDATE t SET x = 1").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.run("DROP TABLE t; SELECT pgtrack.recover('t'); SELECT pgtrack.purge('0')").await;
        session.check("SELECT * FROM ddl_log WHERE object ~ 'pgtrack' AND tag <> 'drop'", "").await;
        session
            .check(
                "SELECT * FROM ddl_log WHERE tag LIKE '% TABLE'",
                "
            ALTER TABLE|public.t
            ALTER TABLE|public.t
            CREATE TABLE|public.u
            ALTER TABLE|public.t
            CREATE TABLE|public.t
            ALTER TABLE|public.t",
            )
            .await;
        session.check("SHOW session_replication_role", "origin").await;
        session.check("SELECT id, v FROM t", "1|1").await;
    });
}

/// An event trigger that relies on the path would find a function of the owner's, and call it as a superuser.
#[test]
fn a_path_that_code_of_an_owner_sets_is_not_that_of_our_commands() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE misled LOGIN; CREATE SCHEMA misled AUTHORIZATION misled; CREATE TABLE called (who name, by name); GRANT INSERT ON called TO misled;
                 CREATE FUNCTION note_ddl(text) RETURNS void LANGUAGE sql AS '';
                 CREATE FUNCTION notes() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM note_ddl(tg_tag); END';
                 SET ROLE misled; SET search_path = misled;
                 CREATE FUNCTION note_ddl(text) RETURNS void LANGUAGE sql AS 'INSERT INTO public.called VALUES (current_user, session_user)';
                 CREATE FUNCTION misleads() RETURNS trigger LANGUAGE plpgsql AS
                 $$BEGIN PERFORM pg_catalog.set_config('pgtrack.search_path', 'misled', true); RETURN NEW; END$$;
                 CREATE FUNCTION misleads_row() RETURNS boolean LANGUAGE plpgsql AS
                 $$BEGIN PERFORM pg_catalog.set_config('pgtrack.search_path', 'misled', true); RETURN true; END$$;
                 CREATE TABLE t (id int PRIMARY KEY, v int, w int, CHECK (misleads_row()));
                 CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION misleads();
                 RESET ROLE; RESET search_path; SELECT pgtrack.track('misled.t'); INSERT INTO misled.t VALUES (1, 1, 1); SELECT pgtrack.keep('misled.t');
                 CREATE EVENT TRIGGER notes ON ddl_command_end EXECUTE FUNCTION notes()",
            )
            .await;
        session
            .run("ALTER TABLE misled.t DROP COLUMN w; SELECT pgtrack.recover('misled.t', 'w')")
            .await;
        session.run("DROP TABLE misled.t; SELECT pgtrack.recover('misled.t')").await;
        session.run("UPDATE misled.t SET v = 2; SELECT pgtrack.undo('misled.t', 1)").await;
        // A setting that others left in the session does not count, and event triggers do not fire.
        session.run("SET pgtrack.search_path = misled; SET session_replication_role = replica; DROP TRIGGER pgtrack_insert ON misled.t; ALTER FUNCTION note_ddl(text) RENAME TO gone; RESET session_replication_role").await;
        session.check("SELECT status FROM pgtrack.follow_ddl()", "followed").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        session.check("SELECT * FROM called WHERE who <> 'misled'", "").await;
        session
            .run("DROP EVENT TRIGGER notes; DROP OWNED BY misled CASCADE; DROP ROLE misled")
            .await;
    });
}

#[test]
fn event_triggers_that_fire_for_the_owner_of_a_table_find_what_they_name() {
    on_each_version(async |session| {
        session.run("SELECT pgtrack.track('public')").await;
        session.run(LOG).await;
        session.run("CREATE ROLE own_ddl_owner; GRANT CREATE ON SCHEMA public TO own_ddl_owner; GRANT INSERT ON ddl_log TO own_ddl_owner").await;
        session.run("SET ROLE own_ddl_owner; CREATE TABLE t (id int PRIMARY KEY, v int); ALTER TABLE t ALTER COLUMN id TYPE bigint").await;
        session.run("INSERT INTO t VALUES (1, 1); UPDATE t SET v = 2; SELECT pgtrack.undo('t', 1); RESET ROLE").await;
        session.check("SELECT * FROM ddl_log WHERE object ~ 'pgtrack_history'", "").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.check("SELECT v FROM t", "1").await;
        session.run("DROP OWNED BY own_ddl_owner; DROP ROLE own_ddl_owner").await;
    });
}

#[test]
fn pg_track_is_installed_where_event_triggers_are() {
    on_each_version(async |session| {
        session.run(LOG).await;
        session
            .run(&format!(
                "BEGIN; {}; COMMIT",
                without_psql_lines(include_str!("../../../sql/pg_track--1.0.sql"))
            ))
            .await;
        session.check("SELECT * FROM ddl_log", "").await;
    });
}

/// An extension with one table, and its update, which adds a column and uses it.
async fn with_extension(session: &Session, body: impl AsyncFn(&Session, &str)) {
    let share = session.rows("SELECT setting FROM pg_config WHERE name = 'SHAREDIR'").await;
    // A test does not install anything into the system's server.
    if share.trim().starts_with("/usr/") {
        return;
    }
    let name = format!("pgtrack_demo_{}", std::process::id());
    let file = |rest: &str| format!("{}/extension/{name}{rest}", share.trim());
    let files = [
        (file(".control"), "default_version = '1.1'\nrelocatable = true\n".to_owned()),
        (file("--1.0.sql"), "CREATE TABLE part_config (id int PRIMARY KEY, v text);".to_owned()),
        (
            file("--1.0--1.1.sql"),
            "ALTER TABLE part_config ADD COLUMN w int; INSERT INTO part_config VALUES (2, 'of the script', 7);".to_owned(),
        ),
    ];
    for (path, text) in &files {
        fs::write(path, text).expect("an extension can be put where the server looks");
    }
    body(session, &name).await;
    for (path, _) in &files {
        fs::remove_file(path).expect("the extension can be removed");
    }
}

#[test]
fn history_of_an_extensions_table_does_not_belong_to_the_extension() {
    on_each_version(async |session| {
        with_extension(&session, async |session, name| {
            session.run("CREATE SCHEMA app; SELECT pgtrack.track('app')").await;
            session.run(&format!("CREATE EXTENSION {name} SCHEMA app VERSION '1.0'")).await;
            session.run("INSERT INTO app.part_config VALUES (1, 'x'); UPDATE app.part_config SET v = 'y'").await;
            session.run(&format!("ALTER EXTENSION {name} UPDATE TO '1.1'")).await;
            session.run("UPDATE app.part_config SET w = 1 WHERE id = 1").await;
            session.check(
                "SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend
                 WHERE deptype = 'e' AND classid <> 'pg_type'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname LIKE 'pgtrack_demo%')",
                "table app.part_config").await;
            session.check("SELECT op, after FROM pgtrack.history('app.part_config', 1)", r#"
                INSERT|{"v": "x", "id": 1}
                UPDATE|{"v": "y", "w": null, "id": 1}
                UPDATE|{"v": "y", "w": 1, "id": 1}"#).await;
            session.check("SELECT op, after FROM pgtrack.history('app.part_config', 2)",
                r#"INSERT|{"v": "of the script", "w": 7, "id": 2}"#).await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
            session.run(&format!("DROP EXTENSION {name}")).await;
            session.check("SELECT DISTINCT table_name FROM pgtrack.activity", "app.part_config").await;
        }).await;
    });
}

#[test]
fn what_a_drop_takes_from_a_table_is_followed() {
    on_each_version(async |session| {
        session.run("SELECT pgtrack.track('public')").await;
        session.run("CREATE DOMAIN d AS int; CREATE TABLE t (id int PRIMARY KEY, x d, v int); INSERT INTO t VALUES (1, 2, 3); DROP DOMAIN d CASCADE").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.run("CREATE TYPE e AS ENUM ('a'); CREATE TABLE k (k e PRIMARY KEY, v int); INSERT INTO k VALUES ('a', 1); DROP TYPE e CASCADE").await;
        session.run("UPDATE k SET v = 2; CREATE SEQUENCE s; CREATE TABLE n (id int PRIMARY KEY DEFAULT nextval('s')); DROP SEQUENCE s CASCADE").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.run("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN NEW; END $$;
                     CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); DROP TRIGGER x ON t").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.run("CREATE TYPE r AS (a int); CREATE TABLE typed OF r; ALTER TYPE r ALTER ATTRIBUTE a TYPE text CASCADE").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.run("CREATE TABLE root (a int) PARTITION BY RANGE (a); CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (0) TO (1)").await;
        session.run("ALTER TABLE root DETACH PARTITION leaf; DROP TABLE root, leaf").await;
        session
            .check(
                "SELECT table_name FROM pgtrack.tracked_table ORDER BY 1",
                "public.k\npublic.n\npublic.t\npublic.typed",
            )
            .await;
    });
}

#[test]
fn a_tracked_schema_without_tables_stays_tracked() {
    on_each_version(async |session| {
        session.run("CREATE SCHEMA a; SELECT pgtrack.track('a'); DROP SCHEMA a; CREATE SCHEMA a; ALTER SCHEMA a RENAME TO b").await;
        session.run("CREATE TABLE b.t (id int PRIMARY KEY); INSERT INTO b.t VALUES (1)").await;
        session.check("SELECT op FROM pgtrack.history('b.t', 1)", "INSERT").await;
        session.check("SELECT schema_name FROM pgtrack.tracked_schema", "b").await;
        session.run("DROP SCHEMA b CASCADE; CREATE SCHEMA b CREATE TABLE u (id int PRIMARY KEY); INSERT INTO b.u VALUES (1)").await;
        session.check("SELECT op FROM pgtrack.history('b.u', 1)", "INSERT").await;
    });
}

#[test]
fn settings_of_the_planner_do_not_make_ddl_slow() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, a int); SELECT pgtrack.track('public'); SET jit_above_cost = 0").await;
        session.run("SET enable_nestloop = off; SET plan_cache_mode = force_custom_plan; SET statement_timeout = '10s'").await;
        session.run("CREATE INDEX ON t (a); CREATE TABLE u (id int PRIMARY KEY); ALTER TABLE u ADD COLUMN v int; DROP TABLE u").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn a_table_whose_rows_fill_a_page_goes_on_untracked() {
    on_outer_versions(async |session| {
        for (name, columns) in [("brimful", 1016), ("wide", 1015)] {
            session
                .run(&format!(
                    "DO $$ BEGIN EXECUTE (SELECT format('CREATE TABLE {name} (id bigint PRIMARY KEY, %s)',
                     string_agg(format('c%s bigint NOT NULL DEFAULT 1', g), ', ')) FROM generate_series(1, {columns}) g); END $$;
                     INSERT INTO {name} (id) VALUES (1)"
                ))
                .await;
        }
        let error = session.error("SELECT pgtrack.track('brimful')").await;
        assert!(error.contains("its rows fill a page"), "{error}");
        session
            .run("SELECT pgtrack.track('wide'); UPDATE wide SET c2 = 2; UPDATE brimful SET c2 = 2")
            .await;
        session.check("SELECT op, what FROM pgtrack.history('wide', 1)", "UPDATE|{c2}").await;
    });
}
