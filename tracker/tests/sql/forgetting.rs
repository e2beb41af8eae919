//! Purging old history, and erasing the past of one row. A purge spares what any transaction of the server may still see.

use crate::support::{on_each_own_server, on_each_version, on_outer_versions};

#[test]
fn case_71_versions_keep_their_numbers_when_older_ones_are_purged() {
    on_each_own_server(&[], async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'); UPDATE t SET v = v || '1'; UPDATE t SET id = 20 WHERE id = 2; DELETE FROM t WHERE id = 3",
            )
            .await;
        session.run("SELECT pg_sleep(0.3)").await;
        session.check("SELECT * FROM pgtrack.plan_purge('0.2 s')", "public.t|4|8").await;
        session.check("SELECT * FROM pgtrack.purge('0.2 s')", "public.t|4|8").await;
        session.run("UPDATE t SET v = 'new'; INSERT INTO t VALUES (3, 'again')").await;
        session
            .check("SELECT ver, op, before ->> 'v' FROM pgtrack.history('t', 20)", "4|UPDATE|b1")
            .await;
        session.check("SELECT ver, op FROM pgtrack.history('t', 3)", "4|INSERT").await;
        session
            .check(
                "SELECT row_pk ->> 'id', ver FROM pgtrack.changes('t')",
                "
            3|4
            1|3
            20|4",
            )
            .await;
        session.run("SELECT pgtrack.revert('t', 20, 3)").await;
        session.check("SELECT v FROM t WHERE id = 20", "b1").await;
        let error = session.error("SELECT pgtrack.revert('t', 20, 2)").await;
        assert_eq!(
            error,
            "TK002: version 2 of public.t (id=20) is no longer known\nDETAIL: Versions before 3 have been purged."
        );
    });
}

#[test]
fn case_65_points_before_the_purge_are_refused() {
    on_each_own_server(&[], async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); SELECT pgtrack.tag('old');
                 INSERT INTO t VALUES (1, 'a')",
            )
            .await;
        session.run("SELECT pg_sleep(0.3)").await;
        session.run("SELECT pgtrack.tag('young')").await;
        session.run("SELECT pgtrack.purge('0.2 s')").await;
        for verb in [
            "SELECT * FROM pgtrack.as_of(NULL::t, 'old')",
            "SELECT * FROM pgtrack.revert_table('t', 'old')",
            "SELECT * FROM pgtrack.diff('t', 'old')",
        ] {
            let error = session.error(verb).await;
            assert!(error.starts_with("TK002: the state of public.t at old is no longer known\nDETAIL: Changes before "), "{error}");
        }
        session.run("UPDATE t SET v = 'b'").await;
        session.check("SELECT * FROM pgtrack.as_of(NULL::t, 'young')", "1|a").await;
    });
}

#[test]
fn case_77_a_purge_spares_what_a_later_point_may_not_have_seen() {
    on_each_own_server(&[], async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        let slow = session.another().await;
        slow.run("BEGIN; UPDATE t SET v = 'slow'").await;
        session.run("SELECT pg_sleep(0.3)").await;
        // The tag is younger than what will be purged, and does not see the slow transaction.
        session.run("SELECT pgtrack.tag('during')").await;
        slow.run("COMMIT").await;
        session.check("SELECT * FROM pgtrack.purge('0.2 s')", "public.t|1|1").await;
        session.check("SELECT * FROM pgtrack.as_of(NULL::t, 'during')", "1|a").await;
    });
}

#[test]
fn the_erased_past_of_a_row_is_gone_and_that_it_is_gone_stays_known() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, name text); SELECT pgtrack.track('t'); SELECT pgtrack.tag('start');
                 INSERT INTO t VALUES (1, 'Jane Roe'), (2, 'Other'); UPDATE t SET id = 3, name = 'Jane Doe' WHERE id = 1; UPDATE t SET name = 'J. D.' WHERE id = 3",
            )
            .await;
        session
            .check(
                "SELECT pgtrack.erase('t', 3, 'asked for it')",
                "public.t (id=3): the values of 3 recorded changes erased",
            )
            .await;
        for place in [
            "SELECT h::text FROM pgtrack.history('t', 3) h",
            "SELECT s::text FROM pgtrack.statement s",
            "SELECT h::text FROM pgtrack_history.t_1 h",
        ] {
            let text = session.rows(place).await;
            assert!(!text.contains("Jane"), "{place}\n{text}");
        }
        session.check("SELECT count(*) FROM pgtrack.history('t', 3)", "3").await;
        session.check("SELECT count(*), min(reason) FROM pgtrack.erasure", "2|asked for it").await;
        session.run("UPDATE t SET name = 'new' WHERE id = 3; SELECT pgtrack.undo('t', 3)").await;
        session.check("SELECT name FROM t WHERE id = 3", "J. D.").await;
        let error = session.error("SELECT pgtrack.revert('t', 3, 2)").await;
        assert_eq!(
            error,
            "TK002: version 2 of public.t (id=3) is no longer known\nDETAIL: Its recorded values have been erased."
        );
        let error = session.error("SELECT pgtrack.revert_table('t', 'start')").await;
        assert!(error.starts_with("TK002: cannot undo start: what public.t (id="), "{error}");
        session.run("SELECT pgtrack.revert('t', 2, 1)").await;
        let error = session.error("SELECT pgtrack.erase('t', 2, '')").await;
        assert!(
            error.starts_with("22023: say why the past of public.t (id=2) is to be erased"),
            "{error}"
        );
    });
}

#[test]
fn what_a_running_transaction_has_recorded_is_erased_too() {
    on_each_version(async |session| {
        session.run("CREATE ROLE eraser LOGIN IN ROLE pgtrack_owner").await;
        // One who may lock the table, and one who may not.
        let erasers = [session.another().await, session.another_as("eraser").await];
        for (number, eraser) in erasers.iter().enumerate() {
            for kind in ["", "PARTITION BY RANGE (id)"] {
                session
                    .run(&format!(
                        "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, name text) {kind};
                         DO $$BEGIN IF '{kind}' <> '' THEN CREATE TABLE t1 PARTITION OF t DEFAULT; END IF; END$$;
                         SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'Jane Roe')"
                    ))
                    .await;
                let writer = session.another().await;
                writer.run("BEGIN; UPDATE t SET name = 'J.'").await;
                let error = eraser.error("SET lock_timeout = '100ms'; SELECT pgtrack.erase('public.t', 1, 'asked for')").await;
                assert!(error.starts_with("55P03: could not lock public.t to erase"), "{error}");
                eraser.run("RESET lock_timeout").await;
                tokio::join!(
                    eraser.check(
                        "SELECT pgtrack.erase('public.t', 1, 'asked for')",
                        "public.t (id=1): the values of 2 recorded changes erased"
                    ),
                    async {
                        let watcher = session.another().await;
                        while watcher.rows("SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareRowExclusiveLock'").await == "0" {}
                        writer.run("COMMIT").await;
                    }
                );
                session
                    .check(
                        "SELECT op, before ->> 'name' FROM pgtrack.history('t', 1)",
                        "INSERT|~\nUPDATE|~",
                    )
                    .await;
                session
                    .check("SELECT count(*) FROM pgtrack.statement WHERE query ~ 'J'", "0")
                    .await;
                // What its snapshot does not show, it would leave.
                eraser
                    .run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM pg_class LIMIT 1")
                    .await;
                session.run(&format!("UPDATE t SET name = 'K. {number}'")).await;
                let error = eraser.error("SELECT pgtrack.erase('public.t', 1, 'asked for')").await;
                assert!(error.starts_with("40001: could not serialize access"), "{error}");
                eraser.run("ROLLBACK").await;
                session.run("DROP TABLE t").await;
            }
        }
        session.run("DROP ROLE eraser").await;
    });
}

#[test]
fn a_purge_and_an_erasure_at_once_wait_for_each_other() {
    on_each_own_server(&[], async |session| {
        session
            .run("CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text); SELECT pgtrack.track('a'), pgtrack.track('b')")
            .await;
        session.run("BEGIN; INSERT INTO a VALUES (1, 'x'); INSERT INTO b VALUES (1, 'y'); COMMIT; BEGIN; UPDATE a SET v = 'z'; UPDATE b SET v = 'w'; COMMIT").await;
        // The purge has forgotten the statements of one table when the erasure has locked the other.
        let holder = session.another().await;
        holder.run("BEGIN; SELECT FROM pgtrack.relation WHERE table_name = 'a' FOR UPDATE").await;
        let (purge, erasure, watcher) =
            (session.another().await, session.another().await, session.another().await);
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        tokio::join!(purge.run("SELECT * FROM pgtrack.purge('0')"), async {
            while watcher.rows(waiting).await != "1" {}
            tokio::join!(erasure.run("SELECT pgtrack.erase('b', 1, 'asked for')"), async {
                while watcher.rows(waiting).await != "2" {}
                holder.run("COMMIT").await;
            });
        });
    });
}

#[test]
fn what_is_not_reached_is_said() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, name text NOT NULL); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'Jane Roe'), (2, 'Other'); UPDATE t SET name = name || '!';
                 SELECT pgtrack.keep('t'); ALTER TABLE t ALTER id TYPE text",
            )
            .await;
        // A copy from before a change of type that keeps everything is reached.
        session
            .check(
                "SELECT pgtrack.erase('t', '1', 'asked for')",
                "public.t (id=1): the values of 2 recorded changes erased",
            )
            .await;
        session.run("ALTER TABLE t ALTER id TYPE int USING id::int + 1").await;
        session
            .check(
                "SELECT regexp_replace(pgtrack.erase('t', 2, 'asked for'), '_kept_\\S+', '')",
                "public.t (id=2): the values of 0 recorded changes erased; not reached: 4 changes of rows that were told by another primary key; copies of such rows in pgtrack_history.t",
            )
            .await;
        session
            .check(
                "SELECT count(*) FROM pgtrack.changes('t') WHERE before ->> 'name' = 'Other'",
                "1",
            )
            .await;
        // The erased row does not come back empty.
        session.run("DROP TABLE t; SELECT pgtrack.recover('t')").await;
        session.check("SELECT id, name FROM t", "2|Other!").await;
        session.check("SELECT row_count FROM pgtrack.kept", "1").await;
    });
}

#[test]
fn the_past_of_another_row_is_not_erased() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, name text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'W'); UPDATE t SET id = 9").await;
        session.run("INSERT INTO t VALUES (1, 'X'), (7, 'Y'); SELECT pgtrack.keep('t'); UPDATE t SET id = 5 WHERE id = 1; UPDATE t SET name = 'X2' WHERE id = 5").await;
        session.run("DELETE FROM t WHERE id = 5; UPDATE t SET id = 5 WHERE id = 7; UPDATE t SET name = 'Y2' WHERE id = 5").await;
        let left = "SELECT string_agg(DISTINCT before ->> 'name', ' ' ORDER BY before ->> 'name') FROM pgtrack.changes('t')";
        session.check(left, "W X X2 Y").await;
        session
            .check(
                "SELECT pgtrack.erase('t', 1, 'asked for')",
                "public.t (id=1): the values of 4 recorded changes erased; not reached: 3 changes of other rows under the same key",
            )
            .await;
        session.check(left, "W Y").await;
        session.check("SELECT row_count FROM pgtrack.kept", "2").await;
        session
            .check(
                "SELECT pgtrack.erase('t', 5, 'asked for')",
                "public.t (id=5): the values of 3 recorded changes erased; not reached: 2 changes of other rows under the same key",
            )
            .await;
        session.check(left, "W").await;
        session.run("INSERT INTO t VALUES (0, 'Z'); UPDATE t SET id = 1 WHERE id = 0; UPDATE t SET id = 6 WHERE id = 1; DELETE FROM t WHERE id = 6; UPDATE t SET id = 6 WHERE id = 5").await;
        // Row 6 was another one's before.
        session
            .check(
                "SELECT pgtrack.erase('t', 1, 'asked for')",
                "public.t (id=1): the values of 4 recorded changes erased; not reached: 4 changes of other rows under the same key",
            )
            .await;
        session.check(left, "W Y2").await;
    });
}

#[test]
fn forgetting_is_for_the_owner() {
    on_each_version(async |session| {
        session.run("CREATE ROLE clerk LOGIN; CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO clerk; SELECT pgtrack.track('t'); INSERT INTO t VALUES (1)").await;
        let clerk = session.another_as("clerk").await;
        for verb in ["SELECT pgtrack.purge('1 day')", "SELECT pgtrack.erase('t', 1, 'x')"] {
            let error = clerk.error(verb).await;
            assert!(error.starts_with("42501: permission denied to "), "{error}");
        }
        session.run("DROP OWNED BY clerk; DROP ROLE clerk").await;
    });
}

#[test]
fn a_purge_does_not_wait_for_ddl_to_be_followed() {
    on_each_own_server(&[], async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY); SELECT pgtrack.track('t'), pgtrack.track('u');
                 INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'; INSERT INTO u VALUES (1)",
            )
            .await;
        session
            .run(
                "DROP EVENT TRIGGER pgtrack_before_ddl; DROP EVENT TRIGGER pgtrack_ddl; DROP EVENT TRIGGER pgtrack_ddl_triggers;
                 DROP EVENT TRIGGER pgtrack_ddl_triggers_made; DROP EVENT TRIGGER pgtrack_drop; ALTER TABLE t RENAME id TO number",
            )
            .await;
        session.run("SELECT pg_sleep(0.3)").await;
        session
            .check(
                "SELECT * FROM pgtrack.purge('0.2 s')",
                "
            public.t|2|2
            public.u|1|1",
            )
            .await;
        session.check("SELECT * FROM pgtrack.follow_ddl()", "public.t|followed|t").await;
        session.run("UPDATE t SET v = 'c'").await;
        session
            .check(
                "SELECT ver, before FROM pgtrack.history('t', 1)",
                r#"3|{"v": "b", "number": 1}"#,
            )
            .await;
    });
}

#[test]
fn a_table_that_cannot_be_purged_is_named_and_the_others_are_purged() {
    on_each_own_server(&[], async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); SELECT pgtrack.track('t'), pgtrack.track('u');
                 INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); SELECT pgtrack.keep('t')",
            )
            .await;
        session.run("SELECT pg_sleep(0.3)").await;
        let copy = session.rows("SELECT kept_table FROM pgtrack.kept").await;
        let other = session.another().await;
        other
            .run(&format!(
                "BEGIN; LOCK TABLE pgtrack_history.t_1, pgtrack_history.{copy} IN SHARE MODE"
            ))
            .await;
        let notices = session
            .notices("SET lock_timeout = '200ms'; SELECT * FROM pgtrack.purge('0.2 s')")
            .await;
        assert_eq!(
            notices,
            [
                format!(
                    "the copy pgtrack_history.{copy} could not be dropped: canceling statement due to lock timeout"
                ),
                "the history of public.t could not be purged: canceling statement due to lock timeout"
                    .to_owned(),
            ]
        );
        session
            .check("SELECT relation_id, count(*) FROM pgtrack.statement GROUP BY 1", "1|1")
            .await;
        other.run("ROLLBACK").await;
        session.check("SELECT * FROM pgtrack.purge('0.2 s')", "public.t|1|1").await;
        session.check("SELECT count(*) FROM pgtrack.kept", "0").await;
    });
}

#[test]
fn a_table_that_somebody_is_altering_keeps_nobody_from_the_others() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE purging_member LOGIN; GRANT pgtrack_owner TO purging_member; CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY);
                 SELECT pgtrack.track('t'), pgtrack.track('u'); INSERT INTO t VALUES (1); INSERT INTO u VALUES (1)",
            )
            .await;
        let member = session.another_as("purging_member").await;
        let other = session.another().await;
        other.run("BEGIN; ALTER TABLE t ADD COLUMN v int").await;
        session.run("SET statement_timeout = '20s'").await;
        member.run("SET statement_timeout = '20s'").await;
        session
            .check(
                "SELECT name, history_bytes >= 0 FROM pgtrack.tracked_table ORDER BY 1",
                "t|t\nu|t",
            )
            .await;
        session
            .check("SELECT value FROM pgtrack.info() WHERE property = 'tracked tables'", "2")
            .await;
        member
            .check(
                "SELECT \"table\", problem FROM pgtrack.verify()",
                "public.t|its rows were not looked at, as it is locked",
            )
            .await;
        let notices = session
            .notices("SET statement_timeout = '20s'; SELECT * FROM pgtrack.purge('100 years')")
            .await;
        assert_eq!(
            notices,
            [
                "the history of public.t could not be purged: canceling statement due to lock timeout"
            ]
        );
        other.run("ROLLBACK").await;
        session.run("DROP OWNED BY purging_member; DROP ROLE purging_member").await;
    });
}

#[test]
fn keys_that_came_together_or_are_long_do_not_stop_a_purge() {
    on_each_own_server(&[], async |session| {
        session
            .run(
                "CREATE TABLE d (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v text); CREATE TABLE long (id text PRIMARY KEY);
                 SELECT pgtrack.track('public'); INSERT INTO d VALUES (1, 'a'), (2, 'b'); UPDATE d SET v = v || 'x'",
            )
            .await;
        session.run("BEGIN; UPDATE d SET id = 5; UPDATE d SET id = 6 WHERE v = 'bx'; COMMIT").await;
        session
            .run("INSERT INTO long SELECT left(string_agg(md5(i::text || 'q'), ''), 2690) FROM generate_series(1, 100) i")
            .await;
        session
            .check("SELECT \"table\" FROM pgtrack.purge('0') ORDER BY 1", "public.d\npublic.long")
            .await;
    });
}

#[test]
fn no_record_of_a_call_stops_an_erasure() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'").await;
        session.run(r#"INSERT INTO pgtrack.audit_entry (verb, arguments) VALUES ('undo', '{"1": "t", "2": "\"\\u0000\""}')"#).await;
        session
            .check(
                "SELECT pgtrack.erase('t', 1, 'asked for')",
                "public.t (id=1): the values of 2 recorded changes erased",
            )
            .await;
    });
}
