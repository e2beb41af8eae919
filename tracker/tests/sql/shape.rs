//! Reading and reverting across columns that have come, gone, and changed their name or type since.

use crate::support::{Session, on_each_version};

/// Creates and tracks a table, with two versions of row 1.
async fn two_versions(session: &Session, columns: &str, first: &str, second: &str) {
    session
        .run(&format!(
            "CREATE TABLE t (id int PRIMARY KEY, {columns}); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, {first})"
        ))
        .await;
    session.run(&format!("UPDATE t SET {second}")).await;
}

#[test]
fn case_44_an_added_column_keeps_its_value_or_takes_its_default() {
    on_each_version(async |session| {
        two_versions(&session, "v text", "'a'", "v = 'b'").await;
        session.run("INSERT INTO t VALUES (2, 'a'); DELETE FROM t WHERE id = 2").await;
        session.run("ALTER TABLE t ADD COLUMN w int NOT NULL DEFAULT 7, ADD COLUMN x text; UPDATE t SET w = 8, x = 'x'").await;
        session.run("SELECT pgtrack.revert('t', 1, 1), pgtrack.restore('t', 2)").await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a|8|x
            2|a|7|~",
            )
            .await;
    });
}

#[test]
fn case_45_a_dropped_column_stays_in_history_and_out_of_a_revert() {
    on_each_version(async |session| {
        two_versions(&session, "v text, w text", "'a', 'x'", "v = 'b', w = 'y'").await;
        session.run("ALTER TABLE t DROP COLUMN v; UPDATE t SET w = 'z'; DELETE FROM t").await;
        session
            .check(
                "SELECT ver, before FROM pgtrack.history('t', 1)",
                r#"
            1|~
            2|{"v": "a", "w": "x", "id": 1}
            3|{"w": "y", "id": 1}
            4|{"w": "z", "id": 1}"#,
            )
            .await;
        session
            .check("SELECT after FROM pgtrack.plan_revert('t', 1, 1)", r#"{"w": "x", "id": 1}"#)
            .await;
        session.run("SELECT pgtrack.revert('t', 1, 1)").await;
        session.check("SELECT * FROM t", "1|x").await;
    });
}

#[test]
fn case_42_a_column_that_is_excluded_later_is_not_shown_in_images_of_before() {
    on_each_version(async |session| {
        two_versions(&session, "v int, w text", "5, 'x'", "v = 6").await;
        session.run("ALTER TABLE t ALTER v TYPE bigint; UPDATE t SET v = 7").await;
        session
            .run(r#"SELECT pgtrack.track('t', options => '{"exclude": ["v"]}'); UPDATE t SET v = 8, w = 'y'; ALTER TABLE t DROP COLUMN v; UPDATE t SET w = 'z'"#)
            .await;
        session
            .check(
                "SELECT ver, before FROM pgtrack.history('t', 1) WHERE ver > 1",
                r#"
            2|{"w": "x", "id": 1}
            3|{"w": "x", "id": 1}
            4|{"w": "x", "id": 1}
            5|{"w": "y", "id": 1}"#,
            )
            .await;
    });
}

#[test]
fn case_46_old_values_go_to_the_renamed_column_not_to_a_new_one_of_its_name() {
    on_each_version(async |session| {
        two_versions(&session, "v text", "'old'", "v = 'newer'").await;
        session
            .run("ALTER TABLE t RENAME v TO was_v; ALTER TABLE t ADD COLUMN v text DEFAULT 'other'")
            .await;
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT id, was_v, v FROM t", "1|old|other").await;
        session.run("UPDATE t SET v = 'more'; SELECT pgtrack.revert('t', 1, 1)").await;
        session.check("SELECT id, was_v, v FROM t", "1|old|more").await;
    });
}

#[test]
fn case_47_values_of_an_earlier_type_come_back_or_the_error_names_them() {
    on_each_version(async |session| {
        two_versions(&session, "v text, n int", "'12', 5", "v = '13', n = 6").await;
        session.run("SELECT pgtrack.tag('before')").await;
        session.run("UPDATE t SET v = '14', n = 7; ALTER TABLE t ALTER n TYPE bigint; ALTER TABLE t ALTER n TYPE numeric, ALTER v TYPE int USING v::int").await;
        session
            .run("ALTER TABLE t RENAME n TO amount; UPDATE t SET v = 15, amount = 70000000000.5")
            .await;
        session
            .check(
                "SELECT ver, before FROM pgtrack.history('t', 1) WHERE ver > 1",
                r#"
            2|{"v": "12", "id": 1, "amount": 5}
            3|{"v": "13", "id": 1, "amount": 6}
            4|{"v": 14, "id": 1, "amount": 7}"#,
            )
            .await;
        session.check("SELECT * FROM pgtrack.as_of(NULL::t, 'before')", "1|13|6").await;
        for (version, row) in [(1, "1|12|5"), (2, "1|13|6"), (3, "1|14|7")] {
            session.run(&format!("SELECT pgtrack.revert('t', 1, {version})")).await;
            session.check("SELECT * FROM t", row).await;
        }
        session.run("SELECT pgtrack.revert_table('t', 'before')").await;
        session.check("SELECT * FROM t", "1|13|6").await;
    });
}

#[test]
fn case_47_48_a_value_that_its_new_type_cannot_hold_is_named_and_nothing_is_done() {
    on_each_version(async |session| {
        session.run("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE mood_now AS ENUM ('low', 'ok')").await;
        two_versions(&session, "v text, m mood", "'many', 'sad'", "v = '12', m = 'ok'").await;
        session.run("ALTER TABLE t ALTER v TYPE int USING v::int").await;
        for call in [
            "revert('t', 1, 1)",
            "plan_revert('t', 1, 1)",
            "undo_transaction((SELECT max(xid) FROM pgtrack.log()))",
        ] {
            assert_eq!(
                session.error(&format!("SELECT pgtrack.{call}")).await,
                "42804: column v of public.t cannot be 'many' again
DETAIL: The column was of type text then and is of type integer now: invalid input syntax for type integer: \"many\".
HINT: pgtrack.history() shows the row as it was.",
                "{call}"
            );
        }
        session
            .run("ALTER TABLE t DROP COLUMN v, ALTER m TYPE mood_now USING m::text::mood_now")
            .await;
        let error = session.error("SELECT pgtrack.undo('t', 1)").await;
        assert!(error.starts_with("42804: column m of public.t cannot be 'sad' again"), "{error}");
        session.check("SELECT * FROM t", "1|ok").await;
    });
}

#[test]
fn case_48_renamed_labels_are_named_and_tightened_domains_are_respected() {
    on_each_version(async |session| {
        session.run("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN points AS int").await;
        two_versions(&session, "m mood, p points", "'sad', -5", "m = 'ok', p = 5").await;
        session.run("ALTER TYPE mood RENAME VALUE 'sad' TO 'low'").await;
        session
            .check("SELECT before ->> 'm' FROM pgtrack.history('t', 1) WHERE ver = 2", "sad")
            .await;
        let error = session.error("SELECT pgtrack.undo('t', 1)").await;
        assert!(error.starts_with("42804: column m of public.t cannot be 'sad' again"), "{error}");
        session
            .run("ALTER TYPE mood RENAME VALUE 'low' TO 'sad'; SELECT pgtrack.undo('t', 1)")
            .await;
        session.check("SELECT * FROM t", "1|sad|-5").await;
        session.run("SELECT pgtrack.undo('t', 1); ALTER DOMAIN points ADD CONSTRAINT positive CHECK (value > 0)").await;
        let error = session.error("SELECT pgtrack.undo('t', 1)").await;
        assert!(
            error.starts_with(
                "23514: value for domain points violates check constraint \"positive\""
            ) || error.starts_with(
                "23514: value for domain public.points violates check constraint \"positive\""
            ),
            "{error}"
        );
        session.check("SELECT * FROM t", "1|ok|5").await;
    });
}
