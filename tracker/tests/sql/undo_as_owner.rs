//! Whoever undoes with more rights than a table's owner has does not lend them to the owner's code.

use crate::support::{Session, on_outer_versions};

/// A table of a role of that name whose trigger, deferred trigger, default, CHECK and domain CHECK note who runs them.
async fn noting_table(session: &Session, owner: &str) {
    session
        .run(&format!(
            "CREATE ROLE {owner} LOGIN; CREATE SCHEMA {owner} AUTHORIZATION {owner}; CREATE TABLE noted (what text, who text, is_super boolean, person text);
             GRANT ALL ON noted TO {owner}; SET ROLE {owner}; SET search_path = {owner};
             CREATE FUNCTION note(what text) RETURNS boolean LANGUAGE plpgsql AS
             $$BEGIN INSERT INTO public.noted SELECT what, current_user, rolsuper, session_user FROM pg_catalog.pg_roles WHERE rolname = current_user; RETURN true; END$$;
             CREATE FUNCTION noting() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
               PERFORM {owner}.note(TG_ARGV[0]);
               BEGIN
                 EXECUTE 'RESET ROLE';
                 PERFORM {owner}.note('escaped');
               EXCEPTION WHEN insufficient_privilege THEN NULL;
               END;
               RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END; END$$;
             CREATE DOMAIN checked AS int CHECK ({owner}.note('domain'));
             CREATE TABLE t (id int PRIMARY KEY, v checked, CHECK ({owner}.note('check')));
             CREATE TRIGGER x BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION noting('trigger');
             CREATE CONSTRAINT TRIGGER y AFTER INSERT OR UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION noting('deferred');
             RESET ROLE; RESET search_path; SELECT pgtrack.track('{owner}.t'); SET ROLE {owner}; INSERT INTO {owner}.t VALUES (1, 1), (2, 1)"
        ))
        .await;
    session.run(&format!("UPDATE {owner}.t SET v = 2")).await;
    // What was recorded before the column existed has its default.
    session.run(&format!("ALTER TABLE {owner}.t ADD COLUMN d boolean DEFAULT {owner}.note('default'); RESET ROLE; TRUNCATE noted")).await;
}

async fn drop(session: &Session, owner: &str) {
    session.run(&format!("DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}")).await;
}

#[test]
fn a6_a_superuser_s_undo_runs_the_owner_s_code_as_the_owner() {
    on_outer_versions(async |session| {
        noting_table(&session, "undone").await;
        session.run("SELECT pgtrack.tag('x')").await;
        let all = "check|deferred|domain|trigger";
        let latest = "pgtrack.log(1, on_table => 'undone.t')";
        for (change, call, expected) in [
            ("", "SELECT pgtrack.undo('undone.t', 1)".to_owned(), all),
            (
                "DELETE FROM undone.t WHERE id = 1",
                "SELECT pgtrack.restore('undone.t', 1)".to_owned(),
                all,
            ),
            (
                "INSERT INTO undone.t VALUES (3, 1)",
                format!("SELECT pgtrack.undo_transaction(xid) FROM {latest}"),
                "trigger",
            ),
            (
                "UPDATE undone.t SET v = 7",
                format!("SELECT pgtrack.undo_transaction(xid) FROM {latest}"),
                all,
            ),
            (
                "DELETE FROM undone.t WHERE id = 1",
                "SELECT pgtrack.revert('undone.t', 1, 1)".to_owned(),
                "check|default|deferred|domain|trigger",
            ),
            (
                "UPDATE undone.t SET v = 8",
                "SELECT pgtrack.revert_table('undone.t', 'x')".to_owned(),
                all,
            ),
            (
                "UPDATE undone.t SET v = 9",
                format!(
                    "SELECT pgtrack.undo_batch(c.choice, b.rows) FROM (SELECT jsonb_build_object('xid', xid) AS choice FROM {latest}) c, pgtrack.plan_batches(c.choice) b"
                ),
                all,
            ),
        ] {
            session.run(change).await;
            session.run("TRUNCATE noted").await;
            session.run(&call).await;
            session
                .check("SELECT string_agg(DISTINCT what, '|' ORDER BY what) FROM noted", expected)
                .await;
            session
                .check("SELECT DISTINCT who, is_super, person FROM noted", "undone|f|postgres")
                .await;
            session
                .check(
                    "SELECT current_user, current_setting('role'), current_setting('search_path')",
                    "postgres|none|\"$user\", public",
                )
                .await;
        }
        // The person is who logged in, and no role was set.
        session.check("SELECT DISTINCT user_name, role_name FROM pgtrack.statement WHERE reverts IS NOT NULL", "postgres|none").await;
        drop(&session, "undone").await;
    });
}

#[test]
fn a_member_s_undo_runs_as_the_owner_too_and_anybody_else_s_as_themselves() {
    on_outer_versions(async |session| {
        noting_table(&session, "group_owner").await;
        session.run("CREATE ROLE group_member LOGIN IN ROLE group_owner; CREATE ROLE group_writer LOGIN; GRANT USAGE ON SCHEMA group_owner TO group_writer;
                     GRANT ALL ON group_owner.t, noted TO group_writer").await;
        for (role, runs_as) in [
            ("group_member", "group_owner"),
            ("group_writer", "group_writer"),
            ("group_owner", "group_owner"),
        ] {
            session.run("TRUNCATE noted").await;
            let caller = session.another_as(role).await;
            caller.run("SELECT pgtrack.undo('group_owner.t', 1)").await;
            session
                .check(
                    "SELECT DISTINCT who, is_super, person FROM noted WHERE what = 'trigger'",
                    &format!("{runs_as}|f|{role}"),
                )
                .await;
        }
        // In somebody's function with rights of its own, the caller is its owner.
        session.run("CREATE FUNCTION undo_for_all() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$SELECT pgtrack.undo('group_owner.t', 1)$$; TRUNCATE noted").await;
        let caller = session.another_as("group_writer").await;
        caller.run("SELECT undo_for_all()").await;
        session
            .check(
                "SELECT DISTINCT who, is_super, person FROM noted WHERE what = 'trigger'",
                "group_owner|f|group_writer",
            )
            .await;
        session
            .run("DROP OWNED BY group_writer; DROP ROLE group_member; DROP ROLE group_writer")
            .await;
        drop(&session, "group_owner").await;
    });
}

#[test]
fn what_a_deferred_trigger_puts_off_again_does_not_run_as_a_superuser() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE putting_off LOGIN; CREATE SCHEMA putting_off AUTHORIZATION putting_off; CREATE TABLE who (name name, is_super boolean);
                 GRANT ALL ON who TO putting_off; SET SESSION AUTHORIZATION putting_off; SET search_path = putting_off, public;
                 CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (v int);
                 CREATE FUNCTION last() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   INSERT INTO public.who SELECT current_user, r.rolsuper FROM pg_roles r WHERE r.rolname = current_user; RETURN NULL; END$$;
                 CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   SET CONSTRAINTS ALL DEFERRED; INSERT INTO putting_off.u VALUES (1); RETURN NULL; END$$;
                 CREATE FUNCTION ever() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   SET CONSTRAINTS ALL DEFERRED; INSERT INTO putting_off.u VALUES (2); RETURN NULL; END$$;
                 CREATE CONSTRAINT TRIGGER a AFTER UPDATE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again();
                 CREATE CONSTRAINT TRIGGER l AFTER INSERT ON u DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION last();
                 INSERT INTO t VALUES (1, 1); RESET SESSION AUTHORIZATION; RESET search_path;
                 SELECT pgtrack.track('putting_off.t'); UPDATE putting_off.t SET v = 2",
            )
            .await;
        session.run("TRUNCATE who").await;
        session.run("SELECT pgtrack.undo('putting_off.t', 1)").await;
        session.check("SELECT DISTINCT name, is_super FROM who", "putting_off|f").await;
        session
            .run("CREATE CONSTRAINT TRIGGER e AFTER INSERT ON putting_off.u DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.v < 3) EXECUTE FUNCTION putting_off.ever(); TRUNCATE who")
            .await;
        // Since PostgreSQL 18 it would run as its owner at COMMIT, too, but would not end there either.
        let error = session.error("SELECT pgtrack.undo('putting_off.t', 1)").await;
        assert!(
            error.starts_with("42501: a deferred trigger puts off its work again and again\n"),
            "{error}"
        );
        session.check("SELECT count(*) FROM who", "0").await;
        session.run("DROP OWNED BY putting_off; DROP ROLE putting_off").await;
    });
}

#[test]
fn nothing_of_an_owner_s_code_outlasts_the_undo_of_a_superuser() {
    on_outer_versions(async |session| {
        noting_table(&session, "lasting").await;
        let replace = |body: &str| {
            format!(
                "CREATE OR REPLACE FUNCTION lasting.noting() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} RETURN NEW; END$$; TRUNCATE noted"
            )
        };
        // What would run later as the superuser, or make them say something else.
        for (command, left) in [
            ("DECLARE d CURSOR WITH HOLD FOR SELECT lasting.note(''cursor'')", "cursor \"d\""),
            ("PREPARE p AS SELECT lasting.note(''prepared'')", "prepared statement \"p\""),
            ("CREATE TEMP VIEW noted AS SELECT lasting.note(''view'')", "temporary view \"noted\""),
            ("SET client_encoding = ''SJIS''", "setting \"client_encoding\""),
            // What SET LOCAL hides until COMMIT.
            (
                "SET standard_conforming_strings = off; SET LOCAL standard_conforming_strings = on",
                "setting \"standard_conforming_strings\"",
            ),
            (
                "SET pgtrack.actor = ''bob''; SET LOCAL pgtrack.actor = ''''",
                "setting \"pgtrack.actor\"",
            ),
            // It would lead what a command of ours fires.
            ("SET pgtrack.search_path = ''lasting''", "setting \"pgtrack.search_path\""),
            ("SET lock_timeout = 1; SET LOCAL lock_timeout = 0", "setting \"lock_timeout\""),
        ] {
            session
                .run(&replace(&format!(
                    "IF TG_ARGV[0] = 'trigger' THEN EXECUTE '{command}'; END IF;"
                )))
                .await;
            session.run("BEGIN").await;
            let error = session.error("SELECT pgtrack.undo('lasting.t', 1)").await;
            let expected = format!(
                "42501: a trigger, default or check of lasting leaves the {left} in your session\n"
            );
            assert!(error.starts_with(&expected), "{error}");
            session.run("ROLLBACK").await;
        }
        session.check("SELECT count(*) FROM noted", "0").await;
        session
            .run(&replace(
                "PERFORM pg_catalog.set_config('search_path', 'lasting, pg_catalog', false);",
            ))
            .await;
        assert_eq!(
            session.error("SELECT pgtrack.undo('lasting.t', 1)").await,
            "42501: a trigger has set search_path for the session\nDETAIL: It runs as lasting, and you have more rights than that."
        );
        session
            .run(&replace(
                "PERFORM pg_catalog.set_config('search_path', 'lasting, pg_catalog', true);",
            ))
            .await;
        session.run("SELECT pgtrack.undo('lasting.t', 1)").await;
        session.check("SHOW search_path", "\"$user\", public").await;
        // An error leaves nothing, either.
        session.run(&replace("RAISE 'not now';")).await;
        session.run("BEGIN; SAVEPOINT s").await;
        assert!(
            session
                .error("SELECT pgtrack.undo('lasting.t', 1)")
                .await
                .starts_with("P0001: not now")
        );
        session.run("ROLLBACK TO s").await;
        session
            .check(
                "SELECT current_user, session_user, current_setting('role')",
                "postgres|postgres|none",
            )
            .await;
        session.run("COMMIT").await;
        // Nor are the functions left by which it is done.
        session.check("SELECT count(*) FROM pg_proc WHERE pronamespace::regnamespace::text LIKE 'pg_temp%'", "0").await;
        // What is put off until COMMIT stays so for the rest of the transaction.
        session.run(&replace("PERFORM lasting.note(TG_ARGV[0]);")).await;
        session.run("BEGIN; SELECT pgtrack.undo('lasting.t', 1); TRUNCATE noted; UPDATE lasting.t SET v = 50 WHERE id = 2").await;
        session.check("SELECT count(*) FROM noted WHERE what = 'deferred'", "0").await;
        session.run("COMMIT").await;
        session.check("SELECT count(*) FROM noted WHERE what = 'deferred'", "1").await;
        drop(&session, "lasting").await;
    });
}

#[test]
fn an_owner_s_code_neither_leaves_nor_takes_what_names_mean() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE takes; CREATE SCHEMA takes AUTHORIZATION takes; SET ROLE takes; CREATE TABLE takes.t (id int PRIMARY KEY, v int);
                 CREATE FUNCTION takes.run() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   EXECUTE coalesce(nullif(current_setting('takes.command', true), ''), 'SELECT 1'); RETURN NULL; END$$;
                 CREATE TRIGGER run AFTER UPDATE ON takes.t EXECUTE FUNCTION takes.run(); RESET ROLE;
                 SELECT pgtrack.track('takes'); INSERT INTO takes.t VALUES (1, 1); UPDATE takes.t SET v = 2; UPDATE takes.t SET v = 3;
                 CREATE TEMP TABLE mine AS SELECT 1 AS n; PREPARE mine AS SELECT 1",
            )
            .await;
        for (command, change) in [
            ("DISCARD TEMP", "takes the temporary "),
            // The function that runs this comes back, too.
            (
                "DO $do$DECLARE f name := (SELECT proname FROM pg_proc WHERE proname LIKE 'pgtrack_run%'); BEGIN DISCARD TEMP; EXECUTE format('CREATE FUNCTION pg_temp.%I(text[], text, text, jsonb) RETURNS SETOF jsonb LANGUAGE sql AS ''SELECT NULL::jsonb''', f); END$do$",
                "leaves the temporary function ",
            ),
            ("DEALLOCATE ALL", "takes the prepared statement \"mine\" out of"),
            (
                "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql RETURN 1",
                "leaves the temporary function \"pg_temp",
            ),
            ("CREATE TYPE pg_temp.e AS ENUM ()", "leaves the temporary type \"e\" in"),
            (
                "CREATE OPERATOR pg_temp.= (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
                "leaves the temporary operator ",
            ),
        ] {
            session
                .run(&format!("SELECT set_config('takes.command', $q${command}$q$, false)"))
                .await;
            let error = session.error("SELECT pgtrack.undo('takes.t', 1)").await;
            let expected = format!("42501: a trigger, default or check of takes {change}");
            assert!(error.starts_with(&expected), "{command}: {error}");
            session.check("SELECT n FROM mine", "1").await;
            session.run("DEALLOCATE ALL; PREPARE mine AS SELECT 1").await;
        }
        drop(&session, "takes").await;
    });
}

#[test]
fn what_an_owner_s_code_prepares_is_gone_whatever_becomes_of_the_undo() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE prepares; CREATE SCHEMA prepares AUTHORIZATION prepares; SET ROLE prepares; CREATE TABLE prepares.t (id int PRIMARY KEY, v int);
                 CREATE FUNCTION prepares.evil() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
                 CREATE FUNCTION prepares.run() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   IF current_setting('prepares.code', true) IS NOT NULL THEN
                     DEALLOCATE mine; PREPARE mine AS SELECT prepares.evil(); PREPARE other AS SELECT prepares.evil();
                     EXECUTE current_setting('prepares.code');
                   END IF;
                   RETURN NULL; END$$;
                 CREATE TRIGGER run AFTER UPDATE ON prepares.t EXECUTE FUNCTION prepares.run(); RESET ROLE;
                 SELECT pgtrack.track('prepares'); INSERT INTO prepares.t VALUES (1, 1); UPDATE prepares.t SET v = 2",
            )
            .await;
        for (end, sqlstate) in [
            ("SELECT 1", "42501"),
            ("SELECT set_config($q$search_path$q$, $q$prepares$q$, false)", "42501"),
            ("SELECT 1 / 0", "22012"),
            ("DO $q$BEGIN RAISE query_canceled; END$q$", "57014"),
            ("DO $q$BEGIN ASSERT false; END$q$", "P0004"),
        ] {
            session.run(&format!("PREPARE mine AS SELECT 'mine'; PREPARE lasting AS SELECT 'lasting'; SET prepares.code = '{end}'")).await;
            let error = session.error("SELECT pgtrack.undo('prepares.t', 1)").await;
            assert!(error.starts_with(sqlstate), "{end}: {error}");
            session.check("EXECUTE lasting", "lasting").await;
            for name in ["mine", "other"] {
                let error = session.error(&format!("EXECUTE {name}")).await;
                assert!(error.starts_with("26000"), "{end}: {error}");
            }
            session.run("DEALLOCATE lasting").await;
        }
        drop(&session, "prepares").await;
    });
}

#[test]
fn an_owner_s_code_reads_in_no_cursor_of_the_caller() {
    on_outer_versions(async |session| {
        noting_table(&session, "reads_on").await;
        let refused = async |sql: &str| {
            let error = session.error(sql).await;
            assert!(error.starts_with("24000: the cursor \""), "{error}");
        };
        session.run("BEGIN; DECLARE c CURSOR FOR SELECT 'secret'").await;
        refused("SELECT pgtrack.undo('reads_on.t', 1)").await;
        session
            .run("ROLLBACK; BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 'secret'; COMMIT")
            .await;
        refused("SELECT pgtrack.undo('reads_on.t', 1)").await;
        session.run("CLOSE c").await;
        refused("DO $$DECLARE r record; BEGIN FOR r IN SELECT 1 AS id LOOP PERFORM pgtrack.undo('reads_on.t', r.id); END LOOP; END$$").await;
        // A query that is running has no rows for anybody else.
        session.run("BEGIN; DECLARE c CURSOR FOR SELECT pgtrack.undo('reads_on.t', id) FROM generate_series(1, 1) id; FETCH ALL FROM c; ROLLBACK").await;
        session.run("DO $$BEGIN PERFORM pgtrack.undo('reads_on.t', id) FROM generate_series(1, 1) id; END$$").await;
        // Who has no more rights than the owner has nothing to lose.
        session.run("SET ROLE reads_on; BEGIN; DECLARE c CURSOR FOR SELECT 1; SELECT pgtrack.undo('reads_on.t', 1); ROLLBACK; RESET ROLE").await;
        drop(&session, "reads_on").await;
    });
}

#[test]
fn no_setting_of_any_type_stays_behind_a_local_one() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE hiding; GRANT SET ON PARAMETER log_statement TO hiding; CREATE SCHEMA hiding AUTHORIZATION hiding;
                 CREATE TABLE hiding.t (id int PRIMARY KEY, v int); ALTER TABLE hiding.t OWNER TO hiding;
                 CREATE FUNCTION hiding.hides() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; ALTER FUNCTION hiding.hides() OWNER TO hiding;
                 CREATE TRIGGER x BEFORE UPDATE ON hiding.t FOR EACH ROW EXECUTE FUNCTION hiding.hides();
                 SELECT pgtrack.track('hiding.t'); INSERT INTO hiding.t VALUES (1, 1); UPDATE hiding.t SET v = 2",
            )
            .await;
        let runs = async |body: &str| {
            session
                .run(&format!(
                    "CREATE OR REPLACE FUNCTION hiding.hides() RETURNS trigger LANGUAGE plpgsql AS $$DECLARE old text; BEGIN
                     IF current_user = 'hiding' THEN {body} END IF; RETURN NEW; END$$"
                ))
                .await;
        };
        let undo = "SELECT pgtrack.undo('hiding.t', 1)";
        // The same where the session has set them, too.
        let own = "SET client_encoding = 'UTF8'; SET default_text_search_config = 'pg_catalog.german'; SET lc_monetary = 'C'; SET work_mem = '5MB';
                   SET cursor_tuple_fraction = 0.2; SET timezone_abbreviations = 'Australia'; SET log_statement = 'ddl'; SET temp_buffers = 200; CREATE TEMP TABLE buffered ()";
        for before in ["", own] {
            session.run(before).await;
            for (name, value) in [
                ("client_encoding", "LATIN1"),
                ("default_text_search_config", "simple"),
                ("lc_monetary", "POSIX"),
                ("work_mem", "9MB"),
                ("cursor_tuple_fraction", "0.5"),
                ("timezone_abbreviations", "India"),
                ("log_statement", "all"),
                ("temp_tablespaces", "pg_default"),
            ] {
                let left = format!(
                    "42501: a trigger, default or check of hiding leaves the setting \"{name}\" in your session\n"
                );
                let now = format!("SHOW {name}");
                let of_session = session.rows(&now).await;
                for body in [
                    format!(
                        "old := current_setting('{name}'); PERFORM set_config('{name}', '{value}', false), set_config('{name}', old, true);"
                    ),
                    format!("SET {name} = '{value}'; SET LOCAL {name} TO DEFAULT;"),
                    format!(
                        "old := current_setting('{name}'); RESET {name}; PERFORM set_config('{name}', old, true);"
                    ),
                ] {
                    runs(&body).await;
                    let error = session.error(undo).await;
                    assert!(error.starts_with(&left), "{body}\n{error}");
                    session.check(&now, &of_session).await;
                }
                runs(&format!("SET LOCAL {name} = '{value}';")).await;
                session.run(undo).await;
                session.check(&now, &of_session).await;
            }
        }
        // What is in force, but could not be set by that role, stops no undo.
        runs("").await;
        session
            .run(
                "CREATE SCHEMA closed; CREATE TEXT SEARCH CONFIGURATION closed.own (COPY = simple); SET default_text_search_config = 'closed.own'",
            )
            .await;
        session.run(undo).await;
        session.check("SHOW default_text_search_config", "closed.own").await;
        // Nor does what pg_track sets for a moment itself, while event triggers fire.
        session
            .run(
                "CREATE ROLE hiding_member LOGIN IN ROLE hiding; CREATE FUNCTION hears() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
                 CREATE EVENT TRIGGER hears ON ddl_command_end EXECUTE FUNCTION hears()",
            )
            .await;
        session.another_as("hiding_member").await.run(undo).await;
        session.run("DROP EVENT TRIGGER hears; DROP OWNED BY hiding CASCADE; DROP ROLE hiding_member; DROP ROLE hiding").await;
    });
}

#[test]
fn with_several_owners_a_superuser_has_to_say_that_it_is_meant() {
    on_outer_versions(async |session| {
        noting_table(&session, "several").await;
        session.run("CREATE TABLE b (id int PRIMARY KEY); SELECT pgtrack.track('b'); BEGIN; INSERT INTO b VALUES (1); UPDATE several.t SET v = 9; COMMIT; TRUNCATE noted").await;
        let undo = "SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1, on_table => 'b')";
        let error = session.error(undo).await;
        assert!(error.starts_with("42501: a superuser cannot undo this without lending their rights to the tables' owners\nDETAIL: The tables and their partitions belong to "), "{error}");
        session.check("SELECT count(*) FROM noted", "0").await;
        // Only a superuser, only so, and only for this transaction.
        session.run("SET pgtrack.as_myself = 'on'; SELECT pgtrack.undo_as_myself()").await;
        assert!(session.error(undo).await.starts_with("42501"));
        session.run("DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET pgtrack.as_myself = ''on''', current_database()); END$$").await;
        assert!(session.another().await.error(undo).await.starts_with("42501"));
        let owner = session.another_as("several").await;
        assert!(
            owner
                .error("SELECT pgtrack.undo_as_myself()")
                .await
                .starts_with("42501: only a superuser has this to say")
        );
        assert!(
            owner
                .error("SELECT pgtrack._permit_as_myself()")
                .await
                .starts_with("42501: only pgtrack.undo_as_myself() permits this")
        );
        session.run(&format!("BEGIN; SELECT pgtrack.undo_as_myself(); {undo}; COMMIT")).await;
        session.check("SELECT DISTINCT who FROM noted WHERE what = 'trigger'", "postgres").await;
        // Whoever is none undoes what they may, with their own rights.
        session.run("CREATE ROLE writes_both LOGIN; GRANT USAGE ON SCHEMA several TO writes_both; GRANT ALL ON several.t, b, noted TO writes_both;
                     BEGIN; INSERT INTO b VALUES (2); UPDATE several.t SET v = 10; COMMIT; TRUNCATE noted").await;
        let writer = session.another_as("writes_both").await;
        writer.run(undo).await;
        session.check("SELECT DISTINCT who FROM noted WHERE what = 'trigger'", "writes_both").await;
        session.run("DROP OWNED BY writes_both; DROP ROLE writes_both").await;
        drop(&session, "several").await;
    });
}

#[test]
fn an_owner_that_a_lasting_snapshot_does_not_show_gets_no_rights() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE heir LOGIN; CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'; GRANT CREATE ON SCHEMA public TO heir;
                 CREATE TABLE seen (who text); GRANT INSERT ON seen TO heir",
            )
            .await;
        let older = session.another().await;
        older.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_am").await;
        session
            .run(
                "ALTER TABLE t OWNER TO heir; SET ROLE heir;
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO seen VALUES (current_user); RETURN NEW; END';
                 CREATE TRIGGER f BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); RESET ROLE",
            )
            .await;
        let error = older.error("SELECT pgtrack.undo('t', 1)").await;
        assert!(error.starts_with("40001:"), "{error}");
        older.run("ROLLBACK; SELECT pgtrack.undo('t', 1)").await;
        session.check("TABLE seen", "heir").await;
        session.run("DROP OWNED BY heir CASCADE; DROP ROLE heir").await;
    });
}

/// TRUNCATE sets back how many rows are counted, and operators in expressions are called without being counted.
#[test]
fn what_is_put_off_is_found_whatever_is_counted() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE uncounted; CREATE SCHEMA uncounted AUTHORIZATION uncounted; SET ROLE uncounted; SET search_path = uncounted;
                 CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE seen (who text); CREATE TYPE e AS ENUM ('a', 'b');
                 CREATE FUNCTION eq(e, e) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$DECLARE n text; BEGIN
                   IF current_setting('uncounted.go', true) IS DISTINCT FROM '1' THEN
                     RETURN true;
                   ELSIF current_user <> 'uncounted' THEN
                     INSERT INTO uncounted.seen VALUES (current_user);
                   ELSIF length(current_setting('uncounted.n', true)) < 6 THEN
                     PERFORM set_config('uncounted.n', current_setting('uncounted.n', true) || 'a', true), set_config('uncounted.go', '0', true);
                     n := CASE WHEN length(current_setting('uncounted.n', true)) % 2 = 0 THEN 'x' ELSE 'y' END;
                     SET CONSTRAINTS ALL DEFERRED;
                     EXECUTE format('TRUNCATE uncounted.%1$s', n);
                     EXECUTE format('INSERT INTO uncounted.%1$s VALUES (1, ''a'', ''b'', 1)', n);
                     EXECUTE format('INSERT INTO uncounted.%1$s VALUES (1, ''a'', ''b'', 2)', n);
                     EXECUTE format('DELETE FROM uncounted.%1$s WHERE k = 1', n);
                     PERFORM set_config('uncounted.go', '1', true);
                   END IF;
                   RETURN true; END$$;
                 CREATE OPERATOR = (FUNCTION = eq, LEFTARG = e, RIGHTARG = e);
                 CREATE TABLE x (i int, a e, b e, k int, EXCLUDE USING btree (i WITH pg_catalog.=, (a IS DISTINCT FROM b) WITH pg_catalog.=) DEFERRABLE INITIALLY DEFERRED);
                 CREATE TABLE y (i int, a e, b e, k int, EXCLUDE USING btree (i WITH pg_catalog.=, (a IS DISTINCT FROM b) WITH pg_catalog.=) DEFERRABLE INITIALLY DEFERRED);
                 ALTER FUNCTION eq(e, e) VOLATILE;
                 CREATE FUNCTION put_off() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   IF session_user <> current_user THEN
                     SET CONSTRAINTS ALL DEFERRED;
                     INSERT INTO uncounted.x VALUES (1, 'a', 'b', 1); INSERT INTO uncounted.x VALUES (1, 'a', 'b', 2); DELETE FROM uncounted.x WHERE k = 1;
                     PERFORM set_config('uncounted.go', '1', true), set_config('uncounted.n', '', true);
                   END IF;
                   RETURN NEW; END$$;
                 RESET search_path; INSERT INTO uncounted.t VALUES (1, 1); RESET ROLE; SELECT pgtrack.track('uncounted.t'); UPDATE uncounted.t SET v = 2;
                 CREATE TRIGGER put_off BEFORE UPDATE ON uncounted.t FOR EACH ROW EXECUTE FUNCTION uncounted.put_off()",
            )
            .await;
        session.run("SELECT pgtrack.undo('uncounted.t', 1)").await;
        session.check("SELECT count(*) FROM uncounted.seen", "0").await;
        // It went on until there was nothing more.
        session.check("SELECT v FROM uncounted.t", "1").await;
        drop(&session, "uncounted").await;
    });
}

/// Nor does it show what was made since, which puts off its work until COMMIT, and again.
#[test]
fn a_lasting_snapshot_leaves_nothing_of_an_owner_s_to_commit() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE puts_off; CREATE SCHEMA puts_off AUTHORIZATION puts_off; SET ROLE puts_off; CREATE TABLE puts_off.t (id int PRIMARY KEY, v int); RESET ROLE;
                 SELECT pgtrack.track('puts_off'); INSERT INTO puts_off.t VALUES (1, 1); UPDATE puts_off.t SET v = 2",
            )
            .await;
        let older = session.another().await;
        older.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM pg_am").await;
        session
            .run(
                "SET ROLE puts_off; CREATE TABLE puts_off.seen (who text); CREATE TABLE puts_off.q (n int);
                 CREATE FUNCTION puts_off.later() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   SET CONSTRAINTS ALL DEFERRED;
                   IF TG_TABLE_NAME = 't' THEN INSERT INTO puts_off.q VALUES (1);
                   ELSIF NEW.n < 3 THEN INSERT INTO puts_off.q VALUES (NEW.n + 1);
                   ELSE INSERT INTO puts_off.seen VALUES (current_user); END IF;
                   RETURN NULL; END$$;
                 CREATE CONSTRAINT TRIGGER later AFTER INSERT ON puts_off.q DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION puts_off.later();
                 CREATE TRIGGER later AFTER UPDATE ON puts_off.t FOR EACH ROW EXECUTE FUNCTION puts_off.later(); RESET ROLE",
            )
            .await;
        older.run("SELECT pgtrack.undo('puts_off.t', 1); COMMIT").await;
        session.check("TABLE puts_off.seen", "puts_off").await;
        // The owner may, as in any statement.
        session.run("SET ROLE puts_off; BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT pgtrack.undo('puts_off.t', 1); COMMIT; RESET ROLE").await;
        drop(&session, "puts_off").await;
    });
}

#[test]
fn partitions_of_another_owner_count() {
    on_outer_versions(async |session| {
        session.run("CREATE ROLE leaf_owner; CREATE TABLE p (id int PRIMARY KEY, v int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
                     ALTER TABLE p1 OWNER TO leaf_owner; SELECT pgtrack.track('p'); INSERT INTO p VALUES (1, 1); UPDATE p SET v = 2").await;
        assert!(
            session
                .error("SELECT pgtrack.undo('p', 1)")
                .await
                .starts_with("42501: a superuser cannot undo this")
        );
        session
            .run("BEGIN; SELECT pgtrack.undo_as_myself(); SELECT pgtrack.undo('p', 1); COMMIT")
            .await;
        session.check("SELECT v FROM p", "1").await;
        session.run("DROP OWNED BY leaf_owner; DROP ROLE leaf_owner").await;
    });
}

#[test]
fn rows_that_row_security_hides_from_whoever_writes_are_an_error_and_nothing_is_done() {
    on_outer_versions(async |session| {
        session.run("CREATE ROLE hidden_owner; CREATE ROLE hidden_writer LOGIN; CREATE TABLE t (id int PRIMARY KEY, tenant text, v int); ALTER TABLE t OWNER TO hidden_owner;
                     GRANT ALL ON t TO hidden_writer; ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;
                     CREATE POLICY own ON t USING (tenant = current_user); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'hidden_owner', 1), (2, 'other', 1), (3, 'other', 1)").await;
        // The owner is subject to its own policies, and sees one of the three.
        for change in [
            "UPDATE t SET v = v + 1",
            "DELETE FROM t",
            "INSERT INTO t VALUES (4, 'other', 1)",
            "UPDATE t SET id = id + 10",
        ] {
            session.run(change).await;
            let before = session.rows("SELECT t FROM t ORDER BY id").await;
            let error =
                session.error("SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)").await;
            assert!(error.starts_with("42501: "), "{change}: {error}");
            assert!(
                error.contains("of the rows of public.t that this would change"),
                "{change}: {error}"
            );
            session.check("SELECT t FROM t ORDER BY id", &before).await;
            session.run("ALTER TABLE t NO FORCE ROW LEVEL SECURITY; SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1); ALTER TABLE t FORCE ROW LEVEL SECURITY").await;
        }
        // Somebody may see more than they may change.
        session.run("CREATE POLICY all_seen ON t FOR SELECT USING (true); UPDATE t SET tenant = 'hidden_writer' WHERE id = 2").await;
        session.run("UPDATE t SET v = 7").await;
        let writer = session.another_as("hidden_writer").await;
        let error = writer.error("SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)").await;
        assert_eq!(
            error,
            "42501: row security hides 2 of the rows of public.t that this would change\n\
                           DETAIL: They were planned, but hidden_writer does not see or may not change them all. Nothing has been changed.\n\
                           HINT: Let a role do it that the policies let change all of them."
        );
        writer
            .check(
                "SELECT pgtrack.undo('t', 2)",
                "public.t (id=2): row updated: v, now as after version 8",
            )
            .await;
        session.check("SELECT id, v FROM t WHERE v <> 7", "2|1").await;
        // Rows that are as wanted already are not missing.
        for change in [
            "UPDATE t SET tenant = 'hidden_writer'",
            "UPDATE t SET v = 8",
            "UPDATE t SET v = 7 WHERE id = 3",
        ] {
            session.run(change).await;
        }
        writer
            .run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(2) OFFSET 1), 'force')")
            .await;
        session
            .check(
                "SELECT id, v FROM t ORDER BY id",
                "
            1|7
            2|1
            3|7",
            )
            .await;
        session.run("DROP OWNED BY hidden_owner, hidden_writer CASCADE; DROP ROLE hidden_owner, hidden_writer").await;
    });
}

#[test]
fn a_trigger_that_keeps_a_row_as_it_is_is_no_row_security() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 1); UPDATE t SET v = 2;
                     CREATE FUNCTION frozen() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
                     CREATE TRIGGER frozen BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION frozen()").await;
        assert_eq!(
            session.notices("SELECT pgtrack.undo('t', 1)").await,
            ["the triggers of public.t changed columns of 1 rows that were reverted: v"]
        );
        session.check("SELECT v FROM t", "2").await;
    });
}

#[test]
fn code_of_the_application_finds_its_names_through_the_callers_search_path() {
    on_outer_versions(async |session| {
        let name = "owner_path";
        session
            .run(&format!("CREATE ROLE {name} LOGIN; CREATE SCHEMA shop AUTHORIZATION {name}"))
            .await;
        let owner = session.another_as(name).await;
        owner
            .run("SET search_path = shop; CREATE TABLE product (id int PRIMARY KEY, price int); CREATE TABLE price_log (price int); CREATE TABLE late_log (price int);
                  CREATE FUNCTION log_price() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO price_log VALUES (NEW.price); RETURN NULL; END$$;
                  CREATE FUNCTION log_late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO late_log VALUES (NEW.price); RETURN NULL; END$$;
                  CREATE TRIGGER log_price AFTER UPDATE ON product FOR EACH ROW EXECUTE FUNCTION log_price();
                  CREATE CONSTRAINT TRIGGER log_late AFTER UPDATE ON product DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_late()")
            .await;
        session.run("SELECT pgtrack.track('shop.product')").await;
        owner.run("INSERT INTO product VALUES (1, 10)").await;
        for (path, caller) in [("shop", &session), ("shop, pg_catalog", &session), ("shop", &owner)]
        {
            caller.run(&format!("SET search_path = {path}")).await;
            for undo in [
                "undo('product', 1)",
                "undo_transaction((SELECT xid FROM pgtrack.log(1)))",
                "undo_batch(jsonb_build_object('xid', (SELECT xid FROM pgtrack.log(1))), '{\"shop.product\": [{\"id\": 1}]}')",
            ] {
                owner.run("UPDATE product SET price = 0").await;
                owner.run("TRUNCATE price_log, late_log").await;
                caller.run(&format!("SELECT pgtrack.{undo}")).await;
                session.check("SELECT p.price, l.price, d.price FROM shop.product p, shop.price_log l, shop.late_log d", "10|10|10").await;
                caller.check("SHOW search_path", path).await;
            }
        }
        session
            .run(&format!("RESET search_path; DROP OWNED BY {name} CASCADE; DROP ROLE {name}"))
            .await;
    });
}

#[test]
fn an_owner_s_trigger_does_not_make_an_undo_something_else() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE unmarks_undo; CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a');
                 CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('pgtrack.reverts', '', true); RETURN new; END$$;
                 CREATE TRIGGER f BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t OWNER TO unmarks_undo; UPDATE t SET v = 'b'",
            )
            .await;
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT v FROM t", "a").await;
        session.check("SELECT operation, reverts IS NOT NULL FROM pgtrack.statement ORDER BY statement_id DESC LIMIT 1", "U|t").await;
        session.run("DROP OWNED BY unmarks_undo CASCADE; DROP ROLE unmarks_undo").await;
    });
}
