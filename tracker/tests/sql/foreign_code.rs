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
