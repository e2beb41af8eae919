//! Without event triggers, as on a server where nobody is a superuser.

use crate::support::{Session, on_each_version, without_psql_lines};

/// Makes the installation one that a plain role could have made.
async fn without_event_triggers(session: &Session) {
    session.run("DROP EVENT TRIGGER pgtrack_before_ddl; DROP EVENT TRIGGER pgtrack_ddl;
                 DROP EVENT TRIGGER pgtrack_ddl_triggers; DROP EVENT TRIGGER pgtrack_ddl_triggers_made; DROP EVENT TRIGGER pgtrack_drop").await;
}

#[test]
fn case_75_a_changed_shape_is_noticed_at_the_next_write() {
    on_each_version(async |session| {
        without_event_triggers(&session).await;
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t')").await;
        let other = session.another().await;
        other.run("PREPARE touch AS UPDATE t SET id = id; INSERT INTO t VALUES (1, 'a'); EXECUTE touch").await;
        session.run("ALTER TABLE t ADD COLUMN w int DEFAULT 5; ALTER TABLE t DROP COLUMN v").await;
        other.run("EXECUTE touch; UPDATE t SET w = 6").await;
        session.run("ALTER TABLE t RENAME w TO x").await;
        other.run("EXECUTE touch; DELETE FROM t").await;
        session.run("ALTER TABLE t ADD COLUMN y text").await;
        other.run("INSERT INTO t VALUES (1, 1, 'y'); TRUNCATE t").await;
        session
            .check(
                "SELECT ver, op, before FROM pgtrack.history('t', 1)",
                r#"
            1|INSERT|~
            2|UPDATE|{"v": "a", "id": 1}
            3|UPDATE|{"x": 5, "id": 1}
            4|UPDATE|{"x": 5, "id": 1}
            5|UPDATE|{"x": 6, "id": 1}
            6|DELETE|{"x": 6, "id": 1}
            7|INSERT|~
            8|TRUNCATE|{"x": 1, "y": "y", "id": 1}"#,
            )
            .await;
        session
            .check(
                "SELECT problem FROM pgtrack.verify()",
                "DDL on tracked tables is not followed at once",
            )
            .await;
        session
            .check(
                "SELECT value FROM pgtrack.info() WHERE property LIKE 'DDL%'",
                "shapes are followed at the next write, all else by pgtrack.follow_ddl()",
            )
            .await;
    });
}

/// Installs pg_track anew, by a role that is no superuser, and returns a session of that.
async fn installed_by(session: &Session, role: &str) -> Session {
    let database = session.database.name();
    session.run(&without_psql_lines(include_str!("../../../sql/pg_track--uninstall.sql"))).await;
    session
        .run(&format!(
            "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {database} TO {role}; GRANT CREATE ON SCHEMA public TO {role}"
        ))
        .await;
    let plain = session.another_as(role).await;
    let script = without_psql_lines(include_str!("../../../sql/pg_track--1.0.sql"));
    plain.run(&format!("BEGIN; {script}; COMMIT")).await;
    plain
}

async fn uninstalled(session: &Session, role: &str) {
    session
        .run(&format!(
            "DROP SCHEMA pgtrack CASCADE; DROP SCHEMA pgtrack_history CASCADE; DROP OWNED BY {role}; DROP ROLE {role}"
        ))
        .await;
}

#[test]
fn case_75_everything_is_installed_and_works_without_a_superuser() {
    on_each_version(async |session| {
        let plain = installed_by(&session, "plain").await;
        plain
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); SELECT pgtrack.tag('start'); INSERT INTO t VALUES (1, 'a');
                 ALTER TABLE t ADD COLUMN w int; UPDATE t SET w = 1; UPDATE t SET v = 'b', w = 2; SELECT pgtrack.undo('t', 1);
                 DELETE FROM t; SELECT pgtrack.restore('t', 1)",
            )
            .await;
        plain.check("SELECT * FROM t", "1|a|1").await;
        plain.run("SELECT pgtrack.revert_table('t', 'start'); SELECT pgtrack.keep('t'); SELECT pgtrack.purge('1 day')").await;
        plain.check("SELECT count(*) FROM t", "0").await;
        uninstalled(&session, "plain").await;
    });
}

#[test]
fn without_event_triggers_what_became_of_tables_is_found_by_looking() {
    on_each_version(async |session| {
        let plain = installed_by(&session, "plain_follower").await;
        plain.run("CREATE SCHEMA app; SELECT pgtrack.track('app')").await;
        plain
            .run(
                "CREATE TABLE app.item (id int PRIMARY KEY, v text);
                 CREATE TABLE app.gone (id int PRIMARY KEY);
                 CREATE TABLE app.keyed (a int PRIMARY KEY, b int NOT NULL);
                 CREATE TABLE app.part (id int, day int, PRIMARY KEY (id, day));
                 CREATE TABLE app.root (id int, day int, PRIMARY KEY (id, day)) PARTITION BY LIST (day);
                 CREATE TABLE app.root_1 PARTITION OF app.root FOR VALUES IN (1)",
            )
            .await;
        let follow = r#"SELECT "table", status FROM pgtrack.follow_ddl() WHERE done"#;
        plain
            .check(
                follow,
                "
            app.gone|tracked
            app.item|tracked
            app.keyed|tracked
            app.part|tracked
            app.root|tracked",
            )
            .await;
        plain.check(follow, "").await;
        plain.run("INSERT INTO app.item VALUES (1, 'a'); INSERT INTO app.root VALUES (1, 1)").await;

        plain
            .run(
                "ALTER TABLE app.item RENAME TO thing;
                 ALTER TABLE app.keyed DROP CONSTRAINT keyed_pkey, ADD PRIMARY KEY (b);
                 DROP TABLE app.gone;
                 CREATE TABLE app.gone (id int PRIMARY KEY, again int);
                 ALTER TABLE app.root ATTACH PARTITION app.part FOR VALUES IN (2)",
            )
            .await;
        plain.check(follow, "
            app.gone|was dropped; its history stays
            app.part|is no longer tracked: it is a partition of app.root; track that; its history stays
            app.item|is called app.thing now
            app.keyed|followed
            app.root|followed
            app.gone|tracked").await;
        plain.check(follow, "").await;
        plain
            .check(
                "SELECT problem FROM pgtrack.verify()",
                "DDL on tracked tables is not followed at once",
            )
            .await;

        plain.run("UPDATE app.thing SET v = 'b'; TRUNCATE app.part; INSERT INTO app.part VALUES (2, 2); DELETE FROM app.part").await;
        plain
            .check(
                "SELECT row_pk, op FROM pgtrack.changes('app.thing')",
                r#"
            {"id": 1}|UPDATE
            {"id": 1}|INSERT"#,
            )
            .await;
        plain
            .check(
                "SELECT row_pk, op FROM pgtrack.changes('app.root')",
                r#"
            {"id": 2, "day": 2}|DELETE
            {"id": 2, "day": 2}|INSERT
            {"id": 1, "day": 1}|INSERT"#,
            )
            .await;
        session.run("DROP SCHEMA app CASCADE").await;
        uninstalled(&session, "plain_follower").await;
    });
}

#[test]
fn what_cannot_be_followed_is_said_and_is_no_reason_to_leave_the_rest() {
    on_each_version(async |session| {
        let plain = installed_by(&session, "plain_owner").await;
        plain
            .run(
                "CREATE SCHEMA app; GRANT ALL ON SCHEMA app TO PUBLIC; SELECT pgtrack.track('app')",
            )
            .await;
        session.run("CREATE TABLE app.foreign_to_us (id int PRIMARY KEY)").await;
        plain.run("CREATE TABLE app.ours (id int PRIMARY KEY)").await;
        plain
            .check(
                "SELECT * FROM pgtrack.follow_ddl()",
                "
            app.foreign_to_us|could not be tracked: permission denied for table foreign_to_us|f
            app.ours|tracked|t",
            )
            .await;
        let error = session.database.connect().await;
        error.batch_execute("CREATE ROLE stranger_to_ddl; SET ROLE stranger_to_ddl").await.unwrap();
        let refused = error.batch_execute("SELECT pgtrack.follow_ddl()").await.unwrap_err();
        assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("42501"));
        error.batch_execute("RESET ROLE; DROP ROLE stranger_to_ddl").await.unwrap();
        session.run("DROP SCHEMA app CASCADE").await;
        uninstalled(&session, "plain_owner").await;
    });
}

#[test]
fn case_43_a_repeatable_read_transaction_older_than_the_ddl_still_writes() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        let old = session.another().await;
        old.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pgtrack.relation")
            .await;
        session.run("ALTER TABLE t ADD COLUMN w int DEFAULT 3; ALTER TABLE t DROP COLUMN v").await;
        old.run("UPDATE t SET w = 4; COMMIT; UPDATE t SET w = 5").await;
        session
            .check(
                "SELECT before FROM pgtrack.history('t', 1) WHERE op = 'UPDATE'",
                r#"
            {"w": 3, "id": 1}
            {"w": 4, "id": 1}"#,
            )
            .await;
    });
}

#[test]
fn without_event_triggers_what_was_detached_is_tracked_with_its_root_s_options() {
    on_each_version(async |session| {
        without_event_triggers(&session).await;
        session
            .run(
                "SELECT pgtrack.track('public'); CREATE TABLE ev (id int PRIMARY KEY, v text, s text) PARTITION BY RANGE (id);
                 CREATE TABLE ev1 PARTITION OF ev FOR VALUES FROM (0) TO (100); CREATE TABLE ev2 PARTITION OF ev FOR VALUES FROM (100) TO (200);
                 SELECT pgtrack.track('ev', '{\"exclude\": [\"s\"]}'); INSERT INTO ev VALUES (1, 'a'), (101, 'b')",
            )
            .await;
        session.run("ALTER TABLE ev DETACH PARTITION ev1").await;
        session.check("SELECT * FROM pgtrack.follow_ddl()", "public.ev|followed|t").await;
        session.run("UPDATE ev1 SET v = 'x'; UPDATE ev SET v = 'y'").await;
        session
            .check(
                "SELECT t.table_name, options -> 'exclude', operation, row_count FROM pgtrack.tracked_table t
                 JOIN pgtrack.activity a USING (table_name) ORDER BY statement_id",
                r#"
            public.ev|["s"]|INSERT|2
            public.ev1|["s"]|UPDATE|1
            public.ev|["s"]|UPDATE|1"#,
            )
            .await;
        session.check("SELECT * FROM pgtrack.follow_ddl()", "").await;
    });
}
