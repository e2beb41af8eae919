//! Code that comes with a type, a table or an operator of somebody else's: it runs with no rights but theirs.

use crate::support::{Session, on_outer_versions};

/// A role without any special right, in a tracked schema where it may create what it likes. Its code is to call
/// `app.alarm()`, which fails when anybody else runs it.
async fn intruder(session: &Session, name: &str) -> Session {
    session
        .run(&format!(
            "CREATE ROLE {name} LOGIN; CREATE SCHEMA app; GRANT USAGE, CREATE ON SCHEMA app TO {name}; SELECT pgtrack.track('app')"
        ))
        .await;
    let intruder = session.another_as(name).await;
    intruder
        .run(&format!(
            "CREATE FUNCTION app.alarm() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
               IF current_user <> '{name}' THEN RAISE EXCEPTION 'code of {name} runs as %', current_user; END IF; RETURN true; END$$"
        ))
        .await;
    intruder
}

async fn farewell(session: &Session, name: &str) {
    session.run(&format!("DROP OWNED BY {name} CASCADE; DROP ROLE {name}")).await;
}

/// What a superuser may do with a table without running code of its owner.
async fn read_everything(session: &Session, table: &str, key: &str) {
    for call in [
        format!("history_pk('{table}', '{key}')"),
        format!("blame_pk('{table}', '{key}')"),
        format!("plan_undo_pk('{table}', '{key}')"),
        format!("plan_revert_pk('{table}', '{key}', 1)"),
        format!("changes('{table}')"),
        format!("deleted('{table}')"),
        format!("diff('{table}', 'start')"),
        format!("plan_revert_table('{table}', 'start')"),
        "plan_undo_transaction((SELECT max(xid) FROM pgtrack.log()))".to_owned(),
        "show((SELECT max(xid) FROM pgtrack.log()))".to_owned(),
        "verify()".to_owned(),
    ] {
        session.run(&format!("SELECT * FROM pgtrack.{call}")).await;
    }
    session.run(&format!("SELECT pgtrack.keep('{table}')")).await;
    session
        .run("DO $$DECLARE t regclass; BEGIN
                FOR t IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'pgtrack_history'::regnamespace AND c.relkind = 'r' LOOP
                  EXECUTE 'ANALYZE ' || t;
                END LOOP; END$$")
        .await;
    session
        .check(
            "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
             WHERE c.relnamespace = 'pgtrack_history'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
               AND NOT (t.typnamespace = 'pg_catalog'::regnamespace OR t.typname IN ('citext', '_citext'))",
            "",
        )
        .await;
}

const CASTS: &str = "
    CREATE TYPE app.e AS ENUM ('a', 'b', 'c');
    CREATE FUNCTION app.to_json(app.e) RETURNS json LANGUAGE plpgsql AS $$BEGIN PERFORM app.alarm(); RETURN '\"x\"'; END$$;
    CREATE FUNCTION app.to_text(app.e) RETURNS text LANGUAGE plpgsql AS $$BEGIN PERFORM app.alarm(); RETURN 'x'; END$$;
    CREATE FUNCTION app.of_text(text) RETURNS app.e LANGUAGE plpgsql AS $$BEGIN PERFORM app.alarm(); RETURN 'c'; END$$;
    CREATE CAST (app.e AS json) WITH FUNCTION app.to_json(app.e);
    CREATE CAST (app.e AS text) WITH FUNCTION app.to_text(app.e) AS IMPLICIT;
    CREATE CAST (text AS app.e) WITH FUNCTION app.of_text(text) AS IMPLICIT;
    CREATE TYPE app.pair AS (a int, b app.e);
    CREATE FUNCTION app.to_json(app.pair) RETURNS json LANGUAGE plpgsql AS $$BEGIN PERFORM app.alarm(); RETURN '\"x\"'; END$$;
    CREATE FUNCTION app.to_text(app.pair) RETURNS text LANGUAGE plpgsql AS $$BEGIN PERFORM app.alarm(); RETURN 'x'; END$$;
    CREATE FUNCTION app.pair_of_text(text) RETURNS app.pair LANGUAGE plpgsql AS $$BEGIN PERFORM app.alarm(); RETURN (1, 'c'::app.e); END$$;
    CREATE CAST (app.pair AS json) WITH FUNCTION app.to_json(app.pair);
    CREATE CAST (app.pair AS text) WITH FUNCTION app.to_text(app.pair) AS IMPLICIT;
    CREATE CAST (text AS app.pair) WITH FUNCTION app.pair_of_text(text) AS IMPLICIT;";

#[test]
fn a_cast_of_a_users_type_is_never_called() {
    on_outer_versions(async |session| {
        let name = "intruder_casts";
        let app = intruder(&session, name).await;
        app.run(CASTS).await;
        for (table, options) in [("app.plain", ""), ("app.parted", "PARTITION BY LIST (k)")] {
            app.run(&format!("CREATE TABLE {table} (k app.e PRIMARY KEY, v app.e, p app.pair, es app.e[]) {options}")).await;
            if !options.is_empty() {
                app.run(&format!("CREATE TABLE app.one PARTITION OF {table} FOR VALUES IN ('a'); CREATE TABLE app.other PARTITION OF {table} DEFAULT")).await;
            }
            session
                .run("SELECT pgtrack.untag(name) FROM pgtrack.tags(); SELECT pgtrack.tag('start')")
                .await;
            app.run(&format!(
                "INSERT INTO {table} VALUES ('a', 'a', '(1,a)', '{{a}}'); UPDATE {table} SET v = 'b', p = '(2,b)'; UPDATE {table} SET k = 'b', es = '{{b}}'; UPDATE {table} SET v = 'c'"
            ))
            .await;
            read_everything(&session, table, r#"{"k": "b"}"#).await;
            session.run(&format!("SELECT * FROM pgtrack.as_of(NULL::{table}, 'start')")).await;
            app.check(
                &format!("SELECT after ->> 'k', after ->> 'v', after ->> 'p' FROM pgtrack.history('{table}', 'b'::text)"),
                "
                a|a|(1,a)
                a|b|(2,b)
                b|b|(2,b)
                b|c|(2,b)",
            )
            .await;
        }
        farewell(&session, name).await;
    });
}

#[test]
fn statistics_of_history_call_no_function_of_a_users_range() {
    on_outer_versions(async |session| {
        let name = "intruder_ranges";
        let app = intruder(&session, name).await;
        app.run(
            "CREATE FUNCTION app.difference(float8, float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM app.alarm(); RETURN $1 - $2; END$$;
             CREATE TYPE app.span AS RANGE (subtype = float8, subtype_diff = app.difference);
             CREATE TABLE app.t (id int PRIMARY KEY, r app.span, m app.span_multirange)",
        )
        .await;
        session.run("SELECT pgtrack.tag('start')").await;
        app.run("INSERT INTO app.t SELECT g, app.span(g, g + 1), app.span_multirange(app.span(g, g + 1)) FROM generate_series(1, 60) g;
                 UPDATE app.t SET r = app.span(id, id + 2); UPDATE app.t SET m = '{}'")
            .await;
        read_everything(&session, "app.t", r#"{"id": 1}"#).await;
        farewell(&session, name).await;
    });
}

#[test]
fn an_operator_of_a_users_is_not_mistaken_for_that_of_the_key() {
    on_outer_versions(async |session| {
        let name = "intruder_operators";
        session.run("CREATE EXTENSION IF NOT EXISTS citext").await;
        let app = intruder(&session, name).await;
        session.run(&format!("GRANT CREATE ON SCHEMA public TO {name}")).await;
        app.run("CREATE DOMAIN app.name AS public.citext").await;
        for (number, (left, right)) in
            [("app.name", "app.name"), ("app.name", "public.citext"), ("public.citext", "app.name")]
                .iter()
                .enumerate()
        {
            app.run(&format!(
                "CREATE FUNCTION app.equal{number}({left}, {right}) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RETURN app.alarm(); END$$;
                 CREATE OPERATOR public.= (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = app.equal{number})"
            ))
            .await;
        }
        app.run("CREATE TABLE app.t0 (k app.name PRIMARY KEY, v int);
                 CREATE TABLE app.t1 (k app.name PRIMARY KEY, v int) PARTITION BY LIST (k); CREATE TABLE app.one PARTITION OF app.t1 DEFAULT;
                 CREATE TABLE app.child (id int PRIMARY KEY, k app.name REFERENCES app.t0 ON DELETE CASCADE)")
            .await;
        for (table, child) in [
            ("app.t0", "INSERT INTO app.child VALUES (1, 'aa'); DELETE FROM app.child;"),
            ("app.t1", ""),
        ] {
            session
                .run("SELECT pgtrack.untag(name) FROM pgtrack.tags(); SELECT pgtrack.tag('start')")
                .await;
            app.run(&format!("INSERT INTO {table} VALUES ('Aa', 1); {child} UPDATE {table} SET v = 2; UPDATE {table} SET k = 'b'; UPDATE {table} SET v = 3")).await;
            read_everything(&session, table, r#"{"k": "b"}"#).await;
            app.check(&format!("SELECT count(*) FROM pgtrack.history('{table}', 'b'::text)"), "4")
                .await;
        }
        session.run("SELECT pgtrack.revert_table('app.t0', 'start')").await;
        farewell(&session, name).await;
    });
}

#[test]
fn a_name_that_gets_another_meaning_leads_to_no_code() {
    on_outer_versions(async |session| {
        let name = "intruder_names";
        let app = intruder(&session, name).await;
        session
            .run(&format!(
                "DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO {name}', current_database()); END$$"
            ))
            .await;
        app.run(
            "CREATE SCHEMA x; GRANT USAGE ON SCHEMA x TO PUBLIC; CREATE EXTENSION citext SCHEMA x",
        )
        .await;
        // It has begun before there is a table of the type, so nobody waits for it, and it is not followed.
        let other = session.another_as(name).await;
        other
            .run("BEGIN; ALTER SCHEMA x RENAME TO y; CREATE SCHEMA x; GRANT USAGE ON SCHEMA x TO PUBLIC;
                  CREATE DOMAIN x.citext AS y.citext CHECK (app.alarm());
                  CREATE OPERATOR x.= (LEFTARG = y.citext, RIGHTARG = y.citext, FUNCTION = y.citext_eq)")
            .await;
        app.run("CREATE TABLE app.p (k x.citext, d int, v int, PRIMARY KEY (k, d)) PARTITION BY LIST (d);
                 CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES IN (1); CREATE TABLE app.p2 PARTITION OF app.p DEFAULT")
            .await;
        other.run("COMMIT").await;
        app.run("INSERT INTO app.p VALUES ('a', 1, 1), ('b', 1, 1); UPDATE app.p SET d = 2; UPDATE app.p SET d = 1 WHERE v = 1;
                 MERGE INTO app.p USING (VALUES ('a'), ('b')) s (k) ON p.k OPERATOR(y.=) s.k::y.citext
                   WHEN MATCHED THEN UPDATE SET d = 3 WHEN NOT MATCHED THEN INSERT VALUES (s.k, 1, 1);
                 DELETE FROM app.p WHERE d = 3")
            .await;
        session
            .check(
                "SELECT op, count(*) FROM pgtrack.changes('app.p', 50) GROUP BY op ORDER BY op",
                "DELETE|2
                 INSERT|2
                 UPDATE|6",
            )
            .await;
        for call in [
            r#"history_pk('app.p', '{"k": "A", "d": 3}')"#,
            r#"erase_pk('app.p', '{"k": "A", "d": 3}', 'asked for')"#,
            "show((SELECT max(xid) FROM pgtrack.log()))",
            "verify()",
        ] {
            session.run(&format!("SELECT * FROM pgtrack.{call}")).await;
        }
        session
            .check(
                "SELECT proname FROM pg_proc WHERE pronamespace = 'pgtrack_history'::regnamespace AND prosrc ~ '\\m[xy]\\.(citext|=)'",
                "",
            )
            .await;
        app.run("DROP TABLE app.p").await;
        session.run("SELECT pgtrack.release_type('y.citext')").await;
        farewell(&session, name).await;
    });
}

#[test]
fn a_column_of_history_becomes_of_no_type_that_was_not_meant() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE SCHEMA y; CREATE EXTENSION citext SCHEMA y; CREATE TABLE t (id text PRIMARY KEY, v text); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES ('a', 'b'); UPDATE t SET v = 'c'; CREATE SCHEMA x; GRANT USAGE ON SCHEMA x, y TO PUBLIC;
                 CREATE FUNCTION x.alarm() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'runs as %', current_user; END$$;
                 CREATE DOMAIN x.citext AS y.citext CHECK (x.alarm()); SET ROLE pgtrack_owner",
            )
            .await;
        let retype = "SELECT pgtrack._retype_history_column('pgtrack_history.t_1', 'id', 'y.citext'::regtype, 'x.citext', 'id')";
        for call in [
            "SELECT pgtrack._add_history_column('pgtrack_history.t_1', 'z', 'y.citext'::regtype, 'x.citext')",
            retype,
        ] {
            let error = session.error(call).await;
            assert!(
                error.starts_with(
                    "40001: the name of the type y.citext has got another meaning meanwhile"
                ),
                "{error}"
            );
        }
        session.run("DELETE FROM pgtrack_history.t_1").await;
        assert!(session.error(retype).await.starts_with("40001: "));
        session.run("RESET ROLE; DROP SCHEMA x CASCADE").await;
        // What is ours of the type goes with the last column of it.
        session.run("ALTER TABLE t ALTER id TYPE y.citext; INSERT INTO t VALUES ('Bob', 'x'); UPDATE t SET v = 'y' WHERE id OPERATOR(y.=) 'bob'::y.citext").await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 'BOB')", "2").await;
        session
            .check(
                "SELECT history_is_key, live_is_key, key_record FROM pgtrack.relation_shape",
                "pgtrack_history.equal_citext_1(h.id, k.id)|pgtrack_history.equal_citext_1(t.id, k.id)|id pgtrack_history.key_citext_1",
            )
            .await;
        session
            .run("DROP TABLE t; SELECT pgtrack.release_type('y.citext'); DROP EXTENSION citext")
            .await;
    });
}

#[test]
fn the_checks_of_a_domain_run_for_its_owner_alone() {
    on_outer_versions(async |session| {
        let name = "intruder_checks";
        let app = intruder(&session, name).await;
        app.run(
            "CREATE DOMAIN app.checked AS int CHECK (app.alarm()); CREATE DOMAIN app.positive AS int CHECK (value > 0); CREATE TYPE app.box AS (c app.checked);
             CREATE TABLE app.t (id int PRIMARY KEY, c app.checked, b app.box, cs app.checked[]); CREATE TABLE app.keyed (k app.box PRIMARY KEY, v int);
             CREATE TABLE app.fine (id int PRIMARY KEY, p app.positive)",
        )
        .await;
        session.run("SELECT pgtrack.tag('start')").await;
        app.run("INSERT INTO app.t VALUES (1, 1, '(1)', '{1}'); INSERT INTO app.keyed VALUES ('(1)', 1); INSERT INTO app.fine VALUES (1, 1)").await;
        session.run("SELECT pgtrack.tag('filled')").await;
        app.run("UPDATE app.t SET c = 2, b = '(2)', cs = '{2}'; UPDATE app.keyed SET k = '(2)'; UPDATE app.keyed SET v = 2; UPDATE app.fine SET p = 2").await;
        read_everything(&session, "app.t", r#"{"id": 1}"#).await;
        read_everything(&session, "app.keyed", r#"{"k": "(2)"}"#).await;
        let error = session.error("SELECT * FROM pgtrack.as_of(NULL::app.t, 'filled')").await;
        assert_eq!(
            error,
            "42501: rows of app.t cannot be made
DETAIL: To make values of the types of these columns runs code that belongs neither to a superuser nor to you: c, b, cs.
HINT: pgtrack.diff() and pgtrack.history() show the values as JSON: SELECT * FROM pgtrack.diff('app.t', 'a point')."
        );
        session.check("SELECT * FROM pgtrack.as_of(NULL::app.fine, 'filled')", "1|1").await;
        app.check("SELECT * FROM pgtrack.as_of(NULL::app.t, 'filled')", "1|1|(1)|{1}").await;
        app.check("SELECT * FROM pgtrack.as_of(NULL::app.keyed, 'filled')", "(1)|1").await;
        farewell(&session, name).await;
    });
}

/// PostgreSQL's own functions belong to a superuser, and some run the text that they are given.
#[test]
fn a_check_that_runs_a_text_runs_for_its_owner_alone() {
    on_outer_versions(async |session| {
        let name = "intruder_texts";
        let app = intruder(&session, name).await;
        app.run(
            "CREATE DOMAIN app.hidden AS text CHECK (query_to_xml('SELECT app.alarm()', true, true, '') IS NOT NULL);
             CREATE TYPE app.box AS (c app.hidden); CREATE TABLE app.keyed (k app.box PRIMARY KEY, v int);
             CREATE FUNCTION app.other(text, text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN app.alarm() IS NOT NULL; END';
             CREATE OPERATOR app.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq, NEGATOR = OPERATOR(app.!==));
             CREATE OPERATOR app.!== (LEFTARG = text, RIGHTARG = text, FUNCTION = app.other, NEGATOR = OPERATOR(app.===))",
        )
        .await;
        let checks = [
            // The planner calls the negator instead.
            "NOT (value OPERATOR(app.===) 'z')",
            "query_to_xml('SELECT app.alarm()', true, true, '') IS NOT NULL",
            "value::app.hidden <> ''",
            "schema_to_xml('app', true, true, '') IS NOT NULL",
            "cursor_to_xml('c', 1, true, true, '') IS NOT NULL",
            "ts_rewrite('a'::tsquery, 'SELECT app.alarm()') IS NOT NULL",
            "set_config('search_path', value, false) <> ''",
            "to_json(value) IS NOT NULL",
            "lo_create(0) > 0",
            "xmlforest(value AS \"} {CONST :consttype 25\") IS NOT NULL",
        ];
        for (number, check) in checks.iter().enumerate() {
            app.run(&format!(
                "CREATE DOMAIN app.d{number} AS text CHECK ({check}); CREATE TABLE app.t{number} (id int PRIMARY KEY, d app.d{number})"
            ))
            .await;
        }
        session.run("SELECT pgtrack.tag('start')").await;
        for (number, check) in checks.iter().enumerate() {
            let error = session
                .error(&format!("SELECT * FROM pgtrack.as_of(NULL::app.t{number}, 'start')"))
                .await;
            assert!(
                error.starts_with(&format!("42501: rows of app.t{number} cannot be made")),
                "{check}: {error}"
            );
        }
        app.run("INSERT INTO app.t0 VALUES (1, 'a'); INSERT INTO app.keyed VALUES ('(a)', 1)")
            .await;
        app.run("UPDATE app.t0 SET d = 'b'; UPDATE app.keyed SET v = 2").await;
        read_everything(&session, "app.t0", r#"{"id": 1}"#).await;
        read_everything(&session, "app.keyed", r#"{"k": "(a)"}"#).await;
        session.run("SELECT pgtrack.undo('app.keyed', '(a)')").await;
        session.check("SELECT * FROM app.keyed", "(a)|1").await;
        app.check("SELECT count(*) FROM pgtrack.as_of(NULL::app.keyed, 'start')", "0").await;
        session.run("SELECT pgtrack.erase('app.keyed', '(a)', 'asked for')").await;
        farewell(&session, name).await;
    });
}

#[test]
fn an_ordinary_check_or_index_of_somebody_elses_is_harmless() {
    on_outer_versions(async |session| {
        let name = "harmless_checks";
        session.run("CREATE EXTENSION IF NOT EXISTS citext").await;
        let app = intruder(&session, name).await;
        app.run(
            "CREATE TYPE app.e AS ENUM ('a', 'b'); CREATE TYPE app.pair AS (a int, b text);
             CREATE DOMAIN app.word AS text CHECK (value ~ '^[a-z]+$' AND length(value) < 10 AND lower(value) = value);
             CREATE DOMAIN app.code AS varchar(3) NOT NULL CHECK (value IN ('one', 'two') OR char_length(value) BETWEEN 1 AND 2);
             CREATE DOMAIN app.mail AS citext CHECK (value ~ '^.+@.+$' AND value <> 'x@y');
             CREATE DOMAIN app.born AS date CHECK (value <= CURRENT_DATE AND value > '1900-01-01');
             CREATE DOMAIN app.seen AS timestamptz CHECK (value <= now() AND extract(year FROM value) > 2000);
             CREATE DOMAIN app.price AS numeric CHECK (value = round(value, 2) AND value >= 0);
             CREATE DOMAIN app.words AS text[] CHECK (cardinality(value) < 5 AND array_position(value, NULL) IS NULL);
             CREATE DOMAIN app.ee AS app.e CHECK (value <> 'b');
             CREATE DOMAIN app.doc AS jsonb CHECK (jsonb_typeof(value) = 'object' AND (value ->> 'n')::int > 0);
             CREATE DOMAIN app.part AS int4range CHECK (NOT isempty(value) AND upper(value) < 10);
             CREATE DOMAIN app.whole AS app.pair CHECK ((value).a > 0 AND coalesce(nullif((value).b, ''), 'z') IS DISTINCT FROM 'q');
             CREATE TABLE app.t (id int PRIMARY KEY, w app.word, c app.code, m app.mail, b app.born, s app.seen, p app.price,
                                 ws app.words, e app.ee, j app.doc, r app.part, x app.whole)",
        )
        .await;
        app.run(
            "CREATE INDEX ON app.t (lower(w)); CREATE INDEX ON app.t ((j ->> 'n')) WHERE j ? 'n' AND c = 'one'; CREATE INDEX ON app.t (lower(m));
             CREATE INDEX ON app.t USING gin (to_tsvector('english', coalesce(w, '') || ' ' || c)); CREATE INDEX ON app.t (cardinality(ws));
             CREATE INDEX ON app.t (date_trunc('day', s AT TIME ZONE 'UTC')); CREATE STATISTICS app.s ON lower(c), (id + 1) FROM app.t",
        )
        .await;
        app.run(
            "INSERT INTO app.t VALUES (1, 'a', 'one', 'a@b', '2001-01-01', '2001-01-02', 1.5, '{a}', 'a', '{\"n\": 1}', '[1,3)', '(1,a)')",
        )
        .await;
        session.run("SELECT pgtrack.tag('start')").await;
        app.run("UPDATE app.t SET id = 2, w = 'b'").await;
        session
            .check(
                "SELECT id, w, c, m, b, p, ws, e, j, r, x FROM pgtrack.as_of(NULL::app.t, 'start')",
                "1|a|one|a@b|2001-01-01|1.5|{a}|a|{\"n\": 1}|[1,3)|(1,a)",
            )
            .await;
        session.check("SELECT problem FROM pgtrack.verify(false)", "").await;
        session.run("SELECT pgtrack.keep('app.t')").await;
        app.run("TRUNCATE app.t").await;
        session.check("SELECT operation, row_count FROM pgtrack.activity ORDER BY statement_id DESC LIMIT 1", "TRUNCATE|1").await;
        farewell(&session, name).await;
    });
}

#[test]
fn what_has_become_a_view_is_not_read() {
    on_outer_versions(async |session| {
        // PostgreSQL 16 makes no view of a table any more.
        if session.rows("SELECT current_setting('server_version_num')::int >= 160000").await == "t"
        {
            return;
        }
        let name = "intruder_views";
        let app = intruder(&session, name).await;
        app.run("CREATE TABLE app.t (id int)").await;
        session.run("SELECT pgtrack.tag('start')").await;
        app.run("DO $$DECLARE g name; BEGIN FOR g IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'app.t'::regclass LOOP
                   EXECUTE format('DROP TRIGGER %I ON app.t', g); END LOOP; END$$")
            .await;
        app.run("CREATE FUNCTION app.one() RETURNS int LANGUAGE plpgsql AS $$BEGIN PERFORM app.alarm(); RETURN 1; END$$").await;
        app.run("VACUUM app.t").await;
        app.run("CREATE RULE \"_RETURN\" AS ON SELECT TO app.t DO INSTEAD SELECT app.one() AS id")
            .await;
        for call in [
            "keep('app.t')",
            "changes('app.t')",
            "plan_revert_table('app.t', 'start')",
            "diff('app.t', 'start')",
        ] {
            let error = session.error(&format!("SELECT pgtrack.{call}")).await;
            assert!(!error.contains("code of"), "{call}: {error}");
        }
        let error = session.error("SELECT pgtrack.keep('app.t')").await;
        assert!(error.starts_with("42809: app.t is no table any more"), "{error}");
        farewell(&session, name).await;
    });
}

#[test]
fn what_is_recovered_is_filled_with_the_rights_of_its_owner() {
    on_outer_versions(async |session| {
        let name = "intruder_recover";
        let app = intruder(&session, name).await;
        session.run("SELECT pgtrack.untrack('app')").await;
        app.run(
            "CREATE FUNCTION app.back() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
               BEGIN EXECUTE 'RESET ROLE'; EXCEPTION WHEN insufficient_privilege THEN NULL; END; RETURN app.alarm(); END$$;
             CREATE FUNCTION app.fire() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM app.back(); RETURN NULL; END$$;
             CREATE FUNCTION app.two(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM app.back(); RETURN 2; END$$;
             CREATE DOMAIN app.checked AS int CHECK (app.back()); CREATE TYPE app.e AS ENUM ('a', 'b');
             CREATE TABLE app.parent (id int PRIMARY KEY); INSERT INTO app.parent VALUES (1);
             CREATE TABLE app.t (id int PRIMARY KEY REFERENCES app.parent, e app.e, c app.checked DEFAULT app.two(1) CHECK (app.back()),
                                 g int GENERATED ALWAYS AS (app.two(id)) STORED);
             CREATE INDEX t_two ON app.t (app.two(id))",
        )
        .await;
        // To copy the table would be to plan a query of it as the owner of pg_track.
        session.run("SELECT pgtrack.track('app.t')").await;
        let error = session.error("SELECT pgtrack.keep('app.t')").await;
        assert!(error.starts_with("42501: cannot read the rows of app.t"), "{error}");
        app.run("DROP INDEX app.t_two").await;
        app.run("INSERT INTO app.t VALUES (1, 'a', 5)").await;
        session
            .run("SELECT pgtrack.keep('app.t'); DROP TABLE app.t; SELECT pgtrack.recover('app.t')")
            .await;
        session.check("SELECT id, e, c, g, pg_get_userbyid(c.relowner) FROM app.t, pg_class c WHERE c.oid = 'app.t'::regclass", &format!("1|a|5|2|{name}")).await;
        app.run("CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON app.t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.fire(); ALTER TABLE app.t DROP COLUMN c").await;
        session.run("SELECT pgtrack.recover('app.t', 'c')").await;
        session.check("SELECT id, c FROM app.t", "1|5").await;
        session.check("SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE c.relname LIKE 't\\_kept%' AND a.grantee = 'intruder_recover'::regrole", "0").await;
        session.run("DROP TABLE app.t CASCADE").await;
        farewell(&session, name).await;
    });
}

/// What a domain's check does to a partition of a superuser's, while the table is recovered.
const ON_A_FOREIGN_PARTITION: [&str; 5] = [
    "ALTER TABLE app.p1 RENAME TO p1_old; CREATE VIEW app.p1 AS SELECT * FROM public.secret",
    "ALTER TABLE app.p1 RENAME TO p1_old; CREATE TABLE app.p1 (id int, k int, v text)",
    "CREATE RULE r AS ON INSERT TO app.p1 DO ALSO NOTHING",
    "CREATE INDEX ON app.p1 (app.two(id))",
    "CREATE POLICY y ON app.p1 USING (app.alarm())",
];

#[test]
fn what_has_taken_the_place_of_a_foreign_partition_is_not_given_to_its_owner() {
    on_outer_versions(async |session| {
        let name = "intruder_partition";
        let app = intruder(&session, name).await;
        session.run("SELECT pgtrack.untrack('app'); CREATE TABLE secret (id int, k int, v text); INSERT INTO secret VALUES (1, 1, 'x')").await;
        app.run(
            "CREATE FUNCTION app.two(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2';
             CREATE FUNCTION app.fired() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RETURN true; END$$;
             CREATE DOMAIN app.checked AS text CHECK (app.fired());
             CREATE TABLE app.p (id int, k int, v app.checked, PRIMARY KEY (id, k)) PARTITION BY LIST (k)",
        )
        .await;
        session
            .run(&format!(
                "CREATE TABLE app.p1 PARTITION OF app.p FOR VALUES IN (1); GRANT SELECT, UPDATE ON app.p1 TO {name};
                 INSERT INTO app.p VALUES (1, 1, 'a'); SELECT pgtrack.track('app.p'); SELECT pgtrack.keep('app.p'); DROP TABLE app.p"
            ))
            .await;
        for deed in ON_A_FOREIGN_PARTITION {
            // Once in a transaction.
            app.run(&format!(
                "CREATE OR REPLACE FUNCTION app.fired() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
                   IF current_setting('app.fired', true) IS DISTINCT FROM 'yes' THEN PERFORM set_config('app.fired', 'yes', true); {deed}; END IF;
                   RETURN true; END$$"
            ))
            .await;
            let error = session.error("SELECT pgtrack.recover('app.p')").await;
            assert!(
                error.starts_with("42501: app.p1 is not what was created again"),
                "{deed}: {error}"
            );
            session.check("SELECT to_regclass('app.p'), to_regclass('app.p1')", "~|~").await;
        }
        app.run("CREATE OR REPLACE FUNCTION app.fired() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RETURN true; END$$").await;
        session.run("SELECT pgtrack.recover('app.p')").await;
        session
            .check(
                "SELECT relname, relkind, relowner::regrole::text = current_user FROM pg_class WHERE oid IN ('app.p'::regclass, 'app.p1'::regclass) ORDER BY 1",
                "
            p|p|f
            p1|r|t",
            )
            .await;
        app.check("SELECT * FROM app.p1", "1|1|a").await;
        session.run("DROP TABLE app.p CASCADE").await;
        farewell(&session, name).await;
    });
}

/// A type whose values are numbers and texts by functions of its owner's.
const CAST: &str = "CREATE TYPE e AS ENUM ('1', '2', '3'); CREATE TABLE called (who text); GRANT INSERT ON called TO PUBLIC;
    CREATE FUNCTION as_number(e) RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO called VALUES (current_user); RETURN 7; END$$;
    CREATE FUNCTION as_json(e) RETURNS json LANGUAGE plpgsql AS $$BEGIN INSERT INTO called VALUES (current_user); RETURN '0'; END$$;
    CREATE CAST (e AS int) WITH FUNCTION as_number AS ASSIGNMENT; CREATE CAST (e AS json) WITH FUNCTION as_json";

#[test]
fn a_column_gets_another_type_while_history_is_read_and_no_cast_is_called() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 1)")
            .await;
        session.run(CAST).await;
        let reader = session.another().await;
        reader.run("BEGIN; SELECT count(*) FROM pgtrack_history.t_1").await;
        for column in ["id", "v"] {
            let error = session
                .error(&format!("SET lock_timeout = '100ms'; ALTER TABLE t ALTER {column} TYPE e USING {column}::text::e"))
                .await;
            assert!(error.starts_with("55P03"), "{error}");
        }
        reader.run("COMMIT").await;
        session
            .run("RESET lock_timeout; ALTER TABLE t ALTER id TYPE e USING id::text::e; ALTER TABLE t ALTER v TYPE e USING v::text::e")
            .await;
        session.run("UPDATE t SET id = '2', v = '3'").await;
        session.check("SELECT count(*) FROM called", "0").await;
        session
            .check(
                "SELECT op, after ->> 'v' FROM pgtrack.history('t', '2') ORDER BY ver DESC LIMIT 1",
                "UPDATE|3",
            )
            .await;
    });
}

#[test]
fn a_column_gets_another_type_unnoticed_and_no_cast_is_called() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 1)")
            .await;
        session.run(CAST).await;
        session.run("ALTER EVENT TRIGGER pgtrack_ddl DISABLE").await;
        session.run("ALTER TABLE t ALTER v TYPE e USING v::text::e").await;
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ").await;
        let error = session.error("UPDATE t SET v = '2'").await;
        assert!(
            error.starts_with("40001: the type of a column of public.t has changed unnoticed"),
            "{error}"
        );
        session.run("ROLLBACK; UPDATE t SET v = '2'").await;
        session.run("ALTER EVENT TRIGGER pgtrack_ddl ENABLE").await;
        session.check("SELECT count(*) FROM called", "0").await;
        session
            .check("SELECT ver, before ->> 'v', after ->> 'v' FROM pgtrack.history('t', 1) WHERE ver = 2", "2|1|2")
            .await;
    });
}

/// PostgreSQL runs what a check calls with constants already when it plans the check.
#[test]
fn the_check_of_a_domain_is_not_even_planned() {
    on_outer_versions(async |session| {
        let name = "planned_check";
        let intruder = intruder(&session, name).await;
        intruder
            .run(
                "CREATE FUNCTION app.i() RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$BEGIN PERFORM app.alarm(); RETURN true; END$$;
                 CREATE TYPE app.c AS (x int); CREATE TYPE app.e AS ENUM ('a', 'b');
                 CREATE DOMAIN app.d AS app.c CHECK (app.i()); CREATE DOMAIN app.dd AS app.d CHECK (app.i());
                 CREATE DOMAIN app.n AS numeric CHECK (app.i()); CREATE DOMAIN app.f AS float8 CHECK (app.i());
                 CREATE DOMAIN app.a AS int[] CHECK (app.i()); CREATE DOMAIN app.ac AS app.c[] CHECK (app.i());
                 CREATE DOMAIN app.r AS int4range CHECK (app.i()); CREATE DOMAIN app.de AS app.e CHECK (app.i());
                 CREATE TYPE app.cc AS (y app.d, z app.n);
                 CREATE TABLE app.t (id int PRIMARY KEY, d app.d, dd app.dd, n app.n, f app.f, a app.a, ac app.ac, r app.r, de app.de, cc app.cc, ds app.d[])",
            )
            .await;
        intruder
            .run(
                "INSERT INTO app.t VALUES (1, '(1)', '(1)', 1, 1, '{1}', '{\"(1)\"}', '[1,2)', 'a', '(\"(1)\",1)', '{\"(1)\"}'),
                                          (2, '(1)', '(1)', 1, 1, '{1}', '{\"(1)\"}', '[1,2)', 'a', '(\"(1)\",1)', '{\"(1)\"}')",
            )
            .await;
        session.run("SELECT pgtrack.tag('start')").await;
        let change = "SET d = '(2)', dd = '(2)', n = n + 5, f = f + 5, a = '{2}', ac = '{\"(2)\"}', r = '[1,3)', de = 'b', cc = '(\"(2)\",2)', ds = '{\"(2)\"}'";
        intruder.run(&format!("UPDATE app.t {change}")).await;
        intruder.run("UPDATE app.t SET n = n + 1, f = f + 1").await;
        intruder.run("DELETE FROM app.t WHERE id = 2").await;
        // In sessions that have not met the types yet.
        for call in [
            "plan_undo_transaction((SELECT xid FROM pgtrack.log() OFFSET 2 LIMIT 1), on_conflict => 'delta')",
            "plan_undo_transaction((SELECT xid FROM pgtrack.log() OFFSET 2 LIMIT 1), on_conflict => 'merge')",
            "undo_transaction((SELECT xid FROM pgtrack.log() OFFSET 2 LIMIT 1), on_conflict => 'delta')",
            "history('app.t', 1)",
        ] {
            let reader = session.another_as("postgres").await;
            reader.run(&format!("SELECT * FROM pgtrack.{call}")).await;
        }
        read_everything(&session.another_as("postgres").await, "app.t", "1").await;
        intruder.run("TRUNCATE app.t").await;
        farewell(&session, name).await;
    });
}
