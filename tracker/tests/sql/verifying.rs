//! `verify`: is everything that should be recorded recorded?

use std::time::Duration;

use crate::support::{on_each_version, on_outer_versions};

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

#[test]
fn a_partition_that_somebody_holds_keeps_nobody_from_verifying() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
                 CREATE TABLE p2 PARTITION OF p1 FOR VALUES FROM (0) TO (5); SELECT pgtrack.track('public')",
            )
            .await;
        let other = session.another().await;
        session.run("SET statement_timeout = '30s'").await;
        for command in [
            "TRUNCATE p2",
            "LOCK TABLE p1",
            "ALTER TABLE p1 DETACH PARTITION p2",
            "ALTER TABLE p DETACH PARTITION p1",
        ] {
            other.run(&format!("BEGIN; {command}")).await;
            session.check("SELECT * FROM pgtrack.verify(gaps => false)", "").await;
            session.check("SELECT * FROM pgtrack.follow_ddl()", "").await;
            session.run("SELECT * FROM pgtrack.verify()").await;
            other.run("ROLLBACK").await;
        }
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn what_the_caller_may_not_read_is_said_and_keeps_nothing_else_from_being_verified() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE verifying_owner LOGIN; CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO verifying_owner; SELECT pgtrack.track('app');
                 CREATE TABLE app.closed (id int PRIMARY KEY); INSERT INTO app.closed VALUES (1);
                 CREATE SCHEMA away; CREATE TABLE away.t (id int PRIMARY KEY); SELECT pgtrack.track('away.t'); INSERT INTO away.t VALUES (1);
                 GRANT ALL ON away.t TO verifying_owner; SET ROLE verifying_owner; CREATE TABLE app.mine (id int PRIMARY KEY);
                 INSERT INTO app.mine VALUES (1), (2); ALTER TABLE app.mine DISABLE TRIGGER USER; DELETE FROM app.mine WHERE id = 1;
                 ALTER TABLE app.mine ENABLE TRIGGER USER",
            )
            .await;
        session.run("RESET ROLE; SELECT pgtrack.track('app.mine')").await;
        let owner = session.another_as("verifying_owner").await;
        owner
            .check(
                "SELECT \"table\", problem FROM pgtrack.verify()",
                "
            app.closed|its rows were not looked at, as you may not read them
            app.mine|1 rows were changed while nothing was recorded, for example: id=1 is missing, but its deletion is not recorded
            away.t|its rows were not looked at, as you may not read them",
            )
            .await;
        owner.check("SELECT * FROM pgtrack.verify(gaps => false)", "").await;
        session
            .run("DROP SCHEMA app, away CASCADE; DROP OWNED BY verifying_owner; DROP ROLE verifying_owner")
            .await;
    });
}

#[test]
fn a_table_that_is_dropped_while_it_is_waited_for_is_left_out() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); SELECT pgtrack.track('t'), pgtrack.track('u');
                  INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)")
            .await;
        let other = session.another().await;
        other.run("BEGIN; DROP TABLE t").await;
        let asking = session.another().await;
        let pid = asking.rows("SELECT pg_backend_pid()").await;
        let verified = tokio::spawn(async move {
            asking.outcome("SELECT \"table\", problem FROM pgtrack.verify()").await
        });
        // It gives up after a second, and says so; both are well.
        for _ in 0..100 {
            if session
                .rows(&format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted"))
                .await
                == "1"
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        other.run("COMMIT").await;
        let seen = verified.await.expect("it ends").expect("it fails for no table");
        assert!(seen.len() <= 2, "{seen:?}");
    });
}
