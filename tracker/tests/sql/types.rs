//! Types that an application makes: stored as text, shown as text, and back as values.

use crate::support::{Session, install, on_each_version, on_outer_versions};

/// Settings in which dates, intervals and numbers look otherwise than where they were written.
const ELSEWHERE: &str = "SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'; SET IntervalStyle = 'sql_standard'; SET extra_float_digits = -10;
                         SET bytea_output = 'escape'";
const HERE: &str = "RESET DateStyle; RESET TimeZone; RESET IntervalStyle; RESET extra_float_digits; RESET bytea_output";

/// A type of each kind, with two values and how the first is shown.
const KINDS: &[(&str, &str, &str, &str)] = &[
    ("mood", "sad", "ok", r#""sad""#),
    ("mood_domain", "sad", "ok", r#""sad""#),
    (
        "sample",
        r#"(1.0,"2026-02-01 12:00:00+00",0.1,"-1 days +02:00:00","\\x00ff")"#,
        "(1.00,,,,)",
        r#""(1.0,\"2026-02-01 12:00:00+00\",0.1,\"-1 days +02:00:00\",\"\\\\x00ff\")""#,
    ),
    (
        "sample_domain",
        r#"(1.5,"2026-02-01 12:00:00+00",0.1,,)"#,
        "(2.5,,,,)",
        r#""(1.5,\"2026-02-01 12:00:00+00\",0.1,,)""#,
    ),
    ("span", "[0.1,0.3)", "empty", r#""[0.1,0.3)""#),
    ("span_multirange", "{[0.1,0.3)}", "{}", r#""{[0.1,0.3)}""#),
    ("mood[]", "{sad,ok}", "[2:3]={sad,NULL}", r#""{sad,ok}""#),
    (
        "sample[]",
        r#"{"(1.0,\"2026-02-01 12:00:00+00\",0.1,,)"}"#,
        "{}",
        r#""{\"(1.0,\\\"2026-02-01 12:00:00+00\\\",0.1,,)\"}""#,
    ),
    ("positive[]", "{1,2}", "{3}", r#""{1,2}""#),
    ("positive", "1", "2", "1"),
    ("required", "a", "b", r#""a""#),
];

async fn create_types(session: &Session) {
    session
        .run(
            "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN mood_domain AS mood;
             CREATE TYPE sample AS (n numeric, at timestamptz, f float8, i interval, b bytea); CREATE DOMAIN sample_domain AS sample;
             CREATE TYPE span AS RANGE (subtype = float8); CREATE DOMAIN positive AS int CHECK (value > 0); CREATE DOMAIN required AS text NOT NULL",
        )
        .await;
}

#[test]
fn values_of_every_kind_come_back_whatever_the_session_prefers() {
    on_outer_versions(async |session| {
        create_types(&session).await;
        for (type_name, first, second, shown) in KINDS {
            session
                .run(&format!(
                    "DROP TABLE IF EXISTS t, copy; CREATE TABLE t (id int PRIMARY KEY, v {type_name}); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, $${first}$$); CREATE TABLE copy AS SELECT * FROM t"
                ))
                .await;
            session
                .run("SELECT pgtrack.untag(name) FROM pgtrack.tags(); SELECT pgtrack.tag('start')")
                .await;
            let same = "SELECT count(*) FROM t JOIN copy ON record_image_eq(ROW(t.v), ROW(copy.v))";
            session.run(&format!("{ELSEWHERE}; UPDATE t SET v = $${second}$$; {HERE}")).await;
            let as_it_was = "SELECT before -> 'v' FROM pgtrack.history('t', 1) WHERE ver = 2";
            session.check(as_it_was, shown).await;
            session.run(ELSEWHERE).await;
            session.check(as_it_was, shown).await;
            session.check("SELECT after -> 'v' FROM pgtrack.plan_undo('t', 1)", shown).await;
            session.check("SELECT before -> 'v' FROM pgtrack.diff('t', 'start')", shown).await;
            session.check("SELECT count(*) FROM pgtrack.as_of(NULL::t, 'start') t JOIN copy ON record_image_eq(ROW(t.v), ROW(copy.v))", "1").await;
            session.run("SELECT pgtrack.undo('t', 1)").await;
            session.check(same, "1").await;
            session.check("SELECT op FROM pgtrack.diff('t', 'start')", "").await;
            session.check("SELECT * FROM pgtrack.plan_revert_table('t', 'start')", "").await;
            session.run("DELETE FROM t; SELECT pgtrack.restore('t', 1)").await;
            session.check(same, "1").await;
            session.run("SELECT pgtrack.keep('t'); DROP TABLE t; SELECT pgtrack.recover('t'); ALTER TABLE t DROP COLUMN v; SELECT pgtrack.recover('t', 'v')").await;
            session.check(same, "1").await;
            session.run(HERE).await;
            session.check(same, "1").await;
        }
    });
}

#[test]
fn keys_of_every_kind_find_their_row_whatever_the_session_prefers() {
    on_outer_versions(async |session| {
        create_types(&session).await;
        for (type_name, first, second, shown) in KINDS {
            for (options, is_parted) in
                [("{}", false), (r#"{"replica": true}"#, false), ("{}", true)]
            {
                session
                    .run(&format!(
                        "DROP TABLE IF EXISTS t; CREATE TABLE t (k {type_name} PRIMARY KEY, v int) {}; SELECT pgtrack.track('t', '{options}')",
                        if is_parted { "PARTITION BY LIST (k); CREATE TABLE t_rest PARTITION OF t DEFAULT" } else { "" }
                    ))
                    .await;
                session
                    .run(&format!(
                        "INSERT INTO t VALUES ($${first}$$, 1); UPDATE t SET v = 2; {ELSEWHERE}; UPDATE t SET k = $${second}$$; {HERE}; UPDATE t SET v = 3"
                    ))
                    .await;
                let versions =
                    format!("SELECT ver, op, what FROM pgtrack.history('t', $${second}$$::text)");
                let expected = "
                    1|INSERT|~
                    2|UPDATE|{v}
                    3|UPDATE|{k}
                    4|UPDATE|{v}";
                session.check(&versions, expected).await;
                session.run(ELSEWHERE).await;
                session.check(&versions, expected).await;
                session
                    .check(
                        &format!(
                            "SELECT count(*) FROM pgtrack.history('t', $${second}$$::{type_name})"
                        ),
                        "4",
                    )
                    .await;
                session
                    .check("SELECT row_pk -> 'k' FROM pgtrack.changes('t') WHERE ver = 1", shown)
                    .await;
                session.run(&format!("SELECT pgtrack.undo('t', $${second}$$::text); SELECT pgtrack.revert('t', $${second}$$::text, 2)")).await;
                session.run(HERE).await;
                session
                    .check(
                        &format!("SELECT k::text = ($${first}$$::{type_name})::text, v FROM t"),
                        "t|2",
                    )
                    .await;
                session.run("DELETE FROM t").await;
                session.run(ELSEWHERE).await;
                session.check("SELECT row_pk -> 'k' FROM pgtrack.deleted('t')", shown).await;
                session
                    .run(&format!("SELECT pgtrack.restore('t', $${first}$$::text); {HERE}"))
                    .await;
                session.check("SELECT * FROM pgtrack.verify()", "").await;
                session
                    .check(
                        &format!("SELECT k::text = ($${first}$$::{type_name})::text, v FROM t"),
                        "t|2",
                    )
                    .await;
            }
        }
    });
}

#[test]
fn json_that_jsonb_cannot_hold_is_shown_as_its_text_and_comes_back() {
    on_each_version(async |session| {
        session
            .run(
                r#"CREATE DOMAIN document AS json; CREATE TABLE t (id int PRIMARY KEY, j json, js json[], d document, n int); SELECT pgtrack.track('t');
                   INSERT INTO t VALUES (1, '{"a": "\u0000"}', '{1e999999}', '"\ud800"', 1), (2, '{"b": 1}', '{}', 'null', 1);
                   UPDATE t SET n = 2; UPDATE t SET j = '{}', js = '{"[1]"}', d = '1'"#,
            )
            .await;
        session
            .check(
                "SELECT row_pk, before FROM pgtrack.changes('t', 2) ORDER BY row_pk",
                r#"{"id": 1}|{"d": "\"\\ud800\"", "j": "{\"a\": \"\\u0000\"}", "n": 2, "id": 1, "js": "{1e999999}"}
                   {"id": 2}|{"d": null, "j": {"b": 1}, "n": 2, "id": 2, "js": []}"#,
            )
            .await;
        session
            .check(
                "SELECT after FROM pgtrack.history('t', 1) WHERE ver = 3",
                r#"{"d": 1, "j": {}, "n": 2, "id": 1, "js": [[1]]}"#,
            )
            .await;
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session
            .check("SELECT j, js, d FROM t WHERE id = 1", r#"{"a": "\u0000"}|{1e999999}|"\ud800""#)
            .await;
        session.check("SELECT count(*) FROM pgtrack.deleted('t')", "0").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn an_enum_that_is_replaced_leaves_its_labels_in_history_and_an_undo_says_which_is_gone() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TYPE mood AS ENUM ('sad', 'ok', 'fine'); CREATE TABLE t (id int PRIMARY KEY, m mood, n int); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'sad', 1), (2, 'fine', 1)",
            )
            .await;
        session.run("UPDATE t SET m = 'ok', n = 2").await;
        session
            .run(
                "CREATE TYPE mood_new AS ENUM ('ok', 'fine'); ALTER TABLE t ALTER m TYPE mood_new USING m::text::mood_new;
                 ALTER TYPE mood RENAME TO mood_old; ALTER TYPE mood_new RENAME TO mood; DROP TYPE mood_old",
            )
            .await;
        session
            .check(
                "SELECT ver, before ->> 'm', after ->> 'm' FROM pgtrack.history('t', 1)",
                "
                1|~|sad
                2|sad|ok",
            )
            .await;
        let refusal = "42804: column m of public.t cannot be 'sad' again
DETAIL: The enum public.mood has no such label now. It has: 'ok', 'fine'.
HINT: Add the label with ALTER TYPE public.mood ADD VALUE 'sad', or set the row right by hand; pgtrack.history() shows the row as it was.";
        for call in [
            "undo('t', 1)",
            "plan_undo('t', 1)",
            "undo_transaction((SELECT max(xid) FROM pgtrack.log()))",
        ] {
            assert_eq!(session.error(&format!("SELECT pgtrack.{call}")).await, refusal, "{call}");
        }
        session
            .run("SELECT pgtrack.undo('t', 1, columns => '{n}'); SELECT pgtrack.undo('t', 2)")
            .await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
                1|ok|1
                2|fine|1",
            )
            .await;
        session.run("ALTER TYPE mood RENAME VALUE 'fine' TO 'well'").await;
        session
            .check("SELECT before ->> 'm' FROM pgtrack.history('t', 2) WHERE ver = 2", "fine")
            .await;
        session.run("ALTER TABLE t ALTER m TYPE text; UPDATE t SET m = 'anything' WHERE id = 1; DROP TYPE mood; SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT m FROM t WHERE id = 1", "ok").await;
    });
}

#[test]
fn a_key_whose_enum_is_replaced_keeps_its_history() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE t (k mood PRIMARY KEY, n int); SELECT pgtrack.track('t'); SELECT pgtrack.tag('start');
                 INSERT INTO t VALUES ('sad', 1), ('ok', 1); UPDATE t SET n = 2; DELETE FROM t WHERE k = 'sad';
                 ALTER TYPE mood RENAME TO mood_old; CREATE TYPE mood AS ENUM ('ok'); ALTER TABLE t ALTER k TYPE mood USING k::text::mood; DROP TYPE mood_old;
                 UPDATE t SET n = 3",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 'sad'::text)", "3").await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 'ok'::mood)", "3").await;
        session.check("SELECT row_pk FROM pgtrack.deleted('t')", r#"{"k": "sad"}"#).await;
        session.check("SELECT * FROM pgtrack.as_of(NULL::t, 'start')", "").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        let error = session.error("SELECT pgtrack.restore('t', 'sad'::text)").await;
        assert!(error.starts_with("42804: column k of public.t cannot be 'sad' again"), "{error}");
        session.run("SELECT pgtrack.undo('t', 'ok'::text)").await;
        session.check("SELECT * FROM t", "ok|2").await;
    });
}

#[test]
fn a_protected_column_is_not_given_another_type_that_is_stored_alike() {
    on_each_version(async |session| {
        session
            .run(r#"CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE mood_new AS ENUM ('sad'); CREATE TABLE t (id int PRIMARY KEY, m mood); SELECT pgtrack.track('t', '{"on_drop": "refuse"}')"#)
            .await;
        for wanted in ["mood_new USING m::text::mood_new", "text"] {
            let error = session.error(&format!("ALTER TABLE t ALTER m TYPE {wanted}")).await;
            assert!(error.contains("change the type of column m of"), "{error}");
        }
        session.run("ALTER TYPE mood RENAME TO feeling; INSERT INTO t VALUES (1, 'sad'); UPDATE t SET m = NULL").await;
    });
}

#[test]
fn types_go_and_history_stays() {
    on_each_version(async |session| {
        create_types(&session).await;
        session
            .run(
                "CREATE SCHEMA app; CREATE TABLE row_type (a int); SELECT pgtrack.track('app');
                 CREATE TABLE app.t (k mood, m mood_domain, s sample, r span, ms mood[], p positive, w row_type, v int, PRIMARY KEY (k));
                 INSERT INTO app.t VALUES ('sad', 'ok', '(1,,,,)', '[1,2)', '{ok}', 3, '(4)', 1); UPDATE app.t SET v = 2; SELECT pgtrack.keep('app.t')",
            )
            .await;
        session
            .run("DROP TYPE span, positive, sample, mood CASCADE; DROP TABLE row_type CASCADE")
            .await;
        session
            .check(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'app.t'::regclass AND attnum > 0 AND NOT attisdropped",
                "v",
            )
            .await;
        session.run("UPDATE app.t SET v = 3; INSERT INTO app.t VALUES (4)").await;
        session
            .check(
                "SELECT op, before FROM pgtrack.changes('app.t') ORDER BY statement_id",
                r#"
                INSERT|~
                UPDATE|{"k": "sad", "m": "ok", "p": 3, "r": "[1,2)", "s": "(1,,,,)", "v": 1, "w": "(4)", "ms": "{ok}"}
                UPDATE|{"v": 2}
                INSERT|~"#,
            )
            .await;
        session.run("DROP SCHEMA app CASCADE").await;
        session.check("SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrack_history'::regnamespace AND relname LIKE 't\\_%'", "2").await;
    });
}

#[test]
fn history_from_before_types_were_stored_as_text_is_converted() {
    on_each_version(async |session| {
        create_types(&session).await;
        session
            .run(
                "CREATE TABLE t (k sample PRIMARY KEY, m mood, r span); ALTER TABLE t ENABLE ROW LEVEL SECURITY; SELECT pgtrack.track('t');
                 INSERT INTO t VALUES ('(1.0,\"2026-02-01 12:00:00+00\",,,)', 'sad', '[1,2)'); UPDATE t SET m = 'ok', r = NULL; UPDATE t SET k = '(2,,,,)'",
            )
            .await;
        let history = session
            .rows("SELECT format('pgtrack_history.%I', history_table) FROM pgtrack.relation")
            .await;
        // What a history was before: typed, and with keys as JSON objects. No event trigger follows.
        session
            .run(&format!(
                "SET session_replication_role = replica; DROP POLICY readers ON {history}; ALTER TABLE {history} ALTER k TYPE sample USING k::sample, ALTER m TYPE mood USING m::mood, ALTER r TYPE span USING r::span;
                 CREATE POLICY readers ON {history} USING (k IS NOT NULL AND m <> 'sad');
                 UPDATE pgtrack.key_change SET old_key = jsonb_build_object('k', (old_key ->> 'k')::sample), new_key = jsonb_build_object('k', (new_key ->> 'k')::sample);
                 RESET session_replication_role"
            ))
            .await;
        session.run(ELSEWHERE).await;
        install(session.database.clone()).await;
        session.run(HERE).await;
        session
            .check(
                &format!("SELECT DISTINCT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = '{history}'::regclass AND attname IN ('k', 'm', 'r')"),
                "text",
            )
            .await;
        session
            .check(
                "SELECT ver, before FROM pgtrack.history('t', '(2,,,,)'::text)",
                r#"
                1|~
                2|{"k": "(1.0,\"2026-02-01 12:00:00+00\",,,)", "m": "sad", "r": "[1,2)"}
                3|{"k": "(1.0,\"2026-02-01 12:00:00+00\",,,)", "m": "ok", "r": null}"#,
            )
            .await;
        session
            .check(
                &format!("SELECT count(*) FROM pg_policy WHERE polrelid = '{history}'::regclass"),
                "1",
            )
            .await;
        session.run("SELECT pgtrack.revert('t', '(2,,,,)'::text, 1)").await;
        session.check("SELECT m, r FROM t", "sad|[1,2)").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn a_type_that_is_renamed_or_moved_is_found_again() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE EXTENSION citext; CREATE SCHEMA elsewhere; CREATE TYPE mood AS ENUM ('sad', 'ok');
                 CREATE TABLE c (k citext PRIMARY KEY, v int); CREATE TABLE m (k mood PRIMARY KEY, m mood, v int); SELECT pgtrack.track('c'), pgtrack.track('m');
                 INSERT INTO c VALUES ('A', 1); UPDATE c SET v = 2; INSERT INTO m VALUES ('ok', 'sad', 1); UPDATE m SET v = 2, m = 'ok';
                 ALTER EXTENSION citext SET SCHEMA elsewhere; ALTER TYPE mood RENAME TO feeling; ALTER TYPE feeling SET SCHEMA elsewhere",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.history('c', 'a'::text)", "2").await;
        session.run("SELECT pgtrack.undo('c', 'a'::text), pgtrack.undo('m', 'ok'::text); UPDATE c SET k = 'b'; UPDATE m SET k = 'sad'; SELECT pgtrack.undo('c', 'b'::text), pgtrack.undo('m', 'sad'::text)").await;
        session.check("SELECT c.k, c.v, m.k, m.m, m.v FROM c, m", "A|1|ok|sad|1").await;
        // The trigger's condition names the schema.
        session.run("SELECT pgtrack.track('c')").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn a_point_before_a_domain_was_tightened_can_be_compared_with() {
    on_each_version(async |session| {
        session
            .run(
                r#"CREATE DOMAIN secret AS text NOT NULL; CREATE DOMAIN quantity AS int; CREATE TABLE parent (q quantity PRIMARY KEY); INSERT INTO parent VALUES (-5), (1);
                   CREATE TABLE t (id int PRIMARY KEY, s secret DEFAULT 'x', q quantity REFERENCES parent ON DELETE CASCADE); SELECT pgtrack.track('t', '{"exclude": ["s"]}'), pgtrack.track('parent')"#,
            )
            .await;
        session.run("INSERT INTO t VALUES (1, 'y', -5)").await;
        session.run("SELECT pgtrack.tag('then')").await;
        session.run("UPDATE t SET q = 1; DELETE FROM parent WHERE q = -5").await;
        session.check("SELECT * FROM pgtrack.as_of(NULL::t, 'then')", "1|~|-5").await;
        session.run("ALTER DOMAIN quantity ADD CONSTRAINT above CHECK (value > 0)").await;
        session.check("SELECT before ->> 'q' FROM pgtrack.diff('t', 'then')", "-5").await;
        let error = session.error("SELECT * FROM pgtrack.as_of(NULL::t, 'then')").await;
        assert!(
            error.starts_with("23514: rows of public.t at then cannot be made: value for domain"),
            "{error}"
        );
        // Whether rows refer to one that an undo deletes is asked without making values.
        session.run("INSERT INTO parent VALUES (7); INSERT INTO t VALUES (2, 'y', 7); UPDATE t SET q = 1 WHERE id = 2").await;
        session
            .check(
                "SELECT (pgtrack.undo_transaction(xid)).deleted FROM pgtrack.log(1) WHERE false",
                "",
            )
            .await;
        let error = session.error("SELECT pgtrack.revert_schema('public', 'then')").await;
        assert!(error.starts_with("23514: value for domain"), "{error}");
    });
}

#[test]
fn columns_may_be_called_what_we_call_ours() {
    const NAMES: &[&str] = &[
        "%",
        "%%",
        "%s",
        "%I",
        "%1$s",
        "pgtrack_row",
        "handle",
        "key",
        "k",
        "t",
        "h",
        "c",
        "x",
        "r",
        "a",
        "s",
        "p",
        "id",
        "pgtrack",
        "pgtrack_statement_id",
        "pgtrack_is_insert",
        "pgtrack_is_left",
        "pgtrack_arrives",
        "pgtrack_key",
        "pgtrack_handle",
        "pgtrack_ctid",
        "pgtrack_old",
        "pgtrack_new",
    ];
    on_each_version(async |session| {
        let columns: Vec<String> =
            NAMES.iter().map(|name| format!("\"{name}\" int DEFAULT 1")).collect();
        let keys: Vec<String> = NAMES.iter().map(|name| format!("\"{name}\"")).collect();
        let (columns, keys) = (columns.join(", "), keys.join(", "));
        session.run("CREATE SCHEMA app; SELECT pgtrack.track('app')").await;
        for (table, definition, kept) in [
            ("app.keyed", format!("{columns}, v int, PRIMARY KEY ({keys})"), "v"),
            ("app.plain", format!("number int PRIMARY KEY DEFAULT 1, {columns}, v int"), "v"),
            (
                "app.parted",
                format!("{columns}, v int, PRIMARY KEY ({keys})) PARTITION BY LIST (\"%\""),
                "v",
            ),
        ] {
            session.run(&format!("CREATE TABLE {table} ({definition})")).await;
            if table == "app.parted" {
                session.run("CREATE TABLE app.one PARTITION OF app.parted FOR VALUES IN (1); CREATE TABLE app.other PARTITION OF app.parted DEFAULT").await;
            }
            session
                .run(&format!(
                    "INSERT INTO {table} ({kept}) VALUES (1); UPDATE {table} SET {kept} = 2"
                ))
                .await;
            session
                .run("SELECT pgtrack.untag(name) FROM pgtrack.tags(); SELECT pgtrack.tag('start')")
                .await;
            session.run(&format!("CREATE TEMP TABLE copy AS TABLE {table}")).await;
            let changes: Vec<String> = NAMES.iter().map(|name| format!("\"{name}\" = 2")).collect();
            session.run(&format!("UPDATE {table} SET {}", changes.join(", "))).await;
            let key =
                session.rows(&format!("SELECT row_pk FROM pgtrack.changes('{table}', 1)")).await;
            let now = session.rows(&format!("SELECT jsonb_object_agg(k, CASE WHEN k = 'number' THEN 1 ELSE 2 END) FROM jsonb_object_keys('{key}') k")).await;
            session.check(&format!("SELECT count(*), max(cardinality(what)) FROM pgtrack.history_pk('{table}', '{now}')"), &format!("3|{}", NAMES.len())).await;
            session.check(&format!("SELECT count(*) FROM pgtrack.changes('{table}')"), "3").await;
            session
                .check(&format!("SELECT count(*) > 0 FROM pgtrack.diff('{table}', 'start')"), "t")
                .await;
            session.check(&format!("SELECT count(*) FROM (SELECT * FROM pgtrack.as_of(NULL::{table}, 'start') INTERSECT TABLE copy) x"), "1").await;
            session
                .check(
                    &format!("SELECT action FROM pgtrack.plan_undo_pk('{table}', '{now}')"),
                    "update",
                )
                .await;
            session
                .check(
                    &format!("SELECT updated FROM pgtrack.revert_table('{table}', 'start')"),
                    "1",
                )
                .await;
            session
                .check(&format!("SELECT count(*) FROM (TABLE {table} INTERSECT TABLE copy) x"), "1")
                .await;
            session.run(&format!("DELETE FROM {table}")).await;
            session.check(&format!("SELECT count(*) FROM pgtrack.deleted('{table}')"), "1").await;
            session.check("SELECT inserted FROM pgtrack.undo_transaction((SELECT max(xid) FROM pgtrack.log()))", "1").await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
            session.run(&format!("SELECT pgtrack.keep('{table}'); SELECT pgtrack.erase_pk('{table}', '{key}', 'a test'); DROP TABLE copy, {table}")).await;
        }
    });
}

/// Whoever may write a row may nest a value as deep as their stack allows; a reader's holds more already.
#[test]
fn values_nested_as_deep_as_the_stack_allows_are_shown_and_come_back() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE j (id int PRIMARY KEY, b jsonb, bs jsonb[], p jsonpath, ps jsonpath[], t json);
                 SELECT pgtrack.track('j'); SELECT pgtrack.tag('start')",
            )
            .await;
        session
            .run("INSERT INTO j (id, b) SELECT n, (repeat('[', n) || '1' || repeat(']', n))::jsonb FROM unnest('{99,100}'::int[]) n")
            .await;
        session
            .check(
                "SELECT after ->> 'id', jsonb_typeof(after -> 'b') FROM pgtrack.changes('j') ORDER BY 2",
                "99|array\n100|string",
            )
            .await;
        // Near the limits, they are found by trying: what the server takes of a jsonpath it may not write again.
        session
            .run(
                "DO $$DECLARE b jsonb := (repeat('[', 9000) || '1' || repeat(']', 9000))::jsonb; p jsonpath; depth int := 0; step int := 32768;
                 BEGIN
                   BEGIN LOOP b := jsonb_build_array(b); END LOOP; EXCEPTION WHEN statement_too_complex THEN NULL; END;
                   WHILE step > 0 LOOP
                     BEGIN p := ('$' || repeat('.a', depth + step))::jsonpath; depth := depth + step;
                     EXCEPTION WHEN statement_too_complex THEN NULL; END;
                     step := step / 2;
                   END LOOP;
                   p := ('$' || repeat('.a', depth))::jsonpath;
                   INSERT INTO j VALUES (1, b, ARRAY[b], p, ARRAY[p], (repeat('[', 5000) || repeat(']', 5000))::json);
                 END$$",
            )
            .await;
        session.run("CREATE TABLE copy AS SELECT * FROM j WHERE id = 1").await;
        session
            .run("UPDATE j SET b = '0', bs = NULL, p = '$', ps = NULL, t = '0' WHERE id = 1")
            .await;
        session
            .check(
                "SELECT ver, left(after ->> 'b', 2), left(after ->> 'bs', 2), left(after ->> 'p', 10), left(after ->> 'ps', 10), left(after ->> 't', 2)
                 FROM pgtrack.history('j', 1)",
                "
                1|[[|{[|a jsonpath|a jsonpath|[[
                2|0|~|$|~|0",
            )
            .await;
        session
            .run("SELECT * FROM pgtrack.changes('j'); SELECT * FROM pgtrack.plan_undo('j', 1)")
            .await;
        session.run("SELECT pgtrack.undo('j', 1)").await;
        session.check("SELECT j.* *= copy.* FROM j JOIN copy USING (id)", "t").await;
        for call in [
            "blame('j', 1)",
            "diff('j', 'start')",
            "plan_revert_table('j', 'start')",
            "show((SELECT max(xid) FROM pgtrack.log()))",
        ] {
            session.run(&format!("SELECT * FROM pgtrack.{call}")).await;
        }
        session.run("DELETE FROM j WHERE id = 1").await;
        session.run("SELECT * FROM pgtrack.deleted('j')").await;
        session.run("SELECT pgtrack.undo('j', 1)").await;
        session.check("SELECT j.* *= copy.* FROM j JOIN copy USING (id)", "t").await;
    });
}

#[test]
fn values_that_json_cannot_hold_are_shown_shortened_and_come_back_whole() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE file (id int PRIMARY KEY, name text, content bytea, note text, list text[]);
                 ALTER TABLE file ALTER content SET STORAGE EXTERNAL, ALTER note SET STORAGE EXTERNAL, ALTER list SET STORAGE EXTERNAL;
                 SELECT pgtrack.track('file')",
            )
            .await;
        // As text the bytes alone would be 300 MB.
        session
            .run(
                "INSERT INTO file VALUES (1, 'a', decode(repeat('ab', 150000000), 'hex'), repeat('é', 5000000), ARRAY[repeat('x', 9000000)]);
                 UPDATE file SET name = 'b'; UPDATE file SET note = note || '!'",
            )
            .await;
        session
            .check(
                "SELECT ver, array_to_string(what, ',') FROM pgtrack.history('file', 1); SELECT ver, array_to_string(what, ','),
                        left(after ->> 'content', 10), substring(after ->> 'content' from '[(].*,'), substring(after ->> 'note' from '.[(].*,')
                 FROM pgtrack.history('file', 1) WHERE ver > 1",
                r"
            2|name|\xabababab|(150000000 bytes,| (10000000 bytes,
            3|note|\xabababab|(150000000 bytes,| (10000001 bytes,",
            )
            .await;
        session.run("SELECT pgtrack.undo('file', 1); DELETE FROM file").await;
        session
            .check("SELECT count(*), count(before ->> 'list') FROM pgtrack.changes('file')", "5|4")
            .await;
        session.run("SELECT pgtrack.restore('file', 1)").await;
        session
            .check(
                "SELECT name, length(content), get_byte(content, 149999999), length(note), length(list[1]) FROM file",
                "b|150000000|171|5000000|9000000",
            )
            .await;
    });
}
