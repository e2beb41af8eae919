//! Without event triggers, as on a server where nobody is a superuser.

use crate::support::{Session, on_each_version};

/// Makes the installation one that a plain role could have made.
async fn without_event_triggers(session: &Session) {
    session.run("DROP EVENT TRIGGER pgtrack_ddl; DROP EVENT TRIGGER pgtrack_before_ddl; DROP EVENT TRIGGER pgtrack_drop").await;
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
        session.check("SELECT value FROM pgtrack.info() WHERE property LIKE 'DDL%'", "followed at the next write; after changes of the key or of triggers run pgtrack.track() again").await;
    });
}

#[test]
fn case_75_everything_is_installed_and_works_without_a_superuser() {
    on_each_version(async |session| {
        session
            .run(&crate::support::without_psql_lines(include_str!(
                "../../../sql/pg_track--uninstall.sql"
            )))
            .await;
        session.run(&format!("CREATE ROLE plain LOGIN; GRANT CREATE ON DATABASE {} TO plain; GRANT CREATE ON SCHEMA public TO plain", session.database.name())).await;
        let plain = session.another_as("plain").await;
        plain
            .run(&format!(
                "BEGIN; {}; COMMIT",
                crate::support::without_psql_lines(include_str!("../../../sql/pg_track--1.0.sql"))
            ))
            .await;
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
        session.run("DROP SCHEMA pgtrack CASCADE; DROP SCHEMA pgtrack_history CASCADE; DROP OWNED BY plain; DROP ROLE plain").await;
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
