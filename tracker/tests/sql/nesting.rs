//! Statements inside statements: an application's triggers that change the table they are on.

use crate::support::on_each_version;

const NEST: &str = "CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 0);
    CREATE FUNCTION nest() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN UPDATE t SET n = n + 1, v = v || '*' WHERE id = new.id AND n < 2; RETURN NULL; END$$;";

#[test]
fn case_10_what_a_row_trigger_changes_comes_after_its_cause() {
    on_each_version(async |session| {
        session.run(NEST).await;
        session.run("CREATE TRIGGER nest AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nest(); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'x'), (2, 'y')").await;
        for (id, value) in [(1, 'x'), (2, 'y')] {
            session
                .check(
                    &format!("SELECT ver, op, before ->> 'v', after ->> 'v' FROM pgtrack.history('t', {id})"),
                    &format!(
                        "1|INSERT|~|{value}
                         2|UPDATE|{value}|{value}*
                         3|UPDATE|{value}*|{value}**"
                    ),
                )
                .await;
        }
        session.run("SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)").await;
        session.check("SELECT count(*) FROM t", "0").await;
    });
}

#[test]
fn case_11_the_name_of_an_application_s_trigger_does_not_matter() {
    on_each_version(async |session| {
        session.run(NEST).await;
        session.run("SELECT pgtrack.track('t')").await;
        for (id, trigger) in ["AAA", "a", "pgtrack_a", "pgtrack_z", "zzz"].into_iter().enumerate() {
            for level in ["ROW", "STATEMENT"] {
                let statement =
                    "CREATE OR REPLACE FUNCTION nest_all() RETURNS trigger LANGUAGE plpgsql AS
                    $$BEGIN UPDATE t SET n = n + 1, v = v || '*' WHERE n < 1; RETURN NULL; END$$";
                session.run(statement).await;
                let function = if level == "ROW" { "nest" } else { "nest_all" };
                session.run(&format!("CREATE TRIGGER \"{trigger}\" AFTER INSERT ON t FOR EACH {level} EXECUTE FUNCTION {function}()")).await;
                session.run(&format!("INSERT INTO t VALUES ({id}, 'x')")).await;
                session
                    .check(
                        &format!("SELECT ver, op, before ->> 'v', after ->> 'v' FROM pgtrack.history('t', {id}) ORDER BY 1 DESC LIMIT 2"),
                        "2|UPDATE|x|x*
                         1|INSERT|~|x",
                    )
                    .await;
                session.run(&format!("DROP TRIGGER \"{trigger}\" ON t; TRUNCATE t; TRUNCATE pgtrack.statement, pgtrack_history.t_1")).await;
            }
        }
    });
}

#[test]
fn case_18_a_nested_failure_that_is_caught_leaves_no_trace() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text);
                 CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                   BEGIN UPDATE t SET v = 'nested' WHERE id = new.id; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END;
                   RETURN NULL; END$$;
                 CREATE TRIGGER fail AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION fail(); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'",
            )
            .await;
        session
            .check(
                "SELECT ver, op, after ->> 'v' FROM pgtrack.history('t', 1)",
                "
            1|INSERT|a
            2|UPDATE|b",
            )
            .await;
    });
}

#[test]
fn keys_that_a_statement_with_nested_statements_changes_are_followed() {
    on_each_version(async |session| {
        session.run(NEST).await;
        session
            .run(
                "CREATE TRIGGER nest AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nest(); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'x'), (2, 'y'); UPDATE t SET id = id + 10",
            )
            .await;
        for (id, value) in [(11, 'x'), (12, 'y')] {
            session
                .check(
                    &format!("SELECT ver, op, before ->> 'id', before ->> 'v' FROM pgtrack.history('t', {id})"),
                    &format!(
                        "1|INSERT|~|~
                         2|UPDATE|{}|{value}
                         3|UPDATE|{id}|{value}
                         4|UPDATE|{id}|{value}*",
                        id - 10
                    ),
                )
                .await;
        }
    });
}

#[test]
fn a_revert_tells_what_the_table_s_own_triggers_made_of_it() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text, changed int DEFAULT 0);
                 CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN new.changed := old.changed + 1; RETURN new; END$$;
                 CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch(); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'; SELECT pgtrack.undo('t', 1)",
            )
            .await;
        session.check("SELECT * FROM t", "1|a|2").await;
        let notices = session.notices("SELECT pgtrack.revert('t', 1, 2)").await;
        assert_eq!(
            notices,
            ["the triggers of public.t changed columns of 1 rows that were reverted: changed"]
        );
    });
}

#[test]
fn a_trigger_that_writes_through_a_function_in_an_assignment_is_recorded_after_its_cause() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE doc (id int PRIMARY KEY, body text, revision int DEFAULT 0);
                  CREATE FUNCTION bump(p int) RETURNS int LANGUAGE sql AS $$UPDATE public.doc SET revision = revision + 1 WHERE id = p RETURNING revision$$;
                  CREATE FUNCTION after_doc() RETURNS trigger LANGUAGE plpgsql AS $$DECLARE n int; BEGIN n := public.bump(NEW.id); RETURN NULL; END$$;
                  CREATE TRIGGER z AFTER INSERT OR UPDATE OF body ON doc FOR EACH ROW EXECUTE FUNCTION after_doc();
                  SELECT pgtrack.track('doc'); INSERT INTO doc VALUES (1, 'first')")
            .await;
        session.check("SELECT ver, op FROM pgtrack.history('doc', 1)", "1|INSERT\n2|UPDATE").await;
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session.check("SELECT count(*) FROM doc", "0").await;
        // One that only computes needs no note of each statement.
        session
            .run("CREATE TABLE plain (id int PRIMARY KEY, at timestamptz); CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                    IF (NEW.id > 1) THEN NEW.at := date_trunc('day', coalesce(NEW.at, now())); END IF; RETURN NEW; END$$;
                  CREATE TRIGGER touch BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION touch(); SELECT pgtrack.track('plain')")
            .await;
        session.check("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'plain'::regclass AND tgname = 'pgtrack_open'", "0").await;
    });
}
