//! What records a call and says what is undone: the functions that are called, and nobody else.

use crate::support::{Session, on_outer_versions};

/// The verbs and a call of each, in an order in which they succeed.
const CALLS: [(&str, &str); 24] = [
    ("track", "SELECT pgtrack.track('t')"),
    ("tag", "SELECT pgtrack.tag('x')"),
    ("undo", "SELECT pgtrack.undo('t', 1)"),
    ("revert", "SELECT pgtrack.revert('t', 1, 1)"),
    ("rollback_to", "SELECT pgtrack.rollback_to('t', 3, now() - interval '1 hour')"),
    ("restore", "SELECT pgtrack.restore('t', 2)"),
    ("undo_last", "SELECT pgtrack.set_actor('nightly', true); SELECT pgtrack.undo_last('force')"),
    ("undo_transaction", "SELECT pgtrack.undo_transaction(xid, 'force') FROM pgtrack.log(1)"),
    (
        "undo_transactions",
        "SELECT pgtrack.undo_transactions(ARRAY[xid], 'force') FROM pgtrack.log(1)",
    ),
    (
        "undo_statements",
        "SELECT pgtrack.undo_statements(ARRAY[max(statement_id)], 'force') FROM pgtrack.statement",
    ),
    ("undo_where", "SELECT pgtrack.undo_where(application => 'nightly', on_conflict => 'force')"),
    (
        "undo_batch",
        "SELECT pgtrack.undo_batch(jsonb_build_object('xid', xid), '{}') FROM pgtrack.log(1)",
    ),
    ("revert_table", "SELECT pgtrack.revert_table('t', 'x')"),
    ("revert_schema", "SELECT pgtrack.revert_schema('public', 'x')"),
    ("keep", "SELECT pgtrack.keep('t')"),
    ("erase", "SELECT pgtrack.erase('t', 1, 'asked for')"),
    ("untag", "SELECT pgtrack.untag('x')"),
    ("purge", "SELECT pgtrack.purge('1 day')"),
    ("purge_audit", "SELECT pgtrack.purge_audit('1 day')"),
    ("release_type", "SELECT pgtrack.release_type('pg_catalog.int4')"),
    ("recover", "ALTER TABLE t DROP COLUMN v; SELECT pgtrack.recover('public.t', 'v')"),
    ("recover", "DROP TABLE t; SELECT pgtrack.recover('public.t')"),
    ("untrack", "SELECT pgtrack.untrack('t')"),
    ("undo_as_myself", "SELECT pgtrack.undo_as_myself()"),
];

#[test]
fn every_function_that_changes_something_leaves_one_record_however_it_is_called() {
    on_outer_versions(async |session| {
        // What changes nothing but settings of the session, does what the event trigger does, or grants as GRANT does.
        let others = "follow_ddl,grant_service,set_actor,set_message";
        let verbs = session
            .rows(&format!("SELECT DISTINCT regexp_replace(proname, '_pk$', '') FROM pg_proc
                            WHERE pronamespace = 'pgtrack'::regnamespace AND provolatile = 'v' AND proname !~ '^(_|plan_)'
                              AND prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype) AND proname <> ALL ('{{{others}}}') ORDER BY 1"))
            .await;
        let mut called: Vec<_> = CALLS.iter().map(|(verb, _)| *verb).collect();
        called.sort_unstable();
        called.dedup();
        assert_eq!(verbs, called.join("\n"), "each verb has to be called here");
        // The proxy records them, too.
        for verb in called {
            assert_eq!(pgtrack_tracker::calls::is_audited(verb), Some(verb));
        }

        // In the ways in which a call stack or a name can look otherwise.
        for (number, (before, after)) in [
            ("", ""),
            ("SET search_path = pgtrack, public; ", ""),
            ("SET quote_all_identifiers = on; ", ""),
            ("DO $do$BEGIN EXECUTE $sql$", "$sql$; END$do$"),
        ]
        .into_iter()
        .enumerate()
        {
            session.run("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t')").await;
            session.run(&format!("SET application_name = 'nightly{number}'; INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")).await;
            session.run("UPDATE pgtrack.statement SET at = at - interval '1 day'").await;
            session.run(&format!("SELECT pgtrack.set_actor('nightly{number}', true); UPDATE t SET v = 'w' WHERE id = 1")).await;
            session.run("UPDATE t SET v = 'x'").await;
            session.run("UPDATE t SET v = 'y'; DELETE FROM t WHERE id = 2; UPDATE pgtrack.relation SET tracked_since = tracked_since - interval '2 days'").await;
            for (verb, call) in CALLS {
                session.run("DELETE FROM pgtrack.audit_entry").await;
                let session_of_its_own = session.another().await;
                let call = call.replace("nightly", &format!("nightly{number}"));
                session_of_its_own.run(&format!("{before}{call}{after}")).await;
                session.check("SELECT verb FROM pgtrack.audit ORDER BY entry_id", verb).await;
            }
        }
    });
}

#[test]
fn b6_d5_nobody_else_records_a_call_whatever_the_call_stack_is_made_to_look_like() {
    on_outer_versions(async |session| {
        session.run("CREATE ROLE pretender LOGIN; CREATE SCHEMA pretended AUTHORIZATION pretender; CREATE TABLE pretended.t (id int PRIMARY KEY, v text);
                     ALTER TABLE pretended.t OWNER TO pretender; SELECT pgtrack.track('pretended.t');
                     INSERT INTO pretended.t VALUES (1, 'a'); UPDATE pretended.t SET v = 'b'; DELETE FROM pgtrack.audit_entry;
                     DO $$BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO pretender', current_database()); END$$").await;
        let pretender = session.another_as("pretender").await;
        pretender.run("SET search_path = pretended;
                       CREATE FUNCTION in_trigger() RETURNS trigger LANGUAGE plpgsql AS $$DECLARE v text; BEGIN v := pgtrack._begin_call('{}'); RETURN NEW; END$$;
                       CREATE FUNCTION inlined(text) RETURNS boolean LANGUAGE sql AS $$SELECT pgtrack._begin_call('{}') IS NOT NULL$$").await;
        for attempt in pretences() {
            let error = pretender.error(&attempt).await;
            assert!(
                error.starts_with("42501: calls are recorded by the functions that are called"),
                "{attempt}\n{error}"
            );
        }
        // Within an undo of one's own.
        for (defences, attempt) in [
            (
                "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION in_trigger()",
                "DROP TRIGGER x ON t",
            ),
            (
                "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW WHEN (pgtrack._begin_call('{}') IS NULL) EXECUTE FUNCTION in_trigger()",
                "DROP TRIGGER x ON t",
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT x CHECK (pgtrack._begin_call('{}') IS NULL) NOT VALID",
                "ALTER TABLE t DROP CONSTRAINT x",
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT x CHECK (inlined(v)) NOT VALID",
                "ALTER TABLE t DROP CONSTRAINT x",
            ),
            (
                "CREATE RULE x AS ON UPDATE TO t DO ALSO SELECT pgtrack._begin_call('{}')",
                "DROP RULE x ON t",
            ),
        ] {
            pretender.run(defences).await;
            let error = pretender.error("SELECT pgtrack.undo('t', 1)").await;
            let is_refused = error.starts_with("42501: calls are recorded by")
                || error.contains("cannot perform");
            assert!(is_refused || error.contains("rules"), "{defences}\n{error}");
            pretender.run(attempt).await;
        }
        session.check("SELECT count(*) FROM pgtrack.audit_entry", "0").await;
        session.run("DROP OWNED BY pretender; DROP ROLE pretender").await;
    });
}

/// Calls of what only verbs may call, by somebody who owns a schema and may make others.
fn pretences() -> Vec<String> {
    let frame =
        "PL/pgSQL function pgtrack._undo(regclass,jsonb,text,text,text[]) line 8 at assignment";
    let body = "LANGUAGE plpgsql AS $$DECLARE v text; BEGIN v := pgtrack._begin_call('{}', 'forged', 'xid:1'); RETURN v; END$$";
    let mut attempts = vec![
        "SELECT pgtrack._begin_call('{}', 'forged', 'xid:1')".to_owned(),
        "DO $$DECLARE v text; BEGIN v := pgtrack._begin_call('{}', 'forged', 'xid:1'); END$$".to_owned(),
        "BEGIN; DECLARE c CURSOR FOR SELECT pgtrack._begin_call('{}'); FETCH c".to_owned(),
        "ROLLBACK; PREPARE p AS SELECT pgtrack._begin_call($1); EXECUTE p ('{}')".to_owned(),
        format!("DO $do$BEGIN EXECUTE $$SELECT /*\n{frame}\n*/ pgtrack._begin_call('{{}}')$$; END$do$"),
        "SELECT inlined('')".to_owned(),
        "CREATE DOMAIN checked AS text CHECK (pgtrack._begin_call('{}') IS NOT NULL); SELECT 'x'::checked".to_owned(),
        "CREATE DOMAIN checked AS text CHECK (pgtrack._begin_call('{}') IS NOT NULL);
         CREATE FUNCTION by_domain() RETURNS text LANGUAGE plpgsql AS $$DECLARE v checked; BEGIN v := 'a'; RETURN v; END$$; SELECT by_domain()".to_owned(),
        "CREATE PROCEDURE undo() LANGUAGE plpgsql AS $$DECLARE v text; BEGIN v := pgtrack._begin_call('{}'); END$$; CALL undo()".to_owned(),
        "CREATE FUNCTION to_json_by_cast(pretended.t) RETURNS json LANGUAGE plpgsql AS $$DECLARE v text; BEGIN v := pgtrack._begin_call('{}'); RETURN 'null'; END$$;
         SELECT to_json_by_cast(t) FROM t".to_owned(),
    ];
    for (schema, name, arguments, values) in [
        ("xpgtrack", "_undo", "regclass,jsonb,text,text,text[]", "'t','{}','','','{}'"),
        ("pretended", "_undo", "regclass,jsonb,text,text,text[]", "'t','{}','','','{}'"),
        ("pretended", "undo", "", ""),
        ("pretended", "pgtrack._undo", "", ""),
        ("pretended", "pgtrack._undo()", "", ""),
        ("pretended", "x pgtrack._undo(", "", ""),
        ("pretended", "x\nPL/pgSQL function pgtrack._undo(", "", ""),
        ("pgtrack._undo(", "_undo", "", ""),
        ("x\nPL/pgSQL function pgtrack", "_undo", "", ""),
        ("pg\"\"track", "_undo", "", ""),
        ("PGTRACK", "_undo", "", ""),
        ("pretended", "_undo", "\"pgtrack._undo() line 8 at assignment\"", "NULL"),
        ("pretended", "_undo", "\"\nPL/pgSQL function pgtrack._undo() line\"", "NULL"),
    ] {
        let types: String = if arguments.starts_with('"') {
            format!("CREATE TYPE {arguments} AS ENUM ('a'); ")
        } else {
            String::new()
        };
        let schemas = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"; ");
        let function = format!("\"{schema}\".\"{name}\"");
        for body in
            [body, "LANGUAGE sql AS $$SELECT pgtrack._begin_call('{}', 'forged', 'xid:1')$$"]
        {
            attempts.push(format!(
                "{schemas}{types}CREATE FUNCTION {function}({arguments}) RETURNS text {body}; SELECT {function}({values})"
            ));
        }
    }
    attempts
}

#[test]
fn b6_what_a_change_reverts_is_what_a_verb_says_and_no_client_and_no_earlier_transaction() {
    on_outer_versions(async |session| {
        session.run("CREATE ROLE reverter LOGIN; CREATE TABLE t (id int PRIMARY KEY, v int); ALTER TABLE t OWNER TO reverter;
                     SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 1); UPDATE t SET v = 2").await;
        let reverter = session.another_as("reverter").await;
        reverter.run("SELECT pgtrack.undo('t', 1)").await;
        for (number, call) in
            ["NULL".to_owned(), "'0 xid:1'".to_owned(), format!("'0 xid:1 {}'", "0".repeat(64))]
                .into_iter()
                .enumerate()
        {
            reverter.run(&format!("SET pgtrack.reverts = {}; UPDATE t SET v = 10 + {number}; BEGIN; UPDATE t SET v = 20 + {number}; SELECT pgtrack._end_call({call}); COMMIT",
                                  call.replace("NULL", "''"))).await;
        }
        // It ends with the verb, and where that fails.
        reverter.run("RESET pgtrack.reverts; BEGIN; SELECT pgtrack.undo('t', 1); UPDATE t SET v = 30; COMMIT").await;
        reverter.run("DO $$BEGIN BEGIN PERFORM pgtrack.undo('t', 1); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; UPDATE t SET v = 40; END$$").await;
        session.check("SELECT count(*), count(reverts) FROM pgtrack.statement WHERE user_name = 'reverter'", "10|2").await;
        session.run("DROP OWNED BY reverter; DROP ROLE reverter").await;
    });
}

#[test]
fn an_undo_in_a_trigger_does_not_end_the_undo_around_it() {
    on_outer_versions(async |session: Session| {
        session.run("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, v int); SELECT pgtrack.track('public');
                     INSERT INTO a VALUES (1, 1), (2, 1); INSERT INTO b VALUES (1, 1); UPDATE b SET v = 2;
                     CREATE FUNCTION inner_undo() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pgtrack.undo('public.b', 1); RETURN NULL; END$$").await;
        session.run("UPDATE a SET v = 2").await;
        session
            .run(
                "CREATE TRIGGER a BEFORE UPDATE ON a EXECUTE FUNCTION inner_undo();
                     SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1, on_table => 'a')",
            )
            .await;
        session
            .check("SELECT r.table_name, s.reverts LIKE 'xid:%' FROM pgtrack.statement s JOIN pgtrack.relation r USING (relation_id) WHERE reverts IS NOT NULL ORDER BY 1", "
                a|t
                b|f")
            .await;
        session
            .check(
                "SELECT verb FROM pgtrack.audit WHERE verb LIKE 'undo%' ORDER BY 1",
                "
            undo
            undo_transaction",
            )
            .await;
    });
}
