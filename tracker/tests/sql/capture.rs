//! What is recorded.

use crate::support::{on_each_version, on_outer_versions};

#[test]
fn case_01_every_row_of_a_statement_is_recorded_under_one_statement() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');")
            .await;
        session.run("INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 3) g").await;
        session.run("UPDATE t SET v = upper(v) WHERE id < 3").await;
        session.run("DELETE FROM t WHERE id = 3").await;
        session.check("SELECT operation, row_count, table_name, query FROM pgtrack.activity ORDER BY statement_id", "
            INSERT|3|public.t|INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 3) g
            UPDATE|2|public.t|UPDATE t SET v = upper(v) WHERE id < 3
            DELETE|1|public.t|DELETE FROM t WHERE id = 3").await;
        session.check("SELECT row_pk, ver, op, what, before, after FROM pgtrack.changes('t') ORDER BY statement_id, row_pk", r#"
            {"id": 1}|1|INSERT|~|~|{"v": "v1", "id": 1}
            {"id": 2}|1|INSERT|~|~|{"v": "v2", "id": 2}
            {"id": 3}|1|INSERT|~|~|{"v": "v3", "id": 3}
            {"id": 1}|2|UPDATE|{v}|{"v": "v1", "id": 1}|{"v": "V1", "id": 1}
            {"id": 2}|2|UPDATE|{v}|{"v": "v2", "id": 2}|{"v": "V2", "id": 2}
            {"id": 3}|2|DELETE|~|{"v": "v3", "id": 3}|~"#).await;
    });
}

#[test]
fn a_statement_that_changes_nothing_records_nothing() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t')").await;
        session.run("DELETE FROM t; UPDATE t SET id = 2; INSERT INTO t SELECT 1 WHERE false; TRUNCATE t").await;
        session.check("SELECT count(*) FROM pgtrack.activity", "0").await;
    });
}

#[test]
fn case_18_19_a_rolled_back_change_leaves_no_trace() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t')").await;
        session.run("BEGIN; INSERT INTO t VALUES (1); ROLLBACK").await;
        session.run("BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s; INSERT INTO t VALUES (3); ROLLBACK TO s; COMMIT").await;
        session.check("SELECT row_pk, op FROM pgtrack.changes('t')", r#"{"id": 2}|INSERT"#).await;
        session.check("SELECT count(*) FROM pgtrack.statement", "1").await;
    });
}

#[test]
fn case_02_03_04_on_conflict_merge_and_cte_record_each_row_once_with_its_real_operation() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        session.run("INSERT INTO t VALUES (1, 'b'), (2, 'b') ON CONFLICT (id) DO UPDATE SET v = excluded.v").await;
        session.run("INSERT INTO t VALUES (1, 'c') ON CONFLICT DO NOTHING").await;
        session.run("MERGE INTO t USING (VALUES (1, 'm'), (2, NULL), (3, 'm')) AS s (id, v) ON t.id = s.id
                     WHEN MATCHED AND s.v IS NULL THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v
                     WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)").await;
        session.run("WITH gone AS (DELETE FROM t WHERE id = 3 RETURNING v), came AS (INSERT INTO t VALUES (4, 'x'))
                     UPDATE t SET v = 'w' WHERE id = 1").await;
        session.check("SELECT row_pk ->> 'id', op, before ->> 'v', after ->> 'v' FROM pgtrack.changes('t', 100) ORDER BY 1, ver", "
            1|INSERT|~|a
            1|UPDATE|a|b
            1|UPDATE|b|m
            1|UPDATE|m|w
            2|INSERT|~|b
            2|DELETE|b|~
            3|INSERT|~|m
            3|DELETE|m|~
            4|INSERT|~|x").await;
    });
}

#[test]
fn case_06_truncate_keeps_every_row() {
    on_each_version(async |session| {
        session.run("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);
                     SELECT pgtrack.track('p'); SELECT pgtrack.track('c');
                     INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (10, 1)").await;
        session.run("TRUNCATE p CASCADE").await;
        session
            .check(
                "SELECT row_pk, data FROM pgtrack.deleted('p') ORDER BY 1",
                r#"
            {"id": 1}|{"id": 1}
            {"id": 2}|{"id": 2}"#,
            )
            .await;
        session
            .check(
                "SELECT row_pk, data FROM pgtrack.deleted('c')",
                r#"{"id": 10}|{"p": 1, "id": 10}"#,
            )
            .await;
    });
}

#[test]
fn case_12_foreign_key_cascades_are_recorded_with_the_statement_that_caused_them() {
    on_each_version(async |session| {
        session.run("CREATE TABLE p (id int PRIMARY KEY);
                     CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);
                     CREATE TABLE n (id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL);
                     SELECT pgtrack.track('public');
                     INSERT INTO p VALUES (1), (2); INSERT INTO c VALUES (10, 1), (11, 2); INSERT INTO n VALUES (20, 1)").await;
        session.run("DELETE FROM p WHERE id = 1").await;
        session.run("UPDATE p SET id = 3 WHERE id = 2").await;
        session.check("SELECT row_pk, op, before ->> 'p', after ->> 'p' FROM pgtrack.changes('c') WHERE op <> 'INSERT' ORDER BY statement_id", r#"
            {"id": 10}|DELETE|1|~
            {"id": 11}|UPDATE|2|3"#).await;
        session.check("SELECT row_pk, op, before ->> 'p', after ->> 'p' FROM pgtrack.changes('n') WHERE op <> 'INSERT'", r#"
            {"id": 20}|UPDATE|1|~"#).await;
        session.check("SELECT count(DISTINCT xid) FROM pgtrack.activity WHERE operation = 'DELETE' OR table_name = 'public.n' AND operation = 'UPDATE'", "1").await;
    });
}

#[test]
fn case_08_09_the_stored_values_are_recorded_not_the_requested_ones() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text);
                     CREATE FUNCTION up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.v = 'no' THEN RETURN NULL; END IF; NEW.v := upper(NEW.v); RETURN NEW; END $$;
                     CREATE TRIGGER up BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION up();
                     SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'a'), (2, 'no'); UPDATE t SET v = 'b'; UPDATE t SET v = 'no'").await;
        session.check("SELECT row_pk, op, before ->> 'v', after ->> 'v' FROM pgtrack.changes('t') ORDER BY ver", r#"
            {"id": 1}|INSERT|~|A
            {"id": 1}|UPDATE|A|B"#).await;
    });
}

#[test]
fn who_what_and_from_where() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE clerk_who; GRANT clerk_who TO postgres;
                     GRANT ALL ON t TO clerk_who; SELECT pgtrack.track('t')").await;
        session.run("SET application_name = 'billing'; SET ROLE clerk_who; SELECT pgtrack.set_actor('ann@example.com')").await;
        session
            .run("BEGIN; SELECT pgtrack.set_message('year end'); INSERT INTO t VALUES (1); COMMIT")
            .await;
        session.run("RESET ROLE; SELECT pgtrack.set_actor(NULL); INSERT INTO t VALUES (2)").await;
        session.check("SELECT who, user_name, role_name, application, client_addr, through_proxy, actor, message, query
                       FROM pgtrack.activity ORDER BY statement_id", "
            ann@example.com|postgres|clerk_who|billing|127.0.0.1|f|ann@example.com|year end|BEGIN; SELECT pgtrack.set_message('year end'); INSERT INTO t VALUES (1); COMMIT
            postgres|postgres|~|billing|127.0.0.1|f|~|~|RESET ROLE; SELECT pgtrack.set_actor(NULL); INSERT INTO t VALUES (2)").await;
        session.run("DROP OWNED BY clerk_who; DROP ROLE clerk_who").await;
    });
}

#[test]
fn the_query_text_can_be_left_out() {
    on_each_version(async |session| {
        session.run(r#"CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t', '{"query": false}')"#).await;
        session.run("INSERT INTO t VALUES (1)").await;
        session.run("SELECT pgtrack.track('t')").await;
        session.run("INSERT INTO t VALUES (2)").await;
        session
            .check(
                "SELECT query FROM pgtrack.activity ORDER BY statement_id",
                "
            ~
            INSERT INTO t VALUES (2)",
            )
            .await;
    });
}

#[test]
fn case_28_39_a_hostile_session_records_the_same() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, f float8, at timestamptz, i interval, b bytea); SELECT pgtrack.track('t')").await;
        session.run("CREATE FUNCTION public.nextval(regclass) RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint / 0';
                     CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
                     SET search_path = public, pg_catalog; SET extra_float_digits = -10; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard';
                     SET bytea_output = 'escape'; SET TimeZone = 'Asia/Tokyo'; SET standard_conforming_strings = off").await;
        session.run("INSERT INTO t VALUES (1, 0.1::float8 + 0.2, '2026-02-01 00:00+00', '1 day', 'x'); UPDATE t SET id = 2; SET search_path = ''; DELETE FROM public.t").await;
        session.run("RESET ALL; SET TimeZone = 'UTC'").await;
        session
            .check(
                "SELECT pgtrack.undo('t', 2)",
                "public.t (id=2): row inserted again, now as after version 2",
            )
            .await;
        session
            .check(
                "SELECT f = 0.1::float8 + 0.2, at, i, b FROM t",
                r"t|2026-02-01 00:00:00+00|1 day|\x78",
            )
            .await;
    });
}

#[test]
fn case_25_names_that_clash_with_ours_or_need_quotes_are_fine() {
    on_each_version(async |session| {
        let name = "Weird \"table\". with a very long name, longer than fits any identifier";
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        session.run(&format!(
            r#"CREATE SCHEMA "My Schema";
               CREATE TABLE "My Schema".{quoted} ("id" int, "select" text, "rows" int, r int, h int, t int, k int, c int, "pgtrack_statement_id" int,
                 "UPPER" text, "a""b" text, "100%%s" text, "back\slash" text, pgtrack_old int, key jsonb, image text, ver int, PRIMARY KEY ("select", "id"))"#
        )).await;
        session.run("SET client_min_messages = error").await;
        session.run(r#"SELECT pgtrack.track('"My Schema"')"#).await;
        session.run(&format!(r#"INSERT INTO "My Schema".{quoted} ("id", "select", "a""b", "100%%s", "back\slash") VALUES (1, 'x''y', 'q', '100%', 'b\s');
                               UPDATE "My Schema".{quoted} SET "rows" = 5, "a""b" = '%s'; DELETE FROM "My Schema".{quoted}"#)).await;
        let table = format!("\"My Schema\".{quoted}").replace('\'', "''");
        session.check(&format!(r#"SELECT ver, op, what FROM pgtrack.history('{table}', '{{"id": 1, "select": "x''y"}}')"#), r#"
            1|INSERT|~
            2|UPDATE|{"a\"b",rows}
            3|DELETE|~"#).await;
        session
            .run(&format!(
                r#"SELECT pgtrack.revert('{table}', '{{"id": 1, "select": "x''y"}}', 1)"#
            ))
            .await;
        session
            .check(
                &format!(
                    r#"SELECT "a""b", "rows", "100%%s", "back\slash" FROM "My Schema".{quoted}"#
                ),
                r"q|~|100%|b\s",
            )
            .await;
    });
}

#[test]
fn case_20_two_writers_of_one_row_are_recorded_in_the_order_in_which_they_changed_it() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'start')").await;
        let other = session.another().await;
        other.run("BEGIN; SELECT pg_current_xact_id()").await;
        session.run("BEGIN; UPDATE t SET v = 'first'").await;
        let blocked = other.run("UPDATE t SET v = 'second'");
        let ((), ()) = tokio::join!(blocked, session.run("COMMIT"));
        other.run("COMMIT").await;
        session
            .check(
                "SELECT before ->> 'v', after ->> 'v' FROM pgtrack.history('t', 1)",
                "
            ~|start
            start|first
            first|second",
            )
            .await;
    });
}

#[test]
fn case_05_copied_rows_are_recorded() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); CREATE TABLE source AS SELECT g AS id, 'v' || g AS v FROM generate_series(1, 3) g").await;
        for (number, format) in ["text", "csv", "binary"].into_iter().enumerate() {
            session
                .run(&format!(
                    "DO $$ DECLARE v_file text := current_setting('data_directory') || '/copied.' || current_database(); BEGIN
                       EXECUTE format('COPY (SELECT id + {number}0, v FROM source) TO %L (FORMAT {format})', v_file);
                       EXECUTE format('COPY t FROM %L (FORMAT {format})', v_file); END $$"
                ))
                .await;
        }
        session
            .check(
                "SELECT operation, row_count FROM pgtrack.activity",
                "INSERT|3\nINSERT|3\nINSERT|3",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 23)", "1").await;
    });
}

#[test]
fn case_27_very_wide_rows_and_very_large_values_are_recorded_whole() {
    on_outer_versions(async |session| {
        for columns in [1599, 1598] {
            let list: Vec<_> = (1..=columns).map(|number| format!("c{number} int")).collect();
            session
                .run(&format!(
                    "DROP TABLE IF EXISTS wide; CREATE TABLE wide (id int PRIMARY KEY, {})",
                    list.join(", ")
                ))
                .await;
            if columns == 1599 {
                let error = session.error("SELECT pgtrack.track('wide')").await;
                assert!(error.starts_with("42809: cannot track public.wide: it has 1600 columns, and its history table needs one more"), "{error}");
            }
        }
        session.run("SELECT pgtrack.track('wide'); INSERT INTO wide (id, c1, c1598) VALUES (1, 1, 2); UPDATE wide SET c1 = 2; SELECT pgtrack.undo('wide', 1)").await;
        session.check("SELECT c1, c1598 FROM wide", "1|2").await;

        session.run("CREATE TABLE large (id int PRIMARY KEY, t text, b bytea, n int); ALTER TABLE large ALTER t SET STORAGE EXTERNAL; SELECT pgtrack.track('large')").await;
        session.run("INSERT INTO large VALUES (1, repeat('0123456789', 10 * 1024 * 1024), decode(repeat('00ff', 1024 * 1024), 'hex'), 1)").await;
        // The first change does not touch the large values, the second overwrites them.
        session.run("UPDATE large SET n = 2; UPDATE large SET t = '', b = NULL; SELECT pgtrack.undo('large', 1)").await;
        session.check("SELECT length(t), md5(t) = md5(repeat('0123456789', 10 * 1024 * 1024)), length(b), n FROM large", "104857600|t|2097152|2").await;
        session.run("DELETE FROM large; SELECT pgtrack.restore('large', 1)").await;
        session.check("SELECT length(t), length(b), n FROM large", "104857600|2097152|2").await;
    });
}

#[test]
fn case_40_the_login_is_recorded_whatever_role_it_takes_on() {
    on_each_version(async |session| {
        let role = "Quo\"ted rôle of sixty-three bytes xxxxxxxxxxxxxxxxxxxxxxxxxxxx";
        assert_eq!(role.len(), 63);
        let quoted = format!("\"{}\"", role.replace('"', "\"\""));
        session
            .run(&format!(
                "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); CREATE ROLE {quoted}; CREATE ROLE case_40;
                 GRANT case_40 TO {quoted}; GRANT ALL ON t TO case_40;
                 CREATE FUNCTION change() RETURNS void SECURITY DEFINER LANGUAGE sql AS $$ UPDATE t SET v = 'definer' $$"
            ))
            .await;
        session
            .run(&format!(
                "SET SESSION AUTHORIZATION {quoted}; INSERT INTO t VALUES (1, 'a'); SET ROLE case_40; UPDATE t SET v = 'b'; RESET ROLE;
                 SELECT change(); RESET SESSION AUTHORIZATION; DROP OWNED BY {quoted}, case_40; DROP ROLE {quoted}, case_40"
            ))
            .await;
        session
            .check(
                "SELECT ver, who, role_name FROM pgtrack.history('t', 1) JOIN pgtrack.activity USING (statement_id, who)",
                &format!("1|{role}|~\n2|{role}|case_40\n3|{role}|~"),
            )
            .await;
    });
}

#[test]
fn case_79_what_cannot_be_recorded_is_not_done() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        session
            .run("ALTER TABLE pgtrack_history.t_1 ADD CONSTRAINT full_disk CHECK (false) NOT VALID")
            .await;
        for change in
            ["UPDATE t SET v = 'b'", "DELETE FROM t", "TRUNCATE t", "INSERT INTO t VALUES (2, 'b')"]
        {
            let error = session.error(change).await;
            assert!(
                error.starts_with(
                    "23514: new row for relation \"t_1\" violates check constraint \"full_disk\""
                ),
                "{error}"
            );
        }
        session.check("SELECT * FROM t", "1|a").await;
        session.check("SELECT count(*) FROM pgtrack.statement", "1").await;
    });
}
