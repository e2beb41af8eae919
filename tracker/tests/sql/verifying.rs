//! `verify`: is everything that should be recorded recorded?

use crate::support::on_each_version;

#[test]
fn a_sound_installation_has_nothing_to_report() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE keyless (v text); SELECT pgtrack.track('public'); INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET id = id + 10; DELETE FROM t WHERE id = 11").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn case_36_disabled_triggers_and_what_they_missed_are_found() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'), (2, 'b')").await;
        session.run("SET session_replication_role = replica; DELETE FROM t WHERE id = 1; RESET session_replication_role").await;
        session.check("SELECT \"table\", problem FROM pgtrack.verify()", "public.t|1 rows were changed while nothing was recorded, for example: id=1 is missing, but its deletion is not recorded").await;
        let error = session.error("SELECT pgtrack.undo('t', 1)").await;
        assert!(error.starts_with("TK001: cannot undo the last change of public.t (id=1): the row is missing, but its deletion is not recorded"), "{error}");
        session
            .run("ALTER TABLE t DISABLE TRIGGER pgtrack_update; DROP TRIGGER pgtrack_delete ON t")
            .await;
        session
            .check(
                "SELECT problem FROM pgtrack.verify(gaps => false) ORDER BY 1",
                "
            the trigger pgtrack_delete is missing on public.t
            the trigger pgtrack_update on public.t is disabled",
            )
            .await;
        session.run("SELECT pgtrack.track('t')").await;
        session.check("SELECT * FROM pgtrack.verify(gaps => false)", "").await;
    });
}

#[test]
fn what_is_not_tracked_in_a_tracked_schema_is_named() {
    on_each_version(async |session| {
        session.run("SELECT pgtrack.track('public', '{\"redact\": [\"s\"]}')").await;
        assert_eq!(
            session.notices("CREATE TABLE k (s text PRIMARY KEY)").await,
            ["public.k is not tracked: column \"s\" of public.k cannot be left out"]
        );
        session
            .run(
                "CREATE TABLE p (id int PRIMARY KEY DEFERRABLE); CREATE TABLE c () INHERITS (p);
                 CREATE TABLE meant (id int); SELECT pgtrack.untrack('meant'); CREATE VIEW v AS SELECT 1",
            )
            .await;
        session
            .check(
                "SELECT \"table\", problem FROM pgtrack.verify()",
                "
            public.k|it is not tracked, but its schema is
            public.p|it cannot be tracked, as its schema is: it takes part in inheritance, and its primary key is deferrable",
            )
            .await;
        session.run("DROP TABLE c, p; SELECT pgtrack.track('k')").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}
