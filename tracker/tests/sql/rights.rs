//! Who may do what.

use crate::support::on_each_version;

#[test]
fn case_38_a_role_without_any_right_on_pg_track_writes_its_own_tables_and_they_are_recorded() {
    on_each_version(async |session| {
        session.run("CREATE ROLE app_rights LOGIN; CREATE TABLE t (id int PRIMARY KEY, v text); GRANT SELECT, INSERT, UPDATE, DELETE ON t TO app_rights;
                     SELECT pgtrack.track('t'); REVOKE ALL ON SCHEMA pgtrack, pgtrack_history FROM PUBLIC").await;
        let app = session.another_as("app_rights").await;
        app.run("INSERT INTO t VALUES (1, 'a'); UPDATE t SET id = 2; DELETE FROM t").await;
        session
            .check(
                "SELECT user_name, operation FROM pgtrack.activity ORDER BY statement_id",
                "
            app_rights|INSERT
            app_rights|UPDATE
            app_rights|DELETE",
            )
            .await;
        session.run("DROP OWNED BY app_rights; DROP ROLE app_rights").await;
    });
}

#[test]
fn case_38_reading_history_needs_select_on_the_table_and_reverting_needs_the_rights_to_change_it() {
    on_each_version(async |session| {
        session.run("CREATE ROLE reader_rights LOGIN; CREATE ROLE nobody_rights LOGIN; CREATE TABLE t (id int PRIMARY KEY, v text); GRANT SELECT ON t TO reader_rights;
                     SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'secret'); UPDATE t SET v = 'x'").await;
        let reader = session.another_as("reader_rights").await;
        reader
            .check(
                "SELECT ver, after ->> 'v' FROM pgtrack.history('t', 1)",
                "
            1|secret
            2|x",
            )
            .await;
        reader.check("SELECT action FROM pgtrack.plan_undo('t', 1)", "update").await;
        assert_eq!(
            reader.error("SELECT pgtrack.undo('t', 1)").await,
            "42501: permission denied for table t"
        );
        let nobody = session.another_as("nobody_rights").await;
        assert_eq!(
            nobody.error("SELECT pgtrack.history('t', 1)").await,
            "42501: permission denied for table public.t\nDETAIL: Reading a table's history needs SELECT on the table."
        );
        nobody.check("SELECT count(*) FROM pgtrack.activity", "0").await;
        nobody.check("SELECT count(*) FROM pgtrack.log()", "0").await;
        let history = nobody.rows("SELECT history_table FROM pgtrack.tracked_table").await;
        let error = nobody.error(&format!("SELECT count(*) FROM {history}")).await;
        assert!(error.starts_with("42501: permission denied for table "), "{error}");
        reader.check(&format!("SELECT count(*) FROM {history}"), "2").await;
        for forgery in [
            format!("INSERT INTO {history} DEFAULT VALUES"),
            format!("UPDATE {history} SET v = 'forged'"),
            format!("DELETE FROM {history}"),
            "DELETE FROM pgtrack.statement".into(),
            "UPDATE pgtrack.statement SET user_name = 'somebody else'".into(),
            "INSERT INTO pgtrack.key_change DEFAULT VALUES".into(),
            "SELECT nextval('pgtrack.statement_id_seq')".into(),
            "SELECT pgtrack.track('t')".into(),
            "SELECT pgtrack._sync(1)".into(),
        ] {
            let error = reader.error(&forgery).await;
            assert!(error.starts_with("42501: permission denied"), "{forgery}: {error}");
        }
        session.run("DROP OWNED BY reader_rights; DROP OWNED BY nobody_rights; DROP ROLE reader_rights; DROP ROLE nobody_rights").await;
    });
}

#[test]
fn case_41_under_row_security_only_the_history_of_visible_rows_is_seen() {
    on_each_version(async |session| {
        session.run("CREATE ROLE tenant_rights LOGIN; CREATE TABLE t (id int PRIMARY KEY, tenant text, v text); GRANT ALL ON t TO tenant_rights;
                     ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON t USING (tenant = current_user); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'tenant_rights', 'mine'), (2, 'other', 'secret'); UPDATE t SET v = v || '!'").await;
        let tenant = session.another_as("tenant_rights").await;
        tenant
            .check(
                "SELECT row_pk, op, before ->> 'v' FROM pgtrack.changes('t') ORDER BY statement_id",
                r#"
            {"id": 1}|INSERT|~
            {"id": 1}|UPDATE|mine"#,
            )
            .await;
        tenant.check("SELECT count(*) FROM pgtrack.history('t', 2)", "0").await;
        tenant
            .check(
                "SELECT pgtrack.undo('t', 1)",
                "public.t (id=1): row updated: v, now as after version 1",
            )
            .await;
        session
            .check(
                "SELECT v FROM t ORDER BY id",
                "
            mine
            secret!",
            )
            .await;
        session.run("DROP OWNED BY tenant_rights; DROP ROLE tenant_rights").await;
    });
}

#[test]
fn the_reset_value_of_the_context_is_recorded_whatever_the_session_sets() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t')").await;
        session.run("SET pgtrack.ctx = '1 6.6.6.6 66 forged'; INSERT INTO t VALUES (1)").await;
        session.run("BEGIN; SET LOCAL pgtrack.ctx = '1 6.6.6.6 66 forged'; INSERT INTO t VALUES (2); COMMIT").await;
        session
            .check(
                "SELECT DISTINCT client_addr, through_proxy FROM pgtrack.activity",
                "127.0.0.1|f",
            )
            .await;
    });
}
