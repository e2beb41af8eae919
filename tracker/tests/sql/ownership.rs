//! Whose rights things run with: nobody gains one through pg_track, and nobody but its triggers writes history.

use crate::support::{Session, on_each_own_server, on_outer_versions, without_psql_lines};

const SCRIPT: &str = include_str!("../../../sql/pg_track--1.0.sql");
/// What the first build of this version installed.
const REVISION_1: &str = include_str!("../upgrade/revision-1.sql");

async fn run_script(session: &Session, script: &str) {
    session.run(&format!("BEGIN; {}; COMMIT", without_psql_lines(script))).await;
}

#[test]
fn what_runs_with_more_than_the_caller_s_rights_is_the_owner_s_and_closed() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                 CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT; SELECT pgtrack.track('p')",
            )
            .await;
        let functions = "FROM pg_proc p WHERE p.pronamespace IN ('pgtrack'::regnamespace, 'pgtrack_history'::regnamespace)";
        session.check(&format!("SELECT p.oid::regprocedure {functions} AND pg_get_userbyid(p.proowner) <> 'pgtrack_owner'"), "").await;
        session
            .check(
                "SELECT rolcanlogin, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
                        (SELECT string_agg(m.roleid::regrole::text, ',') FROM pg_auth_members m WHERE m.member = r.oid)
                 FROM pg_roles r WHERE rolname = 'pgtrack_owner'",
                "f|f|f|f|f|t|pg_read_all_stats",
            )
            .await;
        // A definer's search_path is pinned; a recorder, where that would cost, names everything in full.
        session
            .check(
                &format!(
                    "SELECT p.oid::regprocedure {functions} AND p.prosecdef AND NOT coalesce(p.proconfig::text LIKE '%search_path=pg_catalog, pg_temp%', false)
                     AND p.proname !~ '^(record|claim_moves|enter|leave)_'"
                ),
                "",
            )
            .await;
        session
            .check(
                &format!(
                    "SELECT p.proname FROM (SELECT p.* {functions} AND p.prosecdef) p
                     WHERE has_function_privilege('pg_monitor', p.oid, 'EXECUTE') GROUP BY 1 ORDER BY 1"
                ),
                PUBLIC_DEFINERS,
            )
            .await;
        session.check(&format!("SELECT p.oid::regprocedure {functions} AND p.pronamespace = 'pgtrack_history'::regnamespace
                                 AND has_function_privilege('pg_monitor', p.oid, 'EXECUTE')"), "").await;
        session
            .check(
                "SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace IN ('pgtrack'::regnamespace, 'pgtrack_history'::regnamespace)
                 AND pg_get_userbyid(c.relowner) NOT IN ('pgtrack_owner', 'pgtrack_activity')",
                "",
            )
            .await;
    });
}

/// The functions that run as the owner of pg_track and that everybody may call.
const PUBLIC_DEFINERS: &str = "
    _begin_call
    _command_id
    _concerns_hidden
    _end_call
    _entry
    _find_last
    _has_erasures
    _is_as_myself
    _is_erased
    _permit_as_myself
    _purged_versions_of
    _require_present_snapshot
    _tell_by_rows";

#[test]
fn a_database_s_own_path_leads_nobody_astray() {
    on_outer_versions(async |session| {
        session
            .run(&without_psql_lines(include_str!("../../../sql/pg_track--uninstall.sql")))
            .await;
        // Domains that look like types of PostgreSQL's, for whoever does not say which are meant.
        session
            .run(
                "CREATE SCHEMA theirs; CREATE TABLE theirs.called (who text);
                 CREATE FUNCTION theirs.note() RETURNS boolean LANGUAGE plpgsql AS
                 'BEGIN INSERT INTO theirs.called VALUES (current_user); RETURN true; END'",
            )
            .await;
        for kind in
            ["bool", "boolean", "text", "name", "integer", "int4", "bigint", "int8", "jsonb"]
        {
            let meant = match kind {
                "boolean" => "bool",
                "integer" => "int4",
                "bigint" => "int8",
                other => other,
            };
            session
                .run(&format!(
                    "CREATE DOMAIN theirs.\"{kind}\" AS pg_catalog.{meant} CHECK (theirs.note())"
                ))
                .await;
        }
        session.run("SET search_path = theirs, pg_catalog, public").await;
        run_script(&session, SCRIPT).await;
        session
            .run(
                "CREATE TABLE public.t (id pg_catalog.int4 PRIMARY KEY, v pg_catalog.varchar); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'; SELECT pgtrack.log(1), pgtrack.history('t', 1), pgtrack.undo('t', 1);
                 ALTER TABLE t ADD COLUMN w pg_catalog.int4; SELECT pgtrack.keep('t'); DROP TABLE t; SELECT pgtrack.recover('t', schema => 'public')",
            )
            .await;
        session.check("TABLE theirs.called", "").await;
    });
}

#[test]
fn a_name_cannot_end_the_code_that_is_written_for_a_table() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE intruder_name LOGIN; CREATE SCHEMA inj AUTHORIZATION intruder_name; CREATE TABLE inj.own (id int PRIMARY KEY);
                 ALTER TABLE inj.own OWNER TO intruder_name; SELECT pgtrack.track('inj')",
            )
            .await;
        let intruder = session.another_as("intruder_name").await;
        intruder.run("SET check_function_bodies = off").await;
        for tag in ["$record$", "$_$", "$$", "'", "''", "\\'", "$body$", "$create$"] {
            let name = format!("{tag};ALTER ROLE intruder_name SUPERUSER;SELECT {tag}")
                .replace('"', "\"\"");
            intruder
                .run(&format!(
                    "CREATE TABLE inj.\"{name}\" (id int PRIMARY KEY, v text); INSERT INTO inj.\"{name}\" VALUES (1, 'a');
                     UPDATE inj.\"{name}\" SET v = 'b'; UPDATE inj.\"{name}\" SET id = 2; TRUNCATE inj.\"{name}\""
                ))
                .await;
            intruder
                .run(&format!(
                    "ALTER TABLE inj.own ADD COLUMN \"{name}\" text; INSERT INTO inj.own VALUES (1); UPDATE inj.own SET \"{name}\" = 'x'; DELETE FROM inj.own"
                ))
                .await;
        }
        session.check("SELECT rolsuper FROM pg_roles WHERE rolname = 'intruder_name'", "f").await;
        session.check("SELECT * FROM pgtrack.verify(gaps => false)", "").await;
        session.run("DROP OWNED BY intruder_name CASCADE; DROP ROLE intruder_name").await;
    });
}

#[test]
fn nobody_but_the_triggers_of_a_table_writes_its_history() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE intruder_forge LOGIN; CREATE TABLE victim (id int PRIMARY KEY, v text); SELECT pgtrack.track('victim');
                 INSERT INTO victim VALUES (2, 'true'); CREATE TABLE own (id int PRIMARY KEY, v text); ALTER TABLE own OWNER TO intruder_forge;
                 SELECT pgtrack.track('own'); CREATE TABLE nested (id int PRIMARY KEY, v text); ALTER TABLE nested OWNER TO intruder_forge",
            )
            .await;
        let intruder = session.another_as("intruder_forge").await;
        intruder.run("CREATE TEMP TABLE f (id int PRIMARY KEY, v text)").await;
        for table in ["f", "own"] {
            for (kind, event) in [("insert", "INSERT"), ("update", "UPDATE"), ("delete", "DELETE")]
            {
                let referencing = if kind == "insert" {
                    "NEW TABLE AS pgtrack_new"
                } else {
                    "OLD TABLE AS pgtrack_old"
                };
                let error = intruder
                    .error(&format!(
                        "CREATE TRIGGER y AFTER {event} ON {table} REFERENCING {referencing} FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.record_{kind}_1()"
                    ))
                    .await;
                assert!(
                    error.starts_with(
                        "42501: permission denied for function pgtrack_history.record_"
                    ),
                    "{error}"
                );
            }
        }
        for function in ["record_key_1", "record_truncate_1"] {
            let error = intruder.error(&format!("CREATE TRIGGER y AFTER UPDATE ON f FOR EACH ROW EXECUTE FUNCTION pgtrack_history.{function}()")).await;
            assert!(error.starts_with("42501: permission denied for function"), "{error}");
        }
        // Not even an administrator's mistake writes the history of another table.
        session
            .run(
                "CREATE TABLE other (id int PRIMARY KEY, v text); INSERT INTO other VALUES (2, 'forged');
                 CREATE TRIGGER y AFTER UPDATE ON other REFERENCING OLD TABLE AS pgtrack_old FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.record_update_1();
                 CREATE TRIGGER k AFTER UPDATE ON other FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION pgtrack_history.record_key_1()",
            )
            .await;
        for statement in ["UPDATE other SET v = 'x'", "UPDATE other SET id = 3"] {
            let error = session.error(statement).await;
            assert!(
                error.starts_with("55000: this function does not record the changes of "),
                "{error}"
            );
        }
        // The right to make triggers lasts no longer than the command that needs them.
        session.run("GRANT CREATE ON SCHEMA public TO intruder_forge").await;
        intruder.run("CREATE FUNCTION nest() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE own SET v = v WHERE false; RETURN NULL; END'").await;
        intruder.run("CREATE TRIGGER zz AFTER UPDATE ON own FOR EACH ROW EXECUTE FUNCTION nest(); ALTER TABLE own ADD COLUMN w int").await;
        let error = intruder.error("CREATE TRIGGER y BEFORE UPDATE ON f FOR EACH STATEMENT EXECUTE FUNCTION pgtrack_history.open_2()").await;
        assert!(
            error.starts_with("42501: permission denied for function pgtrack_history.open_2"),
            "{error}"
        );
        session
            .check(
                "SELECT p.proname FROM pg_proc p CROSS JOIN aclexplode(p.proacl) a
                 WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND a.grantee <> p.proowner",
                "",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.activity", "1").await;
        session.run("DROP OWNED BY intruder_forge CASCADE; DROP ROLE intruder_forge").await;
    });
}

/// A table with a trigger that may nest, and a row that somebody else changes meanwhile.
const NESTS: &str = "CREATE TABLE t (id int PRIMARY KEY, v int);
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN UPDATE t SET v = v + 1 WHERE id = new.id AND v < 0; RETURN NULL; END$$;
    CREATE TRIGGER touch AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();
    SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 0), (2, 0)";

#[test]
fn no_setting_of_a_client_decides_a_number() {
    on_outer_versions(async |session| {
        session.run(NESTS).await;
        session.run("UPDATE t SET v = 1 WHERE id = 1").await;
        for (setting, value) in [
            ("pgtrack.open", "1:1U:-5"),
            ("pgtrack.open", "1 1:1U:1000000"),
            (
                "pgtrack.open",
                "1 1:1U:1000000 0000000000000000000000000000000000000000000000000000000000000000",
            ),
            ("pgtrack.open", "1:1U"),
            ("pgtrack.open", ""),
            ("pgtrack.open_1", "1U:-5"),
        ] {
            session.run(&format!("UPDATE t SET v = v + 1 WHERE id = 1 AND set_config('{setting}', '{value}', true) IS NOT NULL")).await;
            session.run(&format!("BEGIN; SET LOCAL {setting} = '{value}'; UPDATE t SET v = v + 1 WHERE id = 1; COMMIT")).await;
        }
        // Every change is there, in order, and in the log.
        session
            .check(
                "SELECT count(*), bool_and(before ->> 'v' = (ver - 2)::text), max(statement_id) < 100 FROM pgtrack.history('t', 1) WHERE op = 'UPDATE'",
                "13|t|t",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn an_old_note_of_an_open_statement_is_worth_nothing() {
    on_outer_versions(async |session| {
        session.run(NESTS).await;
        let other = session.another().await;
        // A statement with a number of its own that changes nothing: its note is kept, and put back in a later one.
        session
            .run(
                "CREATE TABLE notes (n int, note text); CREATE FUNCTION keep_note() RETURNS trigger LANGUAGE plpgsql AS
                 $$BEGIN IF pg_trigger_depth() > 1 OR current_setting('test.notes', true) IS DISTINCT FROM 'on' THEN RETURN NULL; END IF;
                   UPDATE t SET v = v WHERE id = 2; INSERT INTO notes SELECT 1, current_setting('pgtrack.open', true); RETURN NULL; END$$;
                 CREATE TRIGGER zzz BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION keep_note()",
            )
            .await;
        session.run("BEGIN; SET LOCAL test.notes = 'on'; UPDATE t SET v = 0 WHERE false").await;
        session.check("SELECT bool_and(note ~ ' 1:1U:[0-9]+ ') FROM notes", "t").await;
        other.run("UPDATE t SET v = 200 WHERE id = 1").await;
        session
            .run(
                "SET LOCAL test.notes = 'off';
                 UPDATE t SET v = 666 WHERE id = 1 AND set_config('pgtrack.open', (SELECT max(note) FROM notes), true) IS NOT NULL; COMMIT",
            )
            .await;
        session
            .check(
                "SELECT ver, before ->> 'v', after ->> 'v' FROM pgtrack.history('t', 1)",
                "1|~|0
                 2|0|200
                 3|200|666",
            )
            .await;
    });
}

#[test]
fn a_savepoint_that_is_rolled_back_leaves_the_order_of_what_was_before_it() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text);
                 CREATE FUNCTION nest() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   IF pg_trigger_depth() > 1 THEN RETURN NULL; END IF;
                   UPDATE t SET v = v || '1' WHERE id = new.id;
                   BEGIN UPDATE t SET v = v || 'lost' WHERE id = new.id; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END;
                   UPDATE t SET v = v || '2' WHERE id = new.id; RETURN NULL; END$$;
                 CREATE TRIGGER nest AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nest(); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a')",
            )
            .await;
        session
            .check(
                "SELECT ver, op, before ->> 'v', after ->> 'v' FROM pgtrack.history('t', 1)",
                "1|INSERT|~|a
                 2|UPDATE|a|a1
                 3|UPDATE|a1|a12",
            )
            .await;
    });
}

#[test]
fn ddl_is_followed_whatever_a_client_sets() {
    on_outer_versions(async |session| {
        session.run("CREATE SCHEMA s; CREATE TABLE s.guarded (id int PRIMARY KEY, v text); SELECT pgtrack.track('s', '{\"on_drop\": \"refuse\"}')").await;
        session.run("SET pgtrack.following = 'on'; CREATE TABLE s.made (id int PRIMARY KEY)").await;
        session.check("SELECT count(*) FROM pgtrack.tracked_table WHERE name = 'made'", "1").await;
        let error = session.error("ALTER TABLE s.guarded ALTER COLUMN v TYPE varchar").await;
        assert!(
            error.starts_with("55000: cannot change the type of column v of s.guarded"),
            "{error}"
        );
    });
}

#[test]
fn an_advisory_lock_keeps_nobody_from_tracking() {
    on_outer_versions(async |session| {
        let other = session.another().await;
        other.run("SELECT pg_advisory_lock(7380416283001)").await;
        session.run("SET statement_timeout = '20s'; CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t'); SELECT pgtrack.untrack('t')").await;
    });
}

#[test]
fn who_reads_history_keeps_nobody_from_altering_and_writing_the_table() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        let reader = session.another().await;
        reader.run("BEGIN; SELECT * FROM pgtrack_history.t_1").await;
        session.run("SET statement_timeout = '20s'").await;
        session.run("ALTER TABLE t ADD COLUMN w int DEFAULT 7; UPDATE t SET v = 'b'; ALTER TABLE t RENAME COLUMN v TO z; UPDATE t SET z = 'c'").await;
        session
            .check("SELECT ver, after ->> 'z' FROM pgtrack.history('t', 1)", "1|a\n2|b\n3|c")
            .await;
        reader.run("COMMIT").await;
        // From here on the new column is known.
        session.run("UPDATE t SET w = 8; UPDATE t SET w = 9").await;
        session
            .check(
                "SELECT before FROM pgtrack.history('t', 1) ORDER BY ver DESC LIMIT 1",
                r#"{"w": 8, "z": "c", "id": 1}"#,
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn a_role_that_may_create_roles_installs_and_the_tables_owner_too() {
    on_each_own_server(&[], async |session| {
        session
            .run(&without_psql_lines(include_str!("../../../sql/pg_track--uninstall.sql")))
            .await;
        session.run("DROP OWNED BY pgtrack_owner; DROP ROLE pgtrack_owner, pgtrack_reader, pgtrack_activity").await;
        for (role, attribute, owner) in [
            (
                "plain",
                "",
                "plain, not pgtrack_owner: install as a superuser, or as a role that may create roles",
            ),
            ("maker", "CREATEROLE", "pgtrack_owner"),
        ] {
            let database = session.database.name();
            session.run(&format!("CREATE ROLE {role} LOGIN {attribute}; GRANT CREATE ON DATABASE {database} TO {role}")).await;
            let installer = session.another_as(role).await;
            run_script(&installer, SCRIPT).await;
            run_script(&installer, SCRIPT).await;
            installer
                .run(
                    "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, v text); SELECT pgtrack.track('s'); INSERT INTO s.t VALUES (1, 'a');
                     UPDATE s.t SET v = 'b'; ALTER TABLE s.t ADD w int; UPDATE s.t SET w = 1; TRUNCATE s.t",
                )
                .await;
            installer
                .check(
                    "SELECT ver, op FROM pgtrack.history('s.t', 1)",
                    "1|INSERT\n2|UPDATE\n3|UPDATE\n4|TRUNCATE",
                )
                .await;
            installer
                .check("SELECT value FROM pgtrack.info() WHERE property = 'owner'", owner)
                .await;
            installer.run("SELECT pgtrack.restore('s.t', 1); DROP SCHEMA s CASCADE").await;
            session.run("DROP SCHEMA pgtrack_history CASCADE; DROP SCHEMA pgtrack CASCADE").await;
            session.run(&format!("DROP OWNED BY {role}")).await;
        }
        // Whoever made the owner can become it, so a superuser puts nothing into its hands.
        let again = format!("BEGIN; {}; COMMIT", without_psql_lines(SCRIPT));
        let error = session.error(&again).await;
        assert!(
            error.starts_with(
                "55000: the role \"pgtrack_owner\" is in the hands of roles that are no superusers"
            ),
            "{error}"
        );
        session.run("ROLLBACK; REVOKE pgtrack_owner, pgtrack_activity FROM maker CASCADE").await;
        run_script(&session, SCRIPT).await;
    });
}

#[test]
fn an_installation_of_the_first_build_is_moved_to_the_owner_with_its_history() {
    on_outer_versions(async |session| {
        session
            .run(&without_psql_lines(include_str!("../../../sql/pg_track--uninstall.sql")))
            .await;
        run_script(&session, REVISION_1).await;
        session
            .run(
                "CREATE ROLE app_upgrade LOGIN; CREATE SCHEMA app AUTHORIZATION app_upgrade; SET ROLE app_upgrade;
                 CREATE TYPE app.mood AS ENUM ('sad', 'glad');
                 CREATE TABLE app.t (id int PRIMARY KEY, v text, m app.mood, doc json);
                 CREATE TABLE app.p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE app.p1 PARTITION OF app.p DEFAULT;
                 CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE app.n SET v = v WHERE false; RETURN NULL; END';
                 CREATE TABLE app.n (id int PRIMARY KEY, v text);
                 CREATE TRIGGER touch AFTER UPDATE ON app.n FOR EACH ROW EXECUTE FUNCTION app.touch();
                 RESET ROLE; SELECT pgtrack.track('app')",
            )
            .await;
        let write = "INSERT INTO app.t VALUES (1, 'a', 'sad', '{}'); UPDATE app.t SET m = 'glad'; UPDATE app.t SET id = 2; UPDATE app.t SET v = 'b';
                     INSERT INTO app.p VALUES (1, 'a'); UPDATE app.p SET v = 'b'; INSERT INTO app.n VALUES (1, 'a'); UPDATE app.n SET v = 'b';
                     DELETE FROM app.n; DELETE FROM app.p; DELETE FROM app.t";
        let app = session.another_as("app_upgrade").await;
        app.run(write).await;
        let read = "SELECT ver, op, before ->> 'm', after ->> 'm', before ->> 'v' FROM pgtrack.history('app.t', 2)";
        let before = session.rows(read).await;
        let writer = session.another_as("app_upgrade").await;
        let busy = tokio::spawn(async move {
            for id in 100..140 {
                writer.run(&format!("INSERT INTO app.t VALUES ({id}, 'x', 'sad'); UPDATE app.t SET v = 'y' WHERE id = {id}")).await;
            }
        });
        run_script(&session, SCRIPT).await;
        busy.await.unwrap();
        assert_eq!(session.rows(read).await, before);
        session.check("SELECT count(*), sum(row_count) FROM pgtrack.activity WHERE table_name = 'app.t' AND query ~ 'VALUES \\(1[0-9][0-9], ''x''|= 1[0-9][0-9]$'", "80|80").await;
        app.run("UPDATE app.t SET m = 'sad' WHERE id = 100; ALTER TABLE app.t ADD COLUMN w int; TRUNCATE app.t").await;
        session.run("SELECT pgtrack.restore('app.t', 100)").await;
        session.check("SELECT v, m FROM app.t", "y|sad").await;
        session
            .check(
                "SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace IN ('pgtrack'::regnamespace, 'pgtrack_history'::regnamespace)
                 AND pg_get_userbyid(p.proowner) <> 'pgtrack_owner'",
                "",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.check("SELECT revision FROM pgtrack.installed_version", "5").await;
        session.run("DROP OWNED BY app_upgrade CASCADE; DROP ROLE app_upgrade").await;
    });
}
