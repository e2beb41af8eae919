//! DDL while others are in the middle of theirs: it waits for what PostgreSQL itself waits for, and for little else.

use std::time::Duration;

use crate::support::{Session, install, on_outer_versions};

/// Two owners, each with a schema of their own whose tables are tracked.
async fn two_owners(session: &Session, names: [&str; 2]) -> [Session; 2] {
    let mut owners = Vec::new();
    for (name, schema) in names.into_iter().zip(["one", "two"]) {
        session
            .run(&format!(
                "CREATE ROLE {name} LOGIN; CREATE SCHEMA {schema} AUTHORIZATION {name};
                 DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {name}', current_database()); END$$"
            ))
            .await;
        let owner = session.another_as(name).await;
        owner
            .run(&format!(
                "SET search_path = {schema}; SET statement_timeout = '30s';
                 CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
                 CREATE FUNCTION nests() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; RETURN new; END';
                 CREATE TABLE t (id int PRIMARY KEY, v int, w int);
                 CREATE TABLE n (id int PRIMARY KEY, v int); CREATE TRIGGER x BEFORE UPDATE ON n FOR EACH ROW EXECUTE FUNCTION nests();
                 CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)"
            ))
            .await;
        session.run(&format!("SELECT pgtrack.track('{schema}')")).await;
        owners.push(owner);
    }
    owners.try_into().unwrap_or_else(|_| panic!("there are two"))
}

async fn farewell(session: &Session, names: [&str; 2]) {
    for name in names {
        session.run(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}")).await;
    }
}

/// Waits until a session waits for a lock.
async fn until_it_waits(watcher: &Session, pid: &str) {
    let query = format!("SELECT count(*) FROM pg_locks WHERE pid = {pid} AND NOT granted");
    while watcher.rows(&query).await != "1" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What an owner does, under a `search_path` with the own schema alone.
const DDL: [&str; 14] = [
    "CREATE TABLE new (id int PRIMARY KEY); CREATE TRIGGER x BEFORE UPDATE ON new FOR EACH ROW EXECUTE FUNCTION nests()",
    "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nests()",
    "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION quiet()",
    "DROP TRIGGER x ON n",
    "ALTER TABLE n ADD COLUMN w int",
    "ALTER TABLE n RENAME COLUMN v TO w",
    "ALTER TABLE t ALTER COLUMN id TYPE bigint",
    "ALTER TABLE t DROP COLUMN w",
    "ALTER TABLE n RENAME TO m",
    "DROP TABLE n",
    "CREATE TABLE p1 PARTITION OF p DEFAULT",
    "CREATE OR REPLACE FUNCTION nests() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'",
    "CREATE OR REPLACE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; RETURN new; END'",
    "TRUNCATE n; GRANT SELECT ON n TO PUBLIC",
];

#[test]
fn ddl_of_two_owners_does_not_wait_for_each_other() {
    on_outer_versions(async |session| {
        let names = ["ddl_at_once_1", "ddl_at_once_2"];
        let [one, two] = two_owners(&session, names).await;
        for first in DDL {
            one.run(&format!("BEGIN; {first}")).await;
            for second in DDL {
                two.run(&format!("BEGIN; {second}")).await;
                two.run("ROLLBACK").await;
            }
            one.run("ROLLBACK").await;
        }
        // What both have made is there.
        one.run("BEGIN; CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nests()")
            .await;
        two.run("CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION nests()").await;
        one.run("COMMIT").await;
        session
            .check(
                "SELECT t.tgrelid::regclass, starts_with(t.tgfoid::regproc::text, 'pgtrack_history.open_'), count(*) OVER (PARTITION BY t.tgfoid)
                 FROM pg_trigger t WHERE t.tgname = 'pgtrack_open' ORDER BY t.tgrelid::regclass::text",
                "one.n|t|1\none.t|t|1\ntwo.n|t|1\ntwo.t|t|1",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        farewell(&session, names).await;
    });
}

#[test]
fn tables_with_types_of_one_schema_are_made_at_once() {
    on_outer_versions(async |session| {
        let names = ["ddl_types_1", "ddl_types_2"];
        let [one, two] = two_owners(&session, names).await;
        session
            .run(&format!(
                "CREATE SCHEMA types; CREATE TYPE types.mood AS ENUM ('sad', 'glad'); GRANT USAGE ON SCHEMA types TO {}, {}",
                names[0], names[1]
            ))
            .await;
        // Who may not give the right to the owner of pg_track leaves the schema alone.
        one.run("BEGIN; CREATE TABLE m (id int PRIMARY KEY, m types.mood)").await;
        two.run("CREATE TABLE m (id int PRIMARY KEY, m types.mood); INSERT INTO m VALUES (1, 'sad'); UPDATE m SET m = 'glad'").await;
        one.run("ROLLBACK").await;
        session.check("SELECT count(*) > 0 FROM pgtrack.verify()", "t").await;
        // Of two who may, the second waits, and does not fail.
        session
            .run(&format!(
                "GRANT USAGE ON SCHEMA types TO {}, {} WITH GRANT OPTION",
                names[0], names[1]
            ))
            .await;
        one.run("BEGIN; CREATE TABLE m (id int PRIMARY KEY, m types.mood)").await;
        let pid = two.rows("SELECT pg_backend_pid()").await;
        let second = tokio::spawn(async move {
            two.run("CREATE TABLE m2 (id int PRIMARY KEY, m types.mood); INSERT INTO m2 VALUES (1, 'sad'); TRUNCATE m2").await;
        });
        until_it_waits(&session, &pid).await;
        one.run("COMMIT").await;
        second.await.expect("it ends");
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        farewell(&session, names).await;
    });
}

#[test]
fn alter_table_touches_the_table_that_it_names() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE one.t (id int PRIMARY KEY, v int); CREATE TABLE two.t (id int PRIMARY KEY, v int);
                 CREATE TYPE one.kind AS (id int, v int); CREATE TABLE one.typed OF one.kind (PRIMARY KEY (id)); CREATE TABLE two.kind (id int PRIMARY KEY);
                 CREATE TABLE one.parent (id int, v int); CREATE TABLE one.child (PRIMARY KEY (id)) INHERITS (one.parent);
                 CREATE TABLE one.\"A \"\"B\" (id int PRIMARY KEY); CREATE TABLE two.\"A \"\"B\" (id int PRIMARY KEY);
                 SELECT pgtrack.track('one'); SELECT pgtrack.track('two');
                 CREATE FUNCTION one.in_sql() RETURNS void LANGUAGE sql AS 'ALTER TABLE one.t ALTER COLUMN id TYPE bigint';
                 CREATE PROCEDURE one.in_plpgsql() LANGUAGE plpgsql SET search_path = one AS $$BEGIN PERFORM 'two.t'; ALTER TABLE t ALTER COLUMN id TYPE bigint; END$$;
                 CREATE FUNCTION public.held() RETURNS text LANGUAGE sql SET search_path = '' AS $$
                   SELECT string_agg(DISTINCT r.schema_name || '.' || r.table_name, ' ')
                   FROM pg_locks l JOIN pgtrack.relation r ON r.relid = l.relation
                   WHERE l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock'$$",
            )
            .await;
        let reader = session.another().await;
        reader.run("BEGIN; SELECT FROM two.t, two.kind, two.\"A \"\"B\"").await;
        session.run("SET statement_timeout = '30s'").await;
        for (path, command, held) in [
            ("public", "ALTER TABLE one.t ALTER COLUMN id TYPE bigint", "one.t"),
            ("public", "/* two.t; */ ALTER TABLE one . \"t\" DROP COLUMN v -- of two.t", "one.t"),
            ("public", "alter -- two.t\n table if exists only one.T alter id type bigint", "one.t"),
            ("public", "ALTER TABLE ONLY (one.t) ALTER id TYPE bigint", "one.t"),
            (
                "public",
                "ALTER TABLE one.t ADD COLUMN w text DEFAULT 'alter table two.t drop column id'",
                "one.t",
            ),
            ("one, two", "ALTER TABLE t ALTER id TYPE bigint", "one.t"),
            ("one, two", "ALTER TABLE \"A \"\"B\" ALTER id TYPE bigint", "one.A \"B"),
            (
                "two",
                "DO $$BEGIN SET LOCAL search_path = one; EXECUTE 'ALTER TABLE t ALTER id TYPE bigint;'; END$$",
                "one.t",
            ),
            ("two", "CALL one.in_plpgsql()", "one.t"),
            ("one, two", "ALTER TYPE kind ALTER ATTRIBUTE id TYPE bigint CASCADE", "one.typed"),
            ("public", "ALTER TABLE one.parent ALTER id TYPE bigint", "one.child one.parent"),
            (
                "public",
                "ALTER TABLE one.t ALTER id TYPE bigint; ALTER TABLE one.\"A \"\"B\" ALTER id TYPE bigint; SELECT FROM one.typed",
                "one.A \"B one.t",
            ),
            // What cannot be told: who uses another table is left in peace.
            ("two", "SELECT one.in_sql()", "one.t"),
            ("two", "/* of two.t */ ALTER TABLE one.t ALTER id TYPE bigint; SELECT 1", "one.t"),
            ("public", "ALTER TABLE U&\"one\".t ALTER id TYPE bigint", "one.t"),
        ] {
            session.run(&format!("BEGIN; SET LOCAL search_path = {path}")).await;
            session.run(command).await;
            session.check("SELECT public.held()", held).await;
            session.run("ROLLBACK").await;
        }
        // One that is named is waited for, as by the command itself.
        let error = session
            .error("SET lock_timeout = '100ms'; ALTER TABLE two.t ALTER id TYPE bigint")
            .await;
        assert!(error.starts_with("55P03: canceling statement due to lock timeout"), "{error}");
        reader.run("COMMIT").await;
        session
            .run("INSERT INTO one.child VALUES (1, 1); UPDATE one.child SET id = 2; ALTER TABLE one.parent ALTER id TYPE bigint; UPDATE one.child SET id = 3; SELECT one.in_sql()")
            .await;
        session
            .check(
                "SELECT ver, op FROM pgtrack.history('one.child', 3)",
                "1|INSERT\n2|UPDATE\n3|UPDATE",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn a_schema_that_waits_for_its_new_name_keeps_nobody_from_its_other_tables() {
    on_outer_versions(async |session| {
        let names = ["ddl_rename_1", "ddl_rename_2"];
        let [one, two] = two_owners(&session, names).await;
        one.run(&format!(
            "GRANT USAGE, CREATE ON SCHEMA one TO {}; INSERT INTO t VALUES (1, 1)",
            names[1]
        ))
        .await;
        two.run("CREATE TABLE one.guest (id int PRIMARY KEY)").await;
        two.run("BEGIN; TRUNCATE one.guest").await;
        let other = session.another_as(names[0]).await;
        let pid = one.rows("SELECT pg_backend_pid()").await;
        let renaming = tokio::spawn(async move { one.run("ALTER SCHEMA one RENAME TO uno").await });
        until_it_waits(&session, &pid).await;
        other.run("SET statement_timeout = '30s'; TRUNCATE one.t, one.n; ALTER TABLE one.n ADD COLUMN w int").await;
        two.run("COMMIT").await;
        renaming.await.expect("it ends");
        session
            .check(
                "SELECT table_name, row_count FROM pgtrack.activity WHERE operation = 'TRUNCATE'",
                "uno.t|1",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        farewell(&session, names).await;
    });
}

#[test]
fn a_trigger_function_is_replaced_while_others_use_the_tables() {
    on_outer_versions(async |session| {
        let names = ["ddl_function_1", "ddl_function_2"];
        let [one, two] = two_owners(&session, names).await;
        one.run(&format!("GRANT USAGE ON SCHEMA one TO {}; GRANT SELECT ON n TO {0}", names[1]))
            .await;
        // A trigger that is needed no more waits for no reader.
        two.run("BEGIN; SELECT FROM one.n").await;
        one.run("CREATE OR REPLACE FUNCTION nests() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; INSERT INTO n VALUES (1, 1); UPDATE n SET v = 2").await;
        two.run("COMMIT").await;
        one.run("ALTER TABLE n ADD COLUMN w int; UPDATE n SET w = 3").await;
        session.check("SELECT count(*) FROM pg_trigger WHERE tgname = 'pgtrack_open' AND tgrelid = 'one.n'::regclass", "0").await;
        session
            .check(
                "SELECT ver, op FROM pgtrack.history('one.n', 1)",
                "1|INSERT\n2|UPDATE\n3|UPDATE",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        // One that tables of two owners share is replaced while one of them alters a table.
        two.run("CREATE TRIGGER y BEFORE UPDATE ON n FOR EACH ROW EXECUTE FUNCTION one.nests(); BEGIN; ALTER TABLE n ADD COLUMN w int; DROP TRIGGER x ON n").await;
        one.run("CREATE OR REPLACE FUNCTION nests() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; RETURN new; END'").await;
        two.run("COMMIT").await;
        session.run("SELECT pgtrack.follow_ddl()").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        farewell(&session, names).await;
    });
}

#[test]
fn triggers_of_an_earlier_revision_go_on_until_they_are_replaced() {
    on_outer_versions(async |session| {
        let nests = |table: &str| {
            format!(
                "CREATE TABLE {table} (id int PRIMARY KEY, v int); CREATE TRIGGER x AFTER UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION again();
                 INSERT INTO {table} VALUES (1, 1);"
            )
        };
        session
            .run(&format!(
                "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
                 $$BEGIN IF pg_trigger_depth() < 2 THEN EXECUTE format('UPDATE %I SET v = v + 10', TG_TABLE_NAME); END IF; RETURN NULL; END$$;
                 {} {} SELECT pgtrack.track('public');
                 DO $$DECLARE r record; BEGIN FOR r IN SELECT * FROM pgtrack.relation LOOP
                   EXECUTE format('CREATE OR REPLACE TRIGGER pgtrack_open BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT
                                   EXECUTE FUNCTION pgtrack_history.open(%L, %L)', r.relid, r.relation_id, md5('of an earlier revision'));
                 END LOOP; END$$; DROP FUNCTION pgtrack_history.open_1(); DROP FUNCTION pgtrack_history.open_2();
                 DELETE FROM pgtrack.generated WHERE function_name LIKE 'open%'",
                nests("a"),
                nests("b")
            ))
            .await;
        let read = "SELECT before ->> 'v', after ->> 'v' FROM pgtrack.history('b', 1) WHERE op = 'UPDATE' ORDER BY ver";
        let functions = "SELECT t.tgrelid::regclass, t.tgfoid::regproc FROM pg_trigger t WHERE t.tgname = 'pgtrack_open' ORDER BY t.tgrelid::regclass::text";
        let writer = session.another().await;
        writer.run("BEGIN; INSERT INTO b VALUES (2, 2)").await;
        install(session.database.clone()).await;
        session.check(functions, "a|pgtrack_history.open_1\nb|pgtrack_history.open").await;
        writer.run("COMMIT").await;
        session.run("UPDATE b SET v = 100 WHERE id = 1").await;
        session.check(read, "1|100\n100|110").await;
        // The next DDL on the table, or installation, replaces it.
        session.run("ALTER TABLE b ADD COLUMN w int; UPDATE b SET v = 200 WHERE id = 1").await;
        session.check(functions, "a|pgtrack_history.open_1\nb|pgtrack_history.open_2").await;
        session.check(read, "1|100\n100|110\n110|200\n200|210").await;
        install(session.database.clone()).await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

/// What text of ours calls a type of an extension is dropped with the last table that needs it: not while another transaction
/// has begun to.
#[test]
fn a_name_in_our_schema_stays_for_who_is_about_to_need_it() {
    on_outer_versions(async |session| {
        session.run("CREATE EXTENSION citext").await;
        let need = "SELECT pgtrack.track('b')";
        let drop = "ALTER TABLE a ALTER k TYPE text";
        for (isolation, order) in [
            ("READ COMMITTED", ["need", "drop", "commit drop", "commit need"]),
            ("READ COMMITTED", ["drop", "need", "commit need", "commit drop"]),
            ("REPEATABLE READ", ["need", "drop", "commit drop", "commit need"]),
            ("REPEATABLE READ", ["drop", "need", "commit need", "commit drop"]),
            ("REPEATABLE READ", ["drop", "commit drop", "need", "commit need"]),
        ] {
            session
                .run(
                    "DROP TABLE IF EXISTS a, b; CREATE TABLE a (k citext PRIMARY KEY, v int); CREATE TABLE b (k citext PRIMARY KEY, v int);
                     SELECT pgtrack.track('a')",
                )
                .await;
            let (needs, drops) = (session.another().await, session.another().await);
            needs
                .run(&format!(
                    "SET lock_timeout = '9s'; BEGIN ISOLATION LEVEL {isolation}; SELECT 1"
                ))
                .await;
            drops.run("SET lock_timeout = '9s'; BEGIN").await;
            for step in order {
                match step {
                    "need" => needs.run(need).await,
                    "drop" => drops.run(drop).await,
                    "commit need" => needs.run("COMMIT").await,
                    _ => drops.run("COMMIT").await,
                }
            }
            session.run("INSERT INTO b VALUES ('Ab', 1); UPDATE b SET v = 2; UPDATE b SET k = 'c'; SELECT pgtrack.undo('b', 'C')").await;
            session.check("SELECT * FROM b", "Ab|2").await;
            session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        }
        // In the end nothing is left of any of them.
        session
            .run("DROP TABLE a, b; SELECT pgtrack.release_type('citext'); DROP EXTENSION citext")
            .await;
    });
}

#[test]
fn a_lock_on_ones_own_partition_keeps_nobody_else_waiting() {
    on_outer_versions(async |session| {
        let names = ["ddl_partition_1", "ddl_partition_2"];
        let [one, two] = two_owners(&session, names).await;
        one.run("CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)").await;
        // As many as it takes for all of them to be read at once.
        session
            .run(
                "SELECT pgtrack.track('public');
                 DO $$BEGIN FOR i IN 1 .. 20 LOOP EXECUTE format('CREATE TABLE public.x%s (id int PRIMARY KEY)', i); END LOOP; END$$;
                 ANALYZE pgtrack.relation",
            )
            .await;
        one.run("BEGIN; LOCK TABLE p1 IN ACCESS EXCLUSIVE MODE").await;
        for command in DDL {
            two.run(&format!("BEGIN; {command}")).await;
            two.run("ROLLBACK").await;
        }
        session.run("SET statement_timeout = '30s'").await;
        session.check("SELECT count(*) FROM pgtrack.follow_ddl()", "0").await;
        one.run("ROLLBACK").await;
        farewell(&session, names).await;
    });
}

#[test]
fn a_table_called_like_a_word_of_a_text_keeps_no_superuser_waiting() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE ddl_words LOGIN; CREATE SCHEMA s; GRANT ALL ON SCHEMA s TO ddl_words;
                 CREATE TABLE s.mine (id int PRIMARY KEY, v text); CREATE TABLE s.other (id int PRIMARY KEY);
                 CREATE FUNCTION held() RETURNS text LANGUAGE sql AS $$
                   SELECT string_agg(DISTINCT r.table_name, ' ') FROM pg_locks l JOIN pgtrack.relation r ON r.relid = l.relation
                   WHERE l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock'$$",
            )
            .await;
        let guest = session.another_as("ddl_words").await;
        guest
            .run(
                "CREATE TABLE s.\"table\" (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE s.\"drop\" (id int PRIMARY KEY);
                 CREATE TABLE s.v (id int PRIMARY KEY);
                 DO $$BEGIN FOR i IN 0 .. 39 LOOP
                   EXECUTE format('CREATE TABLE s.p%s PARTITION OF s.\"table\" FOR VALUES FROM (%s) TO (%s)', i, i * 10, i * 10 + 10); END LOOP; END$$",
            )
            .await;
        session.run("SELECT pgtrack.track('s'); SET statement_timeout = '8s'").await;
        guest.run("BEGIN; SELECT FROM s.\"table\"").await;
        for command in [
            "ALTER TABLE s.mine /* c */ DROP COLUMN v; SELECT 1",
            "ALTER TABLE s.mine /* c */ ALTER id TYPE bigint; SELECT 'drop v'",
            // One that names nothing that can be told.
            "ALTER TABLE U&\"s\".mine ALTER id TYPE bigint /* drop */",
        ] {
            session.run("BEGIN").await;
            session.run(command).await;
            session.check("SELECT held()", "mine").await;
            session.run("ROLLBACK").await;
        }
        // What is the caller's own is looked for where the text may mean it, and comes before what is in use.
        let reader = session.another().await;
        session.run("CREATE SCHEMA a; CREATE SCHEMA b; CREATE SCHEMA c; CREATE TABLE a.mine (id int PRIMARY KEY)").await;
        session
            .run(
                "CREATE TABLE b.mine (id int PRIMARY KEY); CREATE TABLE c.mine (id int PRIMARY KEY);
                 SELECT pgtrack.track('a'); SELECT pgtrack.track('b'); SELECT pgtrack.track('c')",
            )
            .await;
        reader.run("BEGIN; SELECT FROM s.mine, a.mine, b.mine").await;
        session.run("ALTER TABLE U&\"c\".mine ALTER id TYPE bigint").await;
        reader.run("COMMIT").await;
        guest.run("COMMIT").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        session.run("DROP OWNED BY ddl_words CASCADE; DROP ROLE ddl_words").await;
    });
}

#[test]
fn the_first_table_with_a_redacted_column_is_no_business_of_other_owners() {
    on_outer_versions(async |session| {
        let names = ["ddl_redacted_1", "ddl_redacted_2"];
        let [one, two] = two_owners(&session, names).await;
        let open = "SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'pgtrack_history'::regnamespace AND p.proname ~ '^record_insert_'
                      AND p.prosrc !~ 'hidden_text'";
        session.check(open, "6").await;
        session.run(r#"SELECT pgtrack.track('one', '{"redact": ["ssn"]}')"#).await;
        session.check(open, "0").await;
        one.run("BEGIN; CREATE TABLE a (id int PRIMARY KEY, ssn text)").await;
        for command in DDL {
            two.run(&format!("BEGIN; {command}")).await;
            two.run("ROLLBACK").await;
        }
        two.run("ALTER TABLE t DROP COLUMN w").await;
        one.run("COMMIT").await;
        one.run("INSERT INTO t VALUES (1, 1); INSERT INTO a VALUES (1, 'S3cret')").await;
        session
            .check(
                "SELECT count(*), count(query) FROM pgtrack.statement WHERE operation = 'I'",
                "2|0",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        farewell(&session, names).await;
    });
}

#[test]
fn a_schema_of_types_is_renamed_while_others_truncate_tables_with_them() {
    on_outer_versions(async |session| {
        let names = ["ddl_kinds_1", "ddl_kinds_2"];
        let [one, two] = two_owners(&session, names).await;
        one.run(&format!(
            "CREATE TYPE mood AS ENUM ('sad', 'glad'); GRANT USAGE ON SCHEMA one TO {}",
            names[1]
        ))
        .await;
        two.run("CREATE TABLE m (id int PRIMARY KEY, m one.mood); INSERT INTO m VALUES (1, 'sad')")
            .await;
        one.run("BEGIN; ALTER SCHEMA one RENAME TO uno").await;
        two.run("BEGIN; TRUNCATE m").await;
        one.run("COMMIT").await;
        two.run("ROLLBACK; INSERT INTO m VALUES (2, 'glad'); TRUNCATE m").await;
        session
            .check("SELECT ver, op FROM pgtrack.history('two.m', 1)", "1|INSERT\n2|TRUNCATE")
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        farewell(&session, names).await;
    });
}
