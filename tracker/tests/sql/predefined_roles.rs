//! Roles of PostgreSQL's that have a right on every table: they read no keys, and write nothing of pg_track's.

use crate::support::{Session, on_outer_versions, without_psql_lines};

const SCRIPT: &str = include_str!("../../../sql/pg_track--1.0.sql");
/// Our ordinary tables, with the schema that they are in.
const TABLES: &str = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname IN ('pgtrack', 'pgtrack_history') AND c.relkind = 'r'";

async fn with_history(session: &Session) {
    session
        .run(
            "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'), (2, 'b');
             UPDATE t SET v = 'c' WHERE id = 1; UPDATE t SET id = 3 WHERE id = 2;
             CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT; SELECT pgtrack.track('p')",
        )
        .await;
}

#[test]
fn each_table_is_closed_by_row_security_or_a_trigger() {
    on_outer_versions(async |session| {
        with_history(&session).await;
        session.run("SELECT pgtrack.keep('t')").await;
        session
            .check(
                &format!(
                    "SELECT c.relname {TABLES} AND NOT c.relrowsecurity
                     AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'pgtrack_closed' AND t.tgenabled = 'A')"
                ),
                "",
            )
            .await;
        // A policy for everybody that lets somebody write asks who that is.
        session
            .check(
                "SELECT p.polrelid::regclass, p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
                 WHERE c.relnamespace::regnamespace::text LIKE 'pgtrack%' AND p.polcmd <> 'r' ORDER BY 2",
                "
                pgtrack.audit_entry|service_completes
                pgtrack.audit_entry|service_records",
            )
            .await;
        // What has a publication of all tables over it can be changed.
        session
            .check(
                &format!(
                    "SELECT c.relname {TABLES} AND c.relpersistence = 'p' AND c.relreplident <> 'f'
                     AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"
                ),
                "",
            )
            .await;
        // Through a view its owner's rights would count.
        session
            .check(
                "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'pgtrack'::regnamespace AND c.relkind = 'v'
                 AND pg_relation_is_updatable(c.oid, true) <> 0",
                "",
            )
            .await;
    });
}

#[test]
fn who_may_read_all_data_reads_no_keys_and_no_copies() {
    on_outer_versions(async |session| {
        with_history(&session).await;
        let copy =
            session.rows("SELECT pgtrack.keep('t'); SELECT kept_table FROM pgtrack.kept").await;
        session
            .run(
                "CREATE ROLE reads_all LOGIN; GRANT pg_read_all_data TO reads_all; CREATE ROLE reads_copy LOGIN; GRANT USAGE ON SCHEMA pgtrack_history TO reads_copy",
            )
            .await;
        let reader = session.another_as("reads_all").await;
        for table in [
            "pgtrack.secret",
            "pgtrack.proxy_key",
            "pgtrack.audit_entry",
            &format!("pgtrack_history.\"{copy}\""),
        ] {
            reader.check(&format!("SELECT count(*) FROM {table}"), "0").await;
            session.check(&format!("SELECT count(*) > 0 FROM {table}"), "t").await;
        }
        reader.check("SELECT count(*) FROM pgtrack.history('t', 1)", "2").await;
        // Who is granted the copy itself reads it, and so does the proxy its key.
        session.run(&format!("GRANT SELECT (id) ON pgtrack_history.\"{copy}\" TO reads_copy; SELECT pgtrack.grant_service('reads_copy')")).await;
        let granted = session.another_as("reads_copy").await;
        granted.check(&format!("SELECT count(id) FROM pgtrack_history.\"{copy}\""), "2").await;
        granted.check("SELECT count(*) FROM pgtrack.proxy_key", "1").await;
        session.run("DROP OWNED BY reads_all, reads_copy; DROP ROLE reads_all, reads_copy").await;
    });
}

/// The owner's code runs while a column comes back, which the owner reads in a view of the copy that has no more.
#[test]
fn a_column_comes_back_without_showing_the_others_to_who_may_read_all_data() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE reads_copies; GRANT pg_read_all_data TO reads_copies; CREATE TABLE t (id int PRIMARY KEY, a text, secret text);
                 INSERT INTO t VALUES (1, 'a', 'secret'); SELECT pgtrack.track('t'); SELECT pgtrack.keep('t'); ALTER TABLE t DROP a, DROP secret;
                 ALTER TABLE t OWNER TO reads_copies; GRANT CREATE ON SCHEMA public TO reads_copies; SET ROLE reads_copies; CREATE TABLE loot (x text);
                 CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$DECLARE k text; BEGIN
                   FOR k IN SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'pgtrack_history'::regnamespace AND c.relkind IN ('r', 'v') LOOP
                     EXECUTE 'INSERT INTO loot SELECT c::text FROM ' || k || ' c';
                   END LOOP;
                   RETURN NEW; END$$;
                 CREATE TRIGGER look BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION look(); RESET ROLE; SELECT pgtrack.recover('t', 'a')",
            )
            .await;
        session.check("TABLE t", "1|a").await;
        session
            .check(
                "SELECT count(*) > 0, count(*) FILTER (WHERE x LIKE '%secret%') FROM loot",
                "t|0",
            )
            .await;
        session.check("SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrack_history'::regnamespace AND relkind = 'v'", "0").await;
        session.run("DROP OWNED BY reads_copies CASCADE; DROP ROLE reads_copies").await;
    });
}

#[test]
fn who_may_write_all_data_writes_nothing_of_ours() {
    on_outer_versions(async |session| {
        with_history(&session).await;
        session
            .run("SELECT pgtrack.keep('t'); CREATE ROLE writes_all LOGIN; GRANT pg_read_all_data, pg_write_all_data TO writes_all")
            .await;
        let writer = session.another_as("writes_all").await;
        nothing_is_written(&session, &writer).await;
        // It writes the application's tables, and that is recorded.
        writer.run("UPDATE t SET v = 'd' WHERE id = 1").await;
        session
            .check(
                "SELECT before ->> 'v', who FROM pgtrack.history('t', 1) ORDER BY ver DESC LIMIT 1",
                "c|writes_all",
            )
            .await;
        session.run("DROP OWNED BY writes_all; DROP ROLE writes_all").await;
    });
}

#[test]
fn where_an_ordinary_role_installed_it_nobody_else_writes_either() {
    on_outer_versions(async |session| {
        session
            .run(&without_psql_lines(include_str!("../../../sql/pg_track--uninstall.sql")))
            .await;
        session
            .run(
                "CREATE ROLE installs_alone LOGIN; CREATE ROLE writes_else LOGIN; GRANT pg_read_all_data, pg_write_all_data TO writes_else;
                 GRANT CREATE ON SCHEMA public TO installs_alone",
            )
            .await;
        session
            .run(&format!(
                "GRANT CREATE ON DATABASE \"{}\" TO installs_alone",
                session.rows("SELECT current_database()").await
            ))
            .await;
        let owner = session.another_as("installs_alone").await;
        owner.run(&format!("BEGIN; {}; COMMIT", without_psql_lines(SCRIPT))).await;
        owner.check("SELECT relforcerowsecurity FROM pg_class WHERE oid = 'pgtrack.statement'::regclass", "t").await;
        with_history(&owner).await;
        nothing_is_written(&owner, &session.another_as("writes_else").await).await;
        owner.run("SELECT pgtrack.undo('t', 1)").await;
        owner.check("SELECT v FROM t WHERE id = 1", "a").await;
        session.run("DROP OWNED BY writes_else; DROP ROLE writes_else; DROP OWNED BY installs_alone CASCADE; DROP ROLE installs_alone").await;
    });
}

/// Tries to change every table, row by row and whole, and compares what is in them.
async fn nothing_is_written(session: &Session, writer: &Session) {
    let tables = session
        .rows(
            "SELECT c.oid::regclass, quote_ident(a.attname) FROM pg_attribute a, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname IN ('pgtrack', 'pgtrack_history') AND c.relkind IN ('r', 'v')
               AND a.attrelid = c.oid AND a.attnum = 1"
        )
        .await;
    let contents = async |table: &str| {
        session
            .rows(&format!("SELECT md5(string_agg(x::text, ',' ORDER BY x::text)) FROM {table} x"))
            .await
    };
    for line in tables.lines() {
        let (table, column) = line.split_once('|').expect("two columns");
        let before = contents(table).await;
        for statement in [
            format!("UPDATE {table} SET {column} = {column}"),
            format!("DELETE FROM {table}"),
            format!("INSERT INTO {table} SELECT * FROM {table}"),
            format!("INSERT INTO {table} DEFAULT VALUES"),
            format!("TRUNCATE {table}"),
        ] {
            // Some are an error, the others do nothing.
            writer
                .run(&format!("DO $do$BEGIN {statement}; EXCEPTION WHEN OTHERS THEN NULL; END$do$"))
                .await;
            assert_eq!(contents(table).await, before, "{statement}");
        }
    }
}
