//! DDL on the primary key: a row keeps its history, or what is recorded under another key is refused, never mistaken.

use crate::support::{Session, on_each_version};

const OTHER_KEY: &str = "55000: the primary key of public.t was another one then";

/// Runs what is before the tag and what comes after it in two transactions.
async fn run_around_tag(session: &Session, sql: &str) {
    const TAG: &str = "SELECT pgtrack.tag('start');";
    let (before, after) = sql.split_once(TAG).expect("a tag");
    for transaction in [before, TAG, after] {
        session.run(transaction).await;
    }
}

#[test]
fn a_key_column_may_get_another_name() {
    on_each_version(async |session| {
        run_around_tag(&session, "CREATE TABLE t (x int, y text, v int, PRIMARY KEY (x, y)); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'k', 1), (2, 'l', 2); SELECT pgtrack.tag('start');
                  UPDATE t SET x = 5 WHERE x = 1; UPDATE t SET v = 9; DELETE FROM t WHERE x = 2; SELECT pgtrack.erase('t', '{\"x\": 2, \"y\": \"l\"}', 'asked for')").await;
        // The names change places.
        session.run("ALTER TABLE t RENAME x TO z; ALTER TABLE t RENAME y TO x; ALTER TABLE t RENAME z TO y").await;
        session.check("SELECT ver, op, after ->> 'y' FROM pgtrack.history('t', '{\"y\": 5, \"x\": \"k\"}')", "1|INSERT|1\n2|UPDATE|5\n3|UPDATE|5").await;
        let error = session
            .error("SELECT * FROM pgtrack.restore('t', '{\"y\": 2, \"x\": \"l\"}'::jsonb)")
            .await;
        assert!(error.contains("erased"), "{error}");
        session.run("SELECT pgtrack.purge('0 seconds')").await;
        session.check("SELECT array_agg(DISTINCT k ORDER BY k) FROM pgtrack.erasure, jsonb_object_keys(row_key) k", "{x,y}").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn a_key_column_may_get_another_type() {
    on_each_version(async |session| {
        run_around_tag(&session, "CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 1), (2, 2); SELECT pgtrack.tag('start');
                  UPDATE t SET id = 3 WHERE id = 1; DELETE FROM t WHERE id = 2").await;
        for (ty, key) in [
            ("bigint", "3"),
            ("text", "'3'"),
            ("varchar(20)", "'3'"),
            ("int USING id::int", "3"),
            ("numeric(12, 2)", "3"),
            ("int", "3"),
        ] {
            session.run(&format!("ALTER TABLE t ALTER id TYPE {ty}")).await;
            session
                .check(
                    &format!("SELECT ver, op, (after ->> 'id')::numeric::int FROM pgtrack.history('t', {key}) ORDER BY ver"),
                    "1|INSERT|1\n2|UPDATE|3",
                )
                .await;
            session
                .check(
                    "SELECT id::numeric::int, v FROM pgtrack.as_of(NULL::t, 'start') ORDER BY 1",
                    "1|1\n2|2",
                )
                .await;
            session
                .check("SELECT (row_pk ->> 'id')::numeric::int FROM pgtrack.deleted('t')", "2")
                .await;
            session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        }
        session.run("SELECT pgtrack.revert_table('t', 'start')").await;
        session.check("SELECT id, v FROM t ORDER BY id", "1|1\n2|2").await;
    });
}

#[test]
fn so_may_that_of_partitions_and_of_enums() {
    on_each_version(async |session| {
        run_around_tag(&session, "CREATE TYPE e AS ENUM ('x', 'y'); CREATE TABLE t (id e, d date, v int, PRIMARY KEY (id, d)) PARTITION BY RANGE (d); CREATE TABLE t1 PARTITION OF t DEFAULT;
                  SELECT pgtrack.track('t'); INSERT INTO t VALUES ('x', '2026-01-01', 1); SELECT pgtrack.tag('start'); UPDATE t SET id = 'y'; UPDATE t SET v = 2;
                  ALTER TYPE e RENAME TO e_old; CREATE TYPE e AS ENUM ('z', 'y', 'x'); ALTER TABLE t ALTER id TYPE e USING id::text::e; DROP TYPE e_old;
                  ALTER TABLE t ALTER id TYPE text; DROP TYPE e; UPDATE t SET v = 3").await;
        session
            .check(
                "SELECT ver, op, after ->> 'id', after ->> 'v' FROM pgtrack.history('t', '{\"id\": \"y\", \"d\": \"2026-01-01\"}')",
                "1|INSERT|x|1\n2|UPDATE|y|1\n3|UPDATE|y|2\n4|UPDATE|y|3",
            )
            .await;
        session.check("SELECT * FROM pgtrack.as_of(NULL::t, 'start')", "x|2026-01-01|1").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn a_key_made_of_other_values_begins_a_new_history() {
    on_each_version(async |session| {
        for (number, exchange) in [
            "ALTER TABLE t ALTER id TYPE bigint USING id + 100",
            "ALTER TABLE t ALTER id TYPE bigint USING (11 - id)",
            "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ALTER id TYPE bigint; ALTER TABLE t ADD PRIMARY KEY (id)",
            "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t RENAME id TO x; ALTER TABLE t ADD COLUMN id serial; ALTER TABLE t ADD PRIMARY KEY (id)",
            "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD COLUMN other int GENERATED ALWAYS AS IDENTITY; ALTER TABLE t DROP COLUMN id; ALTER TABLE t RENAME other TO id; ALTER TABLE t ADD PRIMARY KEY (id)",
            "ALTER TABLE t ALTER id TYPE uuid USING md5(id::text)::uuid",
            "ALTER TABLE t DROP COLUMN id, ADD COLUMN id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (code)",
            "ALTER TABLE t ADD COLUMN tenant int NOT NULL DEFAULT 7; ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (tenant, id)",
            "ALTER TABLE t DROP CONSTRAINT t_pkey; UPDATE t SET id = id + 1; ALTER TABLE t ADD PRIMARY KEY (id)",
        ]
        .into_iter()
        .enumerate()
        {
            let tag = format!("exchange_{number}");
            session
                .run(
                    "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, code text UNIQUE, v int); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3); ",
                )
                .await;
            session.run(&format!("SELECT pgtrack.tag('{tag}')")).await;
            session.run("UPDATE t SET v = v + 1; UPDATE t SET id = 9 WHERE id = 1; DELETE FROM t WHERE id = 3").await;
            let transaction = session.rows("SELECT max(xid) FROM pgtrack.activity WHERE operation = 'DELETE'").await;
            session.run(exchange).await;
            for call in [
                format!("as_of(NULL::t, '{tag}')"),
                format!("diff('t', '{tag}')"),
                format!("plan_revert_table('t', '{tag}')"),
                format!("plan_undo_transaction({transaction})"),
                format!("undo_transaction({transaction})"),
            ] {
                let error = session.error(&format!("SELECT * FROM pgtrack.{call}")).await;
                assert!(error.starts_with(OTHER_KEY), "{exchange}: {call}: {error}");
            }
            session.run(&format!("SELECT pgtrack.tag('{tag} later'); BEGIN; UPDATE t SET v = 10 WHERE code = 'b'; DELETE FROM t WHERE code = 'a'; COMMIT")).await;
            session.check(&format!("SELECT code, v FROM pgtrack.as_of(NULL::t, '{tag} later') ORDER BY code"), "a|2\nb|3").await;
            session.check("SELECT count(*) FROM pgtrack.deleted('t')", "1").await;
            session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
            session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
            session.check("SELECT code, v FROM t ORDER BY code", "a|2\nb|3").await;
            // What was is still to be seen.
            session.check("SELECT count(*) FROM pgtrack.changes('t') WHERE op = 'UPDATE' AND before ->> 'v' = '1'", "1").await;
        }
    });
}

#[test]
fn a_key_that_is_made_again_is_the_same() {
    on_each_version(async |session| {
        run_around_tag(&session, "CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 1); SELECT pgtrack.tag('start'); UPDATE t SET v = 2;
                  ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (id)").await;
        session.check("SELECT ver, op FROM pgtrack.history('t', 1)", "1|INSERT\n2|UPDATE").await;
        session.check("SELECT * FROM pgtrack.as_of(NULL::t, 'start')", "1|1").await;
    });
}

#[test]
fn keys_that_become_one_are_not_taken_for_one() {
    on_each_version(async |session| {
        run_around_tag(&session, "CREATE TABLE t (id text PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES ('1', 1), ('01', 2); SELECT pgtrack.tag('start');
                                  DELETE FROM t WHERE id = '01'; UPDATE t SET v = 3").await;
        session.run("ALTER TABLE t ALTER id TYPE int USING id::int").await;
        let error = session.error("SELECT * FROM pgtrack.as_of(NULL::t, 'start')").await;
        assert!(error.starts_with(OTHER_KEY), "{error}");
        session.check("SELECT count(*) FROM pgtrack.deleted('t')", "0").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn recorded_keys_stay_what_they_were_where_a_type_keeps_less_of_them() {
    on_each_version(async |session| {
        for (number, (ty, keys, retyped)) in [
            ("text", ["DE-1", "FR-2", "NL-7"], "char(1) USING id::char(1)"),
            ("text", ["DE-1", "FR-2", "NL-7"], "varchar(2) USING left(id, 2)"),
            ("text", ["01", "2", "3"], "int USING id::int"),
            ("numeric", ["1.40", "2", "3"], "int"),
            ("int", ["123456789", "2", "3"], "real"),
            ("double precision", ["0.1234567890123", "2", "3"], "real"),
            ("timestamp", ["2026-01-01 10:00", "2026-01-02", "2026-01-03"], "date"),
            (
                "text",
                [
                    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12",
                    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13",
                ],
                "uuid USING id::uuid",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let [other, left, deleted] = keys;
            session
                .run(&format!(
                    "DROP TABLE IF EXISTS t; CREATE TABLE t (id {ty} PRIMARY KEY, v int); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES ('{other}', 1), ('{left}', 2), ('{deleted}', 3)"
                ))
                .await;
            session.run(&format!("SELECT pgtrack.tag('less {number}')")).await;
            session
                .run(&format!(
                    "UPDATE t SET v = 11 WHERE id = '{other}'; DELETE FROM t WHERE id = '{deleted}'"
                ))
                .await;
            let changes = "SELECT row_pk, op, before FROM pgtrack.changes('t')";
            let recorded = session.rows(changes).await;
            // There and back.
            for ty in [retyped, "text"] {
                session.run(&format!("ALTER TABLE t ALTER id TYPE {ty}")).await;
                session.check(changes, &recorded).await;
                session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
            }
            let error = session
                .error(&format!("SELECT * FROM pgtrack.as_of(NULL::t, 'less {number}')"))
                .await;
            assert!(error.starts_with(OTHER_KEY), "{retyped}: {error}");
            session.run("UPDATE t SET v = 50 WHERE v = 11; SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
            session.check("SELECT v FROM t ORDER BY v", "2\n11").await;
            session
                .check(
                    "SELECT a.attname FROM pgtrack.relation r JOIN pg_class i ON i.relname = format('h%s_key', r.relation_id)
                     JOIN pg_attribute a ON a.attrelid = i.oid WHERE r.relid = 't'::regclass",
                    "id",
                )
                .await;
        }
    });
}

#[test]
fn so_do_keys_that_rows_have_got_and_those_that_an_old_snapshot_does_not_show() {
    on_each_version(async |session| {
        run_around_tag(&session, "CREATE TABLE t (id text PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES ('1', 1); SELECT pgtrack.tag('start'); UPDATE t SET id = '07'").await;
        session.run("ALTER TABLE t ALTER id TYPE int USING id::int").await;
        session.check("SELECT new_key FROM pgtrack.key_change", "{\"id\": \"07\"}").await;
        let error = session.error("SELECT * FROM pgtrack.as_of(NULL::t, 'start')").await;
        assert!(error.starts_with(OTHER_KEY), "{error}");
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;

        session.run("CREATE TABLE u (id text PRIMARY KEY, v int); SELECT pgtrack.track('u'); INSERT INTO u VALUES ('a', 1)").await;
        let old = session.another().await;
        old.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM u").await;
        session.run("INSERT INTO u VALUES ('a long one', 2); DELETE FROM u WHERE v = 2").await;
        old.run("ALTER TABLE u ALTER id TYPE char(1); COMMIT").await;
        session
            .check(
                "SELECT row_pk ->> 'id', op, before ->> 'id' FROM pgtrack.changes('u')",
                "a long one|DELETE|a long one\na long one|INSERT|~\na|INSERT|~",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn a_key_whose_values_are_made_by_using_is_told_to_no_other_row() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); CREATE FUNCTION swap() RETURNS void LANGUAGE sql AS 'ALTER TABLE t ALTER id TYPE bigint USING 3 - id'").await;
        for (swap, back) in [
            (
                "ALTER TABLE t ALTER id TYPE bigint /* ; */ USING 3 - id",
                "ALTER TABLE t ALTER id TYPE int USING (3 - id)::int",
            ),
            ("SELECT swap()", "SELECT 1"),
        ] {
            session.run("DELETE FROM t; INSERT INTO t VALUES (1, 'alice'), (2, 'bob'); UPDATE t SET v = v || '!'").await;
            session.run(swap).await;
            session.check("SELECT count(*) FROM pgtrack.history('t', 1)", "0").await;
            session.run(back).await;
        }
    });
}
