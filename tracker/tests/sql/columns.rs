//! Undo and revert some columns of a row, and leave the others as they are.

use crate::support::{Session, on_outer_versions};

const LAST: &str = "(SELECT xid FROM pgtrack.log(1))";

/// A row whose three columns were set at once.
async fn spoiled(session: &Session) {
    session
        .run("CREATE TABLE t (id int PRIMARY KEY, a text, b text, \"C c\" text, twice text GENERATED ALWAYS AS (a || a) STORED);
              SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a', 'b', 'c'), (2, 'a', 'b', 'c')")
        .await;
    session.run("UPDATE t SET a = 'x', b = 'x', \"C c\" = 'x'").await;
}

#[test]
fn only_the_named_columns_of_a_row_are_set_back() {
    on_outer_versions(async |session| {
        spoiled(&session).await;
        session
            .check(
                "SELECT pgtrack.undo('t', 1, columns => '{b,\"C c\"}')",
                "public.t (id=1): row updated: C c, b; the other columns stay",
            )
            .await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|x|b|c|xx
            2|x|x|x|xx",
            )
            .await;
        session
            .check(
                "SELECT pgtrack.revert('t', 1, 1, columns => '{a}')",
                "public.t (id=1): row updated: a; the other columns stay",
            )
            .await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a|b|c|aa
            2|x|x|x|xx",
            )
            .await;
        session
            .check(
                "SELECT pgtrack.revert('t', 1, 1, columns => '{a}')",
                "public.t (id=1): nothing to do, these columns are as after version 1 already",
            )
            .await;
        session
            .run("SELECT pgtrack.rollback_to_pk('t', '{\"id\":2}', now(), columns => '{a}')")
            .await;
        session
            .check(
                "SELECT arguments ->> 'columns' FROM pgtrack.audit WHERE verb = 'undo'",
                r#"["b", "C c"]"#,
            )
            .await;
    });
}

#[test]
fn an_undo_of_some_columns_is_undone_like_any_change() {
    on_outer_versions(async |session| {
        spoiled(&session).await;
        session.run("SELECT pgtrack.undo('t', 1, columns => '{a}')").await;
        session.check("SELECT what FROM pgtrack.history('t', 1) WHERE ver = 3", "{a,twice}").await;
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT * FROM t WHERE id = 1", "1|x|x|x|xx").await;
    });
}

#[test]
fn a_set_of_changes_is_undone_in_some_columns() {
    on_outer_versions(async |session| {
        spoiled(&session).await;
        session
            .check(
                &format!("SELECT row_pk, action, after -> 'a', after -> 'b' FROM pgtrack.plan_undo_transaction({LAST}, columns => '{{b}}')"),
                r#"
                {"id": 1}|update|"x"|"b"
                {"id": 2}|update|"x"|"b""#,
            )
            .await;
        session
            .check(
                &format!("SELECT * FROM pgtrack.undo_transaction({LAST}, columns => '{{b}}')"),
                "public.t|0|2|0|0",
            )
            .await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|x|b|x|xx
            2|x|b|x|xx",
            )
            .await;
        session
            .run("SELECT pgtrack.undo_statements('{2}', on_conflict => 'force', columns => '{a}')")
            .await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a|b|x|aa
            2|a|b|x|aa",
            )
            .await;
        session
            .check(
                "SELECT reverts FROM pgtrack.activity ORDER BY statement_id DESC LIMIT 1",
                "changes 2",
            )
            .await;
    });
}

#[test]
fn what_others_changed_since_is_still_a_conflict() {
    on_outer_versions(async |session| {
        spoiled(&session).await;
        let xid = session.rows("SELECT xid FROM pgtrack.log(1)").await;
        session.run("UPDATE t SET b = 'newer' WHERE id = 1").await;
        let undo = format!("SELECT * FROM pgtrack.undo_transaction({xid}, columns => '{{a,b}}'");
        assert!(session.error(&format!("{undo})")).await.starts_with("TK001"));
        session.check(&format!("{undo}, on_conflict => 'merge')"), "public.t|0|2|0|0").await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a|newer|x|aa
            2|a|b|x|aa",
            )
            .await;
    });
}

#[test]
fn columns_that_cannot_be_set_back_are_refused() {
    on_outer_versions(async |session| {
        spoiled(&session).await;
        for (columns, message) in [
            ("{}", "22023: columns names no column"),
            ("{nonsense}", "42703: there is no column nonsense to set back"),
            ("{a,twice}", "42703: there is no column twice to set back"),
            ("{NULL}", "42703: there is no column null to set back"),
        ] {
            for call in [
                "pgtrack.undo('t', 1, ",
                "pgtrack.plan_undo('t', 1, ",
                "pgtrack.undo_statements('{2}', ",
                "pgtrack.plan_undo_statements('{2}', ",
            ] {
                let error = session.error(&format!("SELECT {call}columns => '{columns}')")).await;
                assert!(error.starts_with(message), "{call} {error}");
            }
        }
        session.check("SELECT DISTINCT a FROM t", "x").await;
    });
}

#[test]
fn a_row_that_comes_or_goes_has_no_columns_to_choose() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, a text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'), (2, 'a')").await;
        session.run("DELETE FROM t WHERE id = 2").await;
        for call in [
            "pgtrack.undo('t', 1, columns => '{a}')",
            "pgtrack.undo('t', 2, columns => '{a}')",
            "pgtrack.plan_undo_statements('{1}', columns => '{a}')",
            "pgtrack.undo_statements('{1}', on_conflict => 'force', columns => '{a}')",
            "pgtrack.plan_undo_statements('{2}', columns => '{a}')",
            "pgtrack.undo_statements('{2}', columns => '{a}')",
        ] {
            let error = session.error(&format!("SELECT {call}")).await;
            assert!(
                error.starts_with("55000: cannot set back only some columns of public.t (id="),
                "{call} {error}"
            );
        }
        session.run("UPDATE t SET a = 'b'; UPDATE t SET id = 7").await;
        let error = session.error("SELECT pgtrack.undo_statements('{3}', columns => '{a}')").await;
        assert!(error.contains("Rows of the table have got other keys since"), "{error}");
        session
            .check(
                "SELECT pgtrack.revert('t', 7, 2, columns => '{a}')",
                "public.t (id=7): nothing to do, these columns are as after version 2 already",
            )
            .await;
        session
            .check(
                "SELECT pgtrack.revert('t', 7, 1, columns => '{a}')",
                "public.t (id=7): row updated: a; the other columns stay",
            )
            .await;
        session.check("SELECT * FROM t", "7|a").await;
    });
}

#[test]
fn a_verb_of_an_earlier_installation_is_replaced() {
    on_outer_versions(async |session| {
        session
            .run("CREATE FUNCTION pgtrack.undo_transaction(xid bigint, on_conflict text DEFAULT 'error', message text DEFAULT NULL)
                  RETURNS text LANGUAGE sql AS 'SELECT NULL::text'")
            .await;
        crate::support::install(session.database.clone()).await;
        session.check("SELECT count(*) FROM pg_proc WHERE proname = 'undo_transaction'", "1").await;
    });
}
