//! Statements inside statements: an application's triggers that change the table they are on.

use crate::support::{install, on_each_version, on_outer_versions};

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

#[test]
fn what_a_foreign_key_does_is_told_before_what_the_triggers_of_its_rows_do() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE parent (id int PRIMARY KEY, up int UNIQUE); CREATE TABLE middle (id int PRIMARY KEY REFERENCES parent (up) ON UPDATE CASCADE ON DELETE CASCADE);
                  CREATE TABLE child (n int, parent int REFERENCES parent ON UPDATE CASCADE ON DELETE CASCADE, middle int REFERENCES middle ON UPDATE CASCADE ON DELETE SET NULL,
                                      v int, PRIMARY KEY (n, parent));
                  CREATE FUNCTION next() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
                    UPDATE child SET v = v + 1 WHERE n = OLD.n + 1 AND pg_trigger_depth() < 2; RETURN NULL; END$$;
                  CREATE TRIGGER next AFTER UPDATE OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION next();
                  CREATE FUNCTION through() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE parent SET id = NEW.id, up = NEW.id WHERE id = OLD.id; RETURN NULL; END$$;
                  CREATE VIEW v AS TABLE parent; CREATE TRIGGER through INSTEAD OF UPDATE ON v FOR EACH ROW EXECUTE FUNCTION through();
                  INSERT INTO parent VALUES (1, 1), (2, 2), (3, 3); INSERT INTO middle VALUES (1), (2), (3);
                  INSERT INTO child VALUES (1, 1, 1, 1), (2, 1, 1, 2), (3, 2, 2, 3), (4, 3, 1, 4);
                  SELECT pgtrack.track('public'); CREATE TEMP TABLE copy AS TABLE child; SELECT pgtrack.tag('first')")
            .await;
        for statement in [
            "UPDATE parent SET id = id + 10 WHERE id < 3",
            "UPDATE parent SET up = up + 10",
            "UPDATE v SET id = 100 WHERE id = 3",
            "DELETE FROM middle WHERE id = 11",
            "DELETE FROM parent WHERE id IN (11, 12)",
        ] {
            session.run(statement).await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
            session
                .check("SELECT * FROM pgtrack.as_of(NULL::child, 'first') EXCEPT TABLE copy", "")
                .await;
            session
                .check("TABLE copy EXCEPT SELECT * FROM pgtrack.as_of(NULL::child, 'first')", "")
                .await;
        }
    });
}

/// The tables whose statements say when they begin, as triggers may change them meanwhile.
const NESTED: &str = "SELECT t.tgrelid::regclass FROM pg_trigger t WHERE t.tgname = 'pgtrack_open' ORDER BY t.tgrelid::regclass::text";

#[test]
fn what_a_trigger_of_another_table_changes_is_told_after_its_cause() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE orders (id int PRIMARY KEY, total int DEFAULT 0);
                  CREATE TABLE items (order_id int, pos int, price int, PRIMARY KEY (order_id, pos));
                  CREATE FUNCTION sum_up() RETURNS trigger LANGUAGE plpgsql AS
                  $$BEGIN UPDATE orders SET total = total + NEW.price WHERE id = NEW.order_id; RETURN NULL; END$$;
                  CREATE TRIGGER sum_up AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION sum_up(); SELECT pgtrack.track('public');
                  WITH o AS (INSERT INTO orders (id) VALUES (1) RETURNING id) INSERT INTO items SELECT id, i, 10 FROM o, generate_series(1, 2) i")
            .await;
        session
            .check(
                "SELECT ver, op, before ->> 'total', after ->> 'total' FROM pgtrack.history('orders', 1)",
                "1|INSERT|~|0
                 2|UPDATE|0|10
                 3|UPDATE|10|20",
            )
            .await;
        session.run("SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)").await;
        session
            .check("SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM items)", "0|0")
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

/// Tables, the statement that changes them, what is in one of them before and after, and what keeps triggers quiet.
const THROUGH_OTHERS: [[&str; 5]; 5] = [
    [
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (k int PRIMARY KEY, ref int REFERENCES p ON DELETE SET NULL, w int);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE t SET w = w + 100; RETURN NULL; END$$;
         CREATE TRIGGER g AFTER DELETE ON p FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO p VALUES (4); INSERT INTO t VALUES (5, 4, 8)",
        "DELETE FROM p",
        "5|4|8",
        "5|~|108",
        "ALTER TABLE p DISABLE TRIGGER g",
    ],
    [
        "CREATE TABLE users (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, owner int, lines int);
         CREATE TABLE lines (id int PRIMARY KEY, doc int, author int REFERENCES users ON DELETE CASCADE);
         ALTER TABLE t ADD FOREIGN KEY (owner) REFERENCES users ON DELETE SET NULL;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE public.\"t\" SET lines = lines - 1 WHERE id = OLD.doc; RETURN NULL; END$$;
         CREATE TRIGGER g AFTER DELETE ON lines FOR EACH ROW EXECUTE FUNCTION f();
         INSERT INTO users VALUES (1); INSERT INTO t VALUES (7, 1, 2); INSERT INTO lines VALUES (1, 7, 1), (2, 7, 1)",
        "DELETE FROM users",
        "7|1|2",
        "7|~|0",
        "ALTER TABLE lines DISABLE TRIGGER g",
    ],
    [
        "CREATE TABLE t (id int PRIMARY KEY, code int UNIQUE, a int, par int REFERENCES t (code) ON UPDATE CASCADE);
         CREATE TABLE c (k int PRIMARY KEY, ref int REFERENCES t (code) ON UPDATE CASCADE);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE t SET a = a + 1 WHERE code = NEW.ref; RETURN NULL; END$$;
         CREATE TRIGGER g AFTER UPDATE ON c FOR EACH ROW EXECUTE FUNCTION f();
         INSERT INTO t VALUES (1, 2, 2, NULL), (2, 4, 4, 2); INSERT INTO c VALUES (3, 4)",
        "UPDATE t SET code = code + 20",
        "1|2|2|~\n2|4|4|2",
        "1|22|2|~\n2|24|5|22",
        "ALTER TABLE c DISABLE TRIGGER g",
    ],
    [
        "CREATE TABLE t (id int PRIMARY KEY, a int) PARTITION BY HASH (id); CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         CREATE TABLE c (k int PRIMARY KEY, ref int, w int) PARTITION BY HASH (k); CREATE TABLE c0 PARTITION OF c FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE t0 SET a = a * 10 WHERE id = NEW.ref; RETURN NULL; END$$;
         CREATE TRIGGER g AFTER UPDATE ON c FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO t VALUES (2, 2); INSERT INTO c VALUES (4, 2, 0)",
        "WITH x AS (UPDATE t SET a = a + 1 WHERE id = 2) UPDATE c SET w = w + 1",
        "2|2",
        "2|30",
        "ALTER TABLE c DISABLE TRIGGER g",
    ],
    [
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES p ON UPDATE CASCADE, n int);
         CREATE TABLE c (id int PRIMARY KEY); CREATE VIEW v AS TABLE p;
         CREATE FUNCTION help(p int) RETURNS void LANGUAGE sql BEGIN ATOMIC UPDATE v SET id = id + 10 WHERE id = p; END;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM help(NEW.id); RETURN NULL; END$$;
         CREATE TRIGGER g AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 1, 0)",
        "WITH x AS (UPDATE t SET n = n + 1 RETURNING p) INSERT INTO c SELECT p FROM x",
        "1|1|0",
        "1|11|1",
        "ALTER TABLE c DISABLE TRIGGER g",
    ],
];

#[test]
fn what_triggers_of_others_and_foreign_keys_change_is_told_in_its_order() {
    for [tables, statement, before, after, quiet] in THROUGH_OTHERS {
        on_outer_versions(async |session| {
            session.run(tables).await;
            session.run("SELECT pgtrack.track('public')").await;
            session.run(statement).await;
            session.check("SELECT * FROM t ORDER BY 1", after).await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
            session.run(quiet).await;
            session.run("SELECT pgtrack.undo_transaction(max(xid)) FROM pgtrack.activity").await;
            session.check("SELECT * FROM t ORDER BY 1", before).await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
        });
    }
}

#[test]
fn tables_that_functions_of_triggers_begin_to_write_are_followed() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE x (id int PRIMARY KEY, n int DEFAULT 0); CREATE TABLE y (id int PRIMARY KEY, x int); CREATE TABLE z (id int PRIMARY KEY, n int);
                  SELECT pgtrack.track('public'); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
                  CREATE TRIGGER g AFTER INSERT ON y FOR EACH ROW EXECUTE FUNCTION f()")
            .await;
        session.check(NESTED, "").await;
        session
            .run("CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE public.X SET n = n + 1 WHERE id = NEW.x; RETURN NULL; END$$;
                  WITH o AS (INSERT INTO x VALUES (1) RETURNING id) INSERT INTO y SELECT i, id FROM o, generate_series(1, 2) i")
            .await;
        session.check(NESTED, "x\ny").await;
        session
            .check(
                "SELECT ver, op, after ->> 'n' FROM pgtrack.history('x', 1)",
                "1|INSERT|0\n2|UPDATE|1\n3|UPDATE|2",
            )
            .await;
        // A table that takes the name is the one that is written.
        session.run("ALTER TABLE x RENAME TO w; ALTER TABLE z RENAME TO x").await;
        session.check(NESTED, "w\nx\ny").await;
        session.run("SELECT pgtrack.follow_ddl()").await;
        session.check(NESTED, "x\ny").await;
        session.run("DROP TRIGGER g ON y; SELECT pgtrack.follow_ddl()").await;
        session.check(NESTED, "").await;
        session.check("SELECT count(*) FROM pgtrack.trigger_word", "0").await;
        // What is called is defined later, and so is a table; a name is an argument.
        session
            .run("CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS
                  $$BEGIN CALL help(NEW.id); EXECUTE format('DELETE FROM %I WHERE id = $1', TG_ARGV[0]) USING NEW.id; INSERT INTO \"Odd one\" VALUES (NEW.id); RETURN NULL; END$$;
                  CREATE TABLE named (id int PRIMARY KEY); CREATE TRIGGER h AFTER INSERT ON y FOR EACH ROW EXECUTE FUNCTION h('named')")
            .await;
        session.check(NESTED, "named\ny").await;
        session.run("CREATE PROCEDURE help(p int) LANGUAGE sql AS 'DELETE FROM w WHERE id = p'; CREATE TABLE \"Odd one\" (id int PRIMARY KEY)").await;
        session.check(NESTED, "\"Odd one\"\nnamed\nw\ny").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.check("SELECT * FROM pgtrack.follow_ddl()", "").await;
        session.run("SELECT pgtrack.untrack('w')").await;
        session.check(NESTED, "\"Odd one\"\nnamed\ny").await;
    });
}

#[test]
fn a_table_that_somebody_uses_or_owns_is_left_to_follow_ddl() {
    on_outer_versions(async |session| {
        let [one, two] = ["nesting_one", "nesting_two"];
        session.run(&format!("CREATE ROLE {one} LOGIN; CREATE ROLE {two} LOGIN; CREATE SCHEMA s; GRANT ALL ON SCHEMA s TO {one}, {two}")).await;
        let owner = session.another_as(one).await;
        owner
            .run(&format!(
                "CREATE TABLE s.x (id int PRIMARY KEY, n int DEFAULT 0); GRANT ALL ON s.x TO {two}"
            ))
            .await;
        let other = session.another_as(two).await;
        other.run("CREATE TABLE s.y (id int PRIMARY KEY, x int); CREATE TABLE s.z (id int PRIMARY KEY)").await;
        session.run("SELECT pgtrack.track('s')").await;
        let waits =
            "triggers of other tables may write it: what they change may be shown before its cause";
        let problems = "SELECT \"table\", problem FROM pgtrack.verify()";
        other
            .run("CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE s.x SET n = n + 1 WHERE id = NEW.x; RETURN NULL; END$$;
                  CREATE TRIGGER g AFTER INSERT ON s.y FOR EACH ROW EXECUTE FUNCTION s.f()")
            .await;
        session.check(problems, &format!("s.x|{waits}")).await;
        session.run("SELECT pgtrack.follow_ddl()").await;
        session.check(problems, "").await;
        session.check(NESTED, "s.x\ns.y").await;
        // Its writers are not waited for, and until then its keys are followed all the same.
        let writer = session.another().await;
        writer.run("BEGIN; INSERT INTO s.z VALUES (1)").await;
        other
            .run("SET statement_timeout = '30s'; CREATE FUNCTION s.h() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM s.z WHERE id = NEW.x; RETURN NULL; END$$;
                  CREATE TRIGGER h AFTER INSERT ON s.y FOR EACH ROW EXECUTE FUNCTION s.h()")
            .await;
        writer.run("COMMIT").await;
        session.check(problems, &format!("s.z|{waits}")).await;
        session.run("UPDATE s.z SET id = 2; UPDATE s.z SET id = 3").await;
        session
            .check("SELECT ver, op FROM pgtrack.history('s.z', 3)", "1|INSERT\n2|UPDATE\n3|UPDATE")
            .await;
        session.run("SELECT pgtrack.follow_ddl()").await;
        session.check(problems, "").await;
        session.check(NESTED, "s.x\ns.y\ns.z").await;
        session.run(&format!("DROP OWNED BY {one}, {two} CASCADE; DROP ROLE {one}, {two}")).await;
    });
}

#[test]
fn an_earlier_installation_learns_which_tables_triggers_of_others_write() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE orders (id int PRIMARY KEY, total int DEFAULT 0); CREATE TABLE items (id int PRIMARY KEY, order_id int); CREATE TABLE others (id int PRIMARY KEY);
                  SELECT pgtrack.track('public'); ALTER EVENT TRIGGER pgtrack_ddl DISABLE;
                  CREATE FUNCTION add_up() RETURNS trigger LANGUAGE plpgsql AS
                  $$BEGIN UPDATE orders SET total = total + 1 WHERE id = NEW.order_id; RETURN NULL; END$$;
                  CREATE TRIGGER add_up AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION add_up(); ALTER TABLE pgtrack.relation DROP COLUMN is_written_nested;
                  DROP TABLE pgtrack.trigger_word")
            .await;
        install(session.database.clone()).await;
        session.check(NESTED, "items\norders").await;
        session.run("WITH o AS (INSERT INTO orders VALUES (1) RETURNING id) INSERT INTO items SELECT 1, id FROM o").await;
        session
            .check("SELECT ver, op FROM pgtrack.history('orders', 1)", "1|INSERT\n2|UPDATE")
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}
