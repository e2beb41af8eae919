//! What others make to stand on pg_track's objects stands in nobody's way.

use crate::support::{Session, install, on_outer_versions};

/// A role that owns a schema, and nothing else.
async fn with_other_role(session: &Session, role: &str) -> Session {
    session
        .run(&format!("CREATE ROLE {role} LOGIN; CREATE SCHEMA theirs AUTHORIZATION {role}"))
        .await;
    session.another_as(role).await
}

async fn without_other_role(session: &Session, role: &str) {
    session
        .run(&format!("DROP SCHEMA theirs CASCADE; DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

#[test]
fn a_key_is_retyped_whatever_stands_on_its_history() {
    on_outer_versions(async |session| {
        let other = with_other_role(&session, "stands_on_keys").await;
        for (number, obstacle) in [
            "CREATE VIEW theirs.v AS SELECT id FROM pgtrack_history.t_1",
            "CREATE MATERIALIZED VIEW theirs.m AS SELECT id FROM pgtrack_history.t_2 WITH NO DATA",
            "CREATE FUNCTION theirs.f() RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC SELECT id FROM pgtrack_history.t_3; END",
            "CREATE TABLE theirs.p (id int); CREATE POLICY p ON theirs.p USING (id IN (SELECT h.id FROM pgtrack_history.t_4 h))",
            "CREATE TABLE theirs.d (id int); CREATE RULE r AS ON INSERT TO theirs.d DO ALSO SELECT id FROM pgtrack_history.t_5",
            "CREATE TABLE theirs.r (h pgtrack_history.t_6)",
            "CREATE TYPE theirs.g AS RANGE (subtype = pgtrack_history.t_7); CREATE TABLE theirs.g7 (g theirs.g)",
        ]
        .into_iter()
        .enumerate()
        {
            session
                .run(
                    "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET id = 3 WHERE id = 1; UPDATE t SET v = 'c'",
                )
                .await;
            other.run(obstacle).await;
            let notices = session.notices("ALTER TABLE t ALTER id TYPE bigint").await;
            assert_eq!(notices.len(), 1, "{obstacle}: {notices:?}");
            let history = format!("column id_left of pgtrack_history.t_{} is left to what stands on it: ", number + 1);
            assert!(notices[0].starts_with(&history), "{notices:?}");
            session.run("UPDATE t SET v = 'd'; ALTER TABLE t ADD COLUMN w int; UPDATE t SET w = 1").await;
            session
                .check(
                    "SELECT ver, op, before FROM pgtrack.history('t', 3)",
                    r#"
                1|INSERT|~
                2|UPDATE|{"v": "a", "id": 1}
                3|UPDATE|{"v": "a", "id": 3}
                4|UPDATE|{"v": "c", "id": 3}
                5|UPDATE|{"v": "d", "w": null, "id": 3}"#,
                )
                .await;
            session
                .check(
                    &format!("SELECT indexdef FROM pg_indexes WHERE indexname = 'h{}_key'", number + 1),
                    &format!("CREATE INDEX h{0}_key ON pgtrack_history.t_{0} USING btree (id)", number + 1),
                )
                .await;
            session.run("SELECT pgtrack.undo_transaction((SELECT max(xid) FROM pgtrack.log()))").await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
            session.run("DROP TABLE t").await;
        }
        without_other_role(&session, "stands_on_keys").await;
    });
}

#[test]
fn a_partition_is_dropped_whatever_stands_on_its_recorder() {
    on_outer_versions(async |session| {
        let other = with_other_role(&session, "stands_on_recorders").await;
        session
            .run(
                "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);
                 CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (9) TO (99); SELECT pgtrack.track('p')",
            )
            .await;
        let recorders = session
            .rows("SELECT function_name FROM pgtrack.generated WHERE leaf IS NOT NULL ORDER BY 1")
            .await;
        for (number, recorder) in recorders.lines().enumerate() {
            other
                .run(&format!("CREATE VIEW theirs.v{number} AS SELECT 1 WHERE pgtrack_history.{recorder}() IS NULL"))
                .await;
        }
        session.run("DROP TABLE p1; ALTER TABLE p DETACH PARTITION p2; ALTER TABLE p ADD COLUMN v text; DROP TABLE p").await;
        without_other_role(&session, "stands_on_recorders").await;
    });
}

#[test]
fn nothing_that_stands_on_an_internal_function_goes_when_it_is_replaced() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE SCHEMA stands; CREATE TABLE stands.i (a text, b int); CREATE INDEX ON stands.i (pgtrack._free_name(a, NULL));
                 CREATE STATISTICS stands.s ON (pgtrack._free_name(a, NULL)), b FROM stands.i;
                 CREATE TABLE stands.p (a text) PARTITION BY LIST (pgtrack._free_name(a, NULL)); CREATE TABLE stands.p1 PARTITION OF stands.p DEFAULT;
                 INSERT INTO stands.p VALUES ('kept');
                 CREATE TABLE stands.g (a int, b text GENERATED ALWAYS AS (pgtrack._role_sql(a::text)) STORED, c text DEFAULT pgtrack._noted_path());
                 CREATE FUNCTION stands.f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT pgtrack._role_sql('public'); END;
                 CREATE VIEW stands.v AS SELECT stands.f()",
            )
            .await;
        for _ in 0..2 {
            install(session.database.clone()).await;
            session
                .check(
                    "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'stands'::regnamespace",
                    "g i i__free_name_idx p p1 v",
                )
                .await;
            session.check("SELECT count(*) FROM pg_statistic_ext WHERE stxnamespace = 'stands'::regnamespace", "1").await;
            session
                .check(
                    "INSERT INTO stands.p VALUES ('more'); SELECT count(*) > 1 FROM stands.p",
                    "t",
                )
                .await;
            session.check("TRUNCATE stands.g; INSERT INTO stands.g VALUES (1); SELECT b, f FROM stands.g, stands.v", "\"1\"|PUBLIC").await;
            session.check("SELECT count(*) FROM pg_proc WHERE proname LIKE '\\_left\\_%' AND NOT prosecdef", "3").await;
        }
        session.run("DROP SCHEMA stands CASCADE").await;
        install(session.database.clone()).await;
        session.check("SELECT count(*) FROM pg_proc WHERE proname LIKE '\\_left\\_%'", "0").await;
    });
}

#[test]
fn an_installation_is_upgraded_whatever_stands_on_it() {
    on_outer_versions(async |session| {
        let other = with_other_role(&session, "stands_on_tables").await;
        session
            .run(
                "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (id int PRIMARY KEY, m mood); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a'); UPDATE t SET m = 'b'",
            )
            .await;
        // As an earlier revision left it.
        session
            .run(
                "ALTER TABLE pgtrack_history.t_1 ALTER m TYPE mood USING m::mood; ALTER TABLE pgtrack.relation_shape ADD versions text NOT NULL DEFAULT '';
                 CREATE FUNCTION pgtrack._sees_row(integer, jsonb) RETURNS boolean LANGUAGE sql RETURN true",
            )
            .await;
        other
            .run(
                "CREATE VIEW theirs.v AS SELECT m FROM pgtrack_history.t_1; CREATE VIEW theirs.s AS SELECT versions FROM pgtrack.relation_shape;
                 CREATE VIEW theirs.f AS SELECT pgtrack._sees_row(1, '{}'); CREATE VIEW theirs.n AS SELECT pgtrack._name('pg_class')",
            )
            .await;
        install(session.database.clone()).await;
        install(session.database.clone()).await;
        session
            .check("SELECT relname FROM pg_class WHERE relnamespace = 'theirs'::regnamespace ORDER BY 1", "
            f
            n
            s
            v").await;
        session
            .run("UPDATE t SET m = 'a'; ALTER TABLE t ADD COLUMN w int; UPDATE t SET w = 1")
            .await;
        session
            .check(
                "SELECT before ->> 'm' FROM pgtrack.history('t', 1)",
                "
            ~
            a
            b
            a",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        // The old column holds nothing that history needs.
        session.run("ALTER TABLE t DROP COLUMN m; DROP TYPE mood CASCADE").await;
        without_other_role(&session, "stands_on_tables").await;
    });
}
