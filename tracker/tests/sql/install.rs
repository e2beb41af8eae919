//! Installing, installing again, uninstalling.

use crate::support::{install, on_each_version, without_psql_lines};

#[test]
fn installing_again_keeps_history_and_tracking() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        install(session.database.clone()).await;
        session.run("UPDATE t SET v = 'b'").await;
        session
            .check(
                "SELECT ver, op, before, after FROM pgtrack.history('t', 1)",
                r#"
            1|INSERT|~|{"v": "a", "id": 1}
            2|UPDATE|{"v": "a", "id": 1}|{"v": "b", "id": 1}"#,
            )
            .await;
    });
}

#[test]
fn a_foreign_schema_named_pgtrack_is_not_touched() {
    on_each_version(async |session| {
        session.run("DROP SCHEMA pgtrack CASCADE; DROP SCHEMA pgtrack_history CASCADE; CREATE SCHEMA pgtrack").await;
        let error = session
            .error(include_str!("../../../sql/install/guard.sql").split_once('\n').unwrap().1)
            .await;
        assert!(
            error.starts_with(
                "42P06: the schema \"pgtrack\" exists and does not belong to pg_track"
            ),
            "{error}"
        );
        assert!(error.contains("HINT: "), "{error}");
    });
}

#[test]
fn uninstalling_leaves_nothing() {
    on_each_version(async |session| {
        let count = "SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_trigger),
                     (SELECT count(*) FROM pg_type), (SELECT count(*) FROM pg_event_trigger), (SELECT count(*) FROM pg_namespace), (SELECT count(*) FROM pg_policy)";
        let uninstall = without_psql_lines(include_str!("../../../sql/pg_track--uninstall.sql"));
        session.run(&uninstall).await;
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text)").await;
        let before = session.rows(count).await;
        install(session.database.clone()).await;
        session.run("SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        session.run(&uninstall).await;
        assert_eq!(session.rows(count).await, before);
        session.run("UPDATE t SET v = 'b'").await;
        session.check("SELECT * FROM t", "1|b").await;
    });
}

#[test]
fn every_object_has_a_comment() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t')").await;
        session.check("
            SELECT 'function', p.oid::regprocedure::text FROM pg_proc p
            WHERE p.pronamespace::regnamespace::text IN ('pgtrack', 'pgtrack_history') AND obj_description(p.oid, 'pg_proc') IS NULL
            UNION ALL
            SELECT 'relation', c.oid::regclass::text FROM pg_class c
            WHERE c.relnamespace::regnamespace::text IN ('pgtrack', 'pgtrack_history') AND c.relkind IN ('r', 'v', 'S', 'c')
              AND obj_description(c.oid, 'pg_class') IS NULL
              AND NOT (c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i'))
              AND NOT (c.relkind = 'c' AND obj_description(c.reltype, 'pg_type') IS NOT NULL)
            UNION ALL
            SELECT 'column', c.oid::regclass::text || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace::regnamespace::text = 'pgtrack' AND c.relkind IN ('r', 'v', 'c') AND a.attnum > 0
              AND col_description(c.oid, a.attnum) IS NULL
            UNION ALL
            SELECT 'event trigger', e.evtname FROM pg_event_trigger e WHERE obj_description(e.oid, 'pg_event_trigger') IS NULL
            UNION ALL
            SELECT 'schema', n.nspname FROM pg_namespace n
            WHERE n.nspname LIKE 'pgtrack%' AND obj_description(n.oid, 'pg_namespace') IS NULL", "").await;
    });
}

#[test]
fn help_lists_every_public_function_and_says_what_it_does() {
    on_each_version(async |session| {
        session.check("
            SELECT p.proname FROM pg_proc p
            WHERE p.pronamespace = 'pgtrack'::regnamespace AND p.proname NOT LIKE '\\_%'
              AND NOT EXISTS (SELECT FROM pgtrack.help(p.proname) h WHERE h.call LIKE 'pgtrack.' || p.proname || '(%' AND h.description <> '')", "").await;
        session.check("SELECT replace(call, E'\\n', ' ') FROM pgtrack.help('pgtrack.undo()') LIMIT 1", "
            pgtrack.undo(\"table\" text, key, schema text DEFAULT NULL, on_conflict text DEFAULT 'error', message text DEFAULT NULL, columns text[] DEFAULT NULL)").await;
        // psql draws three signs between the columns and one at each side.
        session
            .check(
                "SELECT bool_and(w.width <= 95)
                 FROM (SELECT max(length(h.call)) + max(length(h.description)) AS width FROM pgtrack.help() h
                       UNION ALL SELECT max(length(c)) + max(length(d)) FROM pgtrack.help('undo') h, string_to_table(h.call, E'\\n') c, string_to_table(h.description, E'\\n') d) w",
                "t",
            )
            .await;
        session
            .check(
                "SELECT call, description FROM pgtrack.help() LIMIT 3 OFFSET 8",
                "
            undo_last|Undoes your latest transaction that is no undo itself, in one step
            undo|Undoes the last change of one row
            undo_transaction|Undoes everything a transaction did to tracked tables, in one step",
            )
            .await;
        // A twin that only plans, and the form for several columns, are with their verb.
        session.check("SELECT count(*) FROM pgtrack.help() WHERE call ~ '^plan_|_pk$'", "2").await;
        assert_eq!(
            session.error("SELECT pgtrack.help('nothing')").await,
            "42883: there is no function \"nothing\"\nHINT: SELECT * FROM pgtrack.help() lists them."
        );
    });
}

#[test]
fn version_and_info_answer() {
    on_each_version(async |session| {
        session.check("SELECT pgtrack.version()", "1.0").await;
        session.check("SELECT value FROM pgtrack.info() WHERE property IN ('version', 'tracked tables', 'DDL on tracked tables')", "
            1.0
            0
            followed").await;
    });
}

#[test]
fn a_superuser_does_not_install_into_somebody_else_s_schema() {
    on_each_version(async |session| {
        let uninstall = without_psql_lines(include_str!("../../../sql/pg_track--uninstall.sql"));
        session.run(&uninstall).await;
        session
            .run("CREATE ROLE mallory; CREATE SCHEMA pgtrack_history AUTHORIZATION mallory")
            .await;
        let script = without_psql_lines(include_str!("../../../sql/pg_track--1.0.sql"));
        let error = session.error(&format!("BEGIN; {script}; COMMIT")).await;
        assert!(error.starts_with("42501: the schemas \"pgtrack\" and \"pgtrack_history\" belong to a role that is not a superuser"), "{error}");
        session.run("ROLLBACK; DROP SCHEMA pgtrack_history; DROP ROLE mallory").await;
    });
}
