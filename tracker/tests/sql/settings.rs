//! What a session, a role or a database has set changes nothing that is recorded, and no row that is undone, and makes none
//! of our functions fail.

use crate::support::{Session, on_outer_versions, without_psql_lines};

const SCRIPT: &str = include_str!("../../../sql/pg_track--1.0.sql");

/// Sets something for all later sessions with the database.
async fn set_for_all(session: &Session, setting: &str) {
    let setting = setting.replace('\'', "''");
    session
        .run(&format!(
            "DO $$BEGIN EXECUTE concat('ALTER DATABASE ', quote_ident(current_database()), ' SET {setting}'); END$$"
        ))
        .await;
}

#[test]
fn our_texts_mean_the_same_whatever_standard_conforming_strings_says() {
    on_outer_versions(async |session| {
        set_for_all(&session, "standard_conforming_strings = off").await;
        // PostgreSQL warns of each backslash that has another meaning then.
        for sql in [
            format!("BEGIN; {}; COMMIT", without_psql_lines(SCRIPT)),
            "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id);
             CREATE TABLE p_1 PARTITION OF p DEFAULT; SELECT pgtrack.track('t'), pgtrack.track('p')"
                .to_owned(),
            "SELECT plpgsql_validator(p.oid) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
             WHERE l.lanname = 'plpgsql' AND p.pronamespace::regnamespace::text IN ('pgtrack', 'pgtrack_history')"
                .to_owned(),
        ] {
            let notices = session.notices(&sql).await;
            assert!(!notices.iter().any(|notice| notice.contains("nonstandard")), "{notices:?}");
        }
        let other = session.another().await;
        for sql in [
            "INSERT INTO t VALUES (1, E'a\\\\b')",
            "ALTER TABLE t ALTER COLUMN id TYPE bigint",
            "UPDATE t SET v = E'c\\\\' /*actor='Ann\\'s'*/",
        ] {
            other.run(sql).await;
        }
        other
            .check(
                "SELECT pgtrack.undo('t', 1)",
                "public.t (id=1): row updated: v, now as after version 1",
            )
            .await;
        other.check("SELECT * FROM t", "1|a\\b").await;
        other.check("SELECT count(*) > 20 FROM pgtrack.help()", "t").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn it_can_be_installed_whatever_is_set() {
    on_outer_versions(async |session| {
        session.run("CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler").await;
        for setting in [
            "quote_all_identifiers = on",
            "row_security = off",
            "plpgsql.extra_errors = 'all'",
            "plpgsql.variable_conflict = 'use_variable'",
            "check_function_bodies = off",
            "default_table_access_method = 'other'",
            "client_encoding = 'LATIN1'",
            "DateStyle = 'SQL, DMY'",
            "array_nulls = off",
            "transform_null_equals = on",
        ] {
            set_for_all(&session, setting).await;
        }
        let under = session.another().await;
        under.run(&without_psql_lines(include_str!("../../../sql/pg_track--uninstall.sql"))).await;
        under.run(&format!("BEGIN; {}; COMMIT", without_psql_lines(SCRIPT))).await;
        under.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); SELECT pgtrack.keep('t')").await;
        // Our code asks where rows are, which other methods may not tell.
        under
            .check(
                "SELECT DISTINCT a.amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam
                 WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text ~ 'pgtrack'",
                "heap",
            )
            .await;
        under.check("SELECT * FROM pgtrack.verify()", "").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn who_has_all_identifiers_quoted_alters_verifies_and_undoes_as_others() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE quoting LOGIN; CREATE SCHEMA quoting AUTHORIZATION quoting; SET ROLE quoting;
                 CREATE TABLE quoting.t (id int PRIMARY KEY, a int UNIQUE, v text);
                 CREATE TABLE quoting.p (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
                 CREATE TABLE quoting.p_1 PARTITION OF quoting.p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
                 RESET ROLE; SELECT pgtrack.track('quoting')",
            )
            .await;
        session
            .run("INSERT INTO quoting.t VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three')")
            .await;
        session.run("SELECT pgtrack.tag('all')").await;
        session
            .run("BEGIN; UPDATE quoting.t SET a = 0 WHERE id = 1; UPDATE quoting.t SET a = 1 WHERE id = 2; UPDATE quoting.t SET a = 2 WHERE id = 1; COMMIT")
            .await;
        session.run("DELETE FROM quoting.t WHERE id = 3").await;
        // What the others made is to be found, and the other way round.
        let admin = session.another_with("-c quote_all_identifiers=on").await;
        admin.check("SELECT * FROM pgtrack.verify()", "").await;
        admin
            .check("SELECT * FROM pgtrack.revert_table('quoting.t', 'all')", "quoting.t|1|2|0|0")
            .await;
        admin.check("SELECT * FROM quoting.t ORDER BY id", "1|1|one\n2|2|two\n3|3|three").await;
        let owner = session.another_as("quoting").await;
        owner.run("SET quote_all_identifiers = on").await;
        for sql in [
            "ALTER TABLE quoting.t ADD COLUMN w int",
            "ALTER TABLE quoting.t ALTER COLUMN id TYPE bigint",
            "ALTER TABLE quoting.t RENAME COLUMN v TO \"V\"",
            "CREATE TABLE quoting.n (id int PRIMARY KEY)",
            "CREATE TABLE quoting.p_2 PARTITION OF quoting.p FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
            "UPDATE quoting.t SET w = 1, id = 101 WHERE id = 1",
            "INSERT INTO quoting.p VALUES (1, '2026-05-01')",
            "UPDATE quoting.p SET at = '2027-05-01'",
        ] {
            owner.run(sql).await;
        }
        for reader in [&session, &admin, &owner] {
            reader
                .check(
                    "SELECT ver, after ->> 'V' FROM pgtrack.history('quoting.t', 101)",
                    "1|one\n2|one\n3|one\n4|~\n5|one\n6|one",
                )
                .await;
            reader.check("SELECT op FROM pgtrack.changes('quoting.p')", "UPDATE\nINSERT").await;
        }
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        admin.check("SELECT * FROM pgtrack.verify()", "").await;
        // What it is about is known by its name.
        admin.run("DROP SCHEMA quoting CASCADE; DROP SCHEMA pgtrack_history CASCADE; DROP SCHEMA pgtrack CASCADE").await;
        session.run("DROP ROLE quoting").await;
    });
}

#[test]
fn who_has_row_security_off_reads_and_undoes_what_no_policy_hides() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE unfiltered LOGIN; CREATE TABLE t (id int PRIMARY KEY, v text, seen text);
                 CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN NEW.seen := current_setting('row_security') || ' ' || current_setting('quote_all_identifiers'); RETURN NEW; END $$;
                 CREATE TRIGGER see BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION see();
                 CREATE TABLE guarded (id int PRIMARY KEY, who text); ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY own ON guarded USING (who = current_user); GRANT ALL ON t, guarded TO unfiltered",
            )
            .await;
        session.run("SELECT pgtrack.track('t'), pgtrack.track('guarded')").await;
        session.run("INSERT INTO t VALUES (1, 'a'); INSERT INTO guarded VALUES (1, 'unfiltered'), (2, 'ann')").await;
        session.run("SELECT pgtrack.tag('begun')").await;
        session.run("UPDATE t SET v = 'b'").await;
        let other = session.another_as("unfiltered").await;
        other.run("SET row_security = off; SET quote_all_identifiers = on").await;
        for (query, expected) in [
            ("SELECT ver, op FROM pgtrack.history('t', 1)", "1|INSERT\n2|UPDATE"),
            ("SELECT v FROM pgtrack.as_of(NULL::t, 'begun')", "a"),
            ("SELECT what FROM pgtrack.diff('t', 'begun')", "{seen,v}"),
            ("SELECT tables FROM pgtrack.log(1)", "{public.t}"),
            ("SELECT op FROM pgtrack.show((SELECT xid FROM pgtrack.log(1)))", "UPDATE"),
            ("SELECT \"column\", ver FROM pgtrack.blame('t', 1)", "id|1\nv|2\nseen|2"),
            ("SELECT count(*) FROM pgtrack.deleted('t')", "0"),
            ("SELECT action FROM pgtrack.plan_revert_table('t', 'begun')", "update"),
            (
                "SELECT pgtrack.undo('t', 1)",
                "public.t (id=1): row updated: seen, v, now as after version 1",
            ),
            // The application's triggers find what the caller has set, as do those of an owner in a superuser's undo below.
            ("SELECT * FROM t", "1|a|off on"),
            ("SHOW row_security", "off"),
            ("SHOW quote_all_identifiers", "on"),
        ] {
            other.check(query, expected).await;
        }
        // PostgreSQL's own answer.
        let error = other.error("SELECT * FROM pgtrack.history('guarded', 1)").await;
        assert!(
            error.starts_with(
                "42501: query would be affected by row-level security policy for table"
            ),
            "{error}"
        );
        other.run("SET row_security = on").await;
        other.check("SELECT row_pk FROM pgtrack.changes('guarded')", r#"{"id": 1}"#).await;
        session.run("SET row_security = off").await;
        session.check("SELECT count(*) FROM pgtrack.changes('guarded')", "2").await;
        session.run("ALTER TABLE t OWNER TO unfiltered").await;
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT * FROM t", "1|b|off off").await;
        session.run("DROP OWNED BY unfiltered; DROP ROLE unfiltered").await;
    });
}

#[test]
fn where_a_session_makes_its_tables_is_not_where_history_has_to_be() {
    on_outer_versions(async |session| {
        session.run("SET allow_in_place_tablespaces = on").await;
        session.run("CREATE TABLESPACE fast LOCATION ''").await;
        session
            .run("CREATE ROLE lodger LOGIN; GRANT CREATE ON TABLESPACE fast TO lodger; CREATE SCHEMA lodger AUTHORIZATION lodger; SELECT pgtrack.track('lodger')")
            .await;
        // Who owns pg_track may not use it.
        let owner = session.another_as("lodger").await;
        owner.run("SET default_tablespace = fast").await;
        owner.run("CREATE TABLE lodger.t (id int PRIMARY KEY, v text); CREATE TABLE lodger.p (id int PRIMARY KEY) PARTITION BY RANGE (id)").await;
        owner
            .run("INSERT INTO lodger.t VALUES (1, 'a'); ALTER TABLE lodger.t ALTER id TYPE bigint")
            .await;
        owner.check("SELECT op FROM pgtrack.history('lodger.t', 1)", "INSERT").await;
        session.run("SET default_tablespace = fast; SELECT pgtrack.keep('lodger.t')").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session
            .check("SELECT count(*) FROM pg_class WHERE reltablespace <> 0 AND relnamespace::regnamespace::text ~ 'pgtrack'", "0")
            .await;
        session.run("DROP SCHEMA lodger CASCADE").await;
        session.run("DROP TABLESPACE fast").await;
        session.run("DROP ROLE lodger").await;
    });
}

#[test]
fn keys_that_look_the_same_with_few_digits_are_two() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE f (k float8, n int, v text, PRIMARY KEY (k, n)); SELECT pgtrack.track('f')")
            .await;
        session.run("INSERT INTO f VALUES (0.1::float8 + 0.2, 1, 'sum'), (0.3, 1, 'third')").await;
        session.run("UPDATE f SET v = 'new'; DELETE FROM f WHERE k = 0.3").await;
        session.run("SET extra_float_digits = -15").await;
        session
            .check(
                r#"SELECT ver, op FROM pgtrack.history('f', '{"k": 0.30000000000000004, "n": 1}')"#,
                "1|INSERT\n2|UPDATE",
            )
            .await;
        session.check("SELECT row_pk FROM pgtrack.deleted('f')", r#"{"k": 0.3, "n": 1}"#).await;
        session.run(r#"SELECT pgtrack.undo('f', '{"k": 0.30000000000000004, "n": 1}')"#).await;
        session.check("SELECT v FROM f", "sum").await;
        session.run("INSERT INTO f VALUES (0.3, 1, 'third')").await;
        session.run("UPDATE f SET k = k * 3").await;
        session
            .check(
                "SELECT updated FROM pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))",
                "2",
            )
            .await;
        session.run("SET extra_float_digits = 1").await;
        session.check("SELECT k, v FROM f ORDER BY k", "0.3|third\n0.30000000000000004|sum").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn dates_and_zones_mean_the_same_however_they_are_written() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE z (id tstzrange PRIMARY KEY, v text); SELECT pgtrack.track('z')")
            .await;
        // IST is Israel's time, too.
        session.run("SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'SQL, DMY'").await;
        session.run("INSERT INTO z VALUES ('[2026-02-01 00:00+00,)', 'a')").await;
        session
            .run("CREATE TABLE noted AS SELECT clock_timestamp() AS at; UPDATE z SET v = 'b'")
            .await;
        session.check("SELECT v FROM pgtrack.as_of(NULL::z, (SELECT at FROM noted))", "a").await;
        session.check("SELECT action FROM pgtrack.plan_undo_where(\"user\" => current_user, \"from\" => (SELECT at FROM noted))", "update").await;
        session.check("SELECT * FROM pgtrack.plan_purge('2 hours')", "").await;
        session.run("SELECT pgtrack.undo('z', tstzrange('2026-02-01 00:00+00', NULL))").await;
        session.check("SELECT v FROM z", "a").await;
        // A copy's definition has dates in it, and is read by a session that writes them in another way.
        session
            .run(
                "CREATE TABLE m (id int, at date DEFAULT '2026-03-02', PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
                 CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM ('2026-01-02') TO ('2026-04-03'); SELECT pgtrack.track('m')",
            )
            .await;
        session.run("SELECT pgtrack.keep('m'); DROP TABLE m").await;
        session
            .run("SET DateStyle = 'SQL, MDY'; SELECT pgtrack.recover('m'); RESET DateStyle")
            .await;
        session
            .check(
                "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = 'm_1'",
                "FOR VALUES FROM ('2026-01-02') TO ('2026-04-03')",
            )
            .await;
        session.check("INSERT INTO m (id) VALUES (1) RETURNING at", "2026-03-02").await;
    });
}

#[test]
fn what_was_recorded_as_text_comes_back_whatever_a_session_makes_of_such_text() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TYPE label AS ENUM ('a', 'NULL'); CREATE TYPE pair AS (x xml, numbers int[]); CREATE TABLE t (id int PRIMARY KEY, labels label[], pair pair)")
            .await;
        session.run("SELECT pgtrack.track('t')").await;
        session.run("INSERT INTO t VALUES (1, ARRAY['a', NULL]::label[], ROW('a<b/>c', ARRAY[1, NULL])); DELETE FROM t").await;
        session
            .run(
                "SET array_nulls = off; SET xmloption = document; SET IntervalStyle = sql_standard",
            )
            .await;
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT labels[2] IS NULL, pair FROM t", r#"t|(a<b/>c,"{1,NULL}")"#).await;
    });
}
