//! `pgtrack.audit`: who called what. (What the proxy adds to it is tested with the proxy.)

use crate::support::on_outer_versions;

#[test]
fn every_changing_call_is_recorded_once_with_what_it_did() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t')").await;
        for sql in [
            "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
            "SELECT pgtrack.tag('x', 'before')",
            "UPDATE t SET v = 'c'",
            "SELECT pgtrack.undo('t', 1, message => 'oops')",
            "SELECT pgtrack.revert('t', 2, 1)",
            "DELETE FROM t WHERE id = 1",
            "SELECT pgtrack.restore('t', 1)",
            "SELECT pgtrack.undo_transaction(xid) FROM pgtrack.log(1)",
            "SELECT pgtrack.revert_table('t', 'x')",
            "SELECT pgtrack.undo_where(\"user\" => session_user, on_conflict => 'force')",
            "SELECT pgtrack.untag('x')",
            "SELECT pgtrack.keep('t')",
            "SELECT pgtrack.purge('1 day')",
            "SELECT pgtrack.untrack('t')",
        ] {
            session.run(sql).await;
        }
        session
            .check(
                "SELECT verb, outcome, message FROM pgtrack.audit ORDER BY entry_id",
                "
            track|done|~
            tag|done|before
            undo|done|oops
            revert|done|~
            restore|done|~
            undo_transaction|done|~
            revert_table|done|~
            undo_where|done|~
            untag|done|~
            keep|done|~
            purge|done|~
            untrack|done|~",
            )
            .await;
        session
            .check(
                "SELECT who, arguments, statement, through_proxy FROM pgtrack.audit WHERE verb = 'undo'",
                r#"postgres|{"key": {"id": 1}, "table": "public.t", "on_conflict": "error"}|SELECT pgtrack.undo('t', 1, message => 'oops')|f"#,
            )
            .await;
    });
}

#[test]
fn hidden_calls_are_recorded_too() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'").await;
        session.run("DO $$BEGIN PERFORM pgtrack.undo('t', 1); END$$").await;
        session.run("SET search_path = pgtrack, public; SELECT undo('t', 1)").await;
        session.run(r#"SELECT U&"\0070gtrack".undo('t', 1)"#).await;
        session.check("SELECT count(*) FROM pgtrack.audit WHERE verb = 'undo'", "3").await;
    });
}

#[test]
fn what_the_proxy_recorded_is_not_counted_again_and_nothing_else_is_left_out() {
    /// Of one session of the proxy: its records of calls (from, to, outcome), the database's own (when), what is shown.
    type Session<'a> = (&'a str, &'a [(u32, Option<u32>, &'a str)], &'a [u32], &'a str);
    let cases: [Session<'_>; 9] = [
        ("one call", &[(1, Some(3), "done")], &[2], "p1+d1"),
        (
            "two calls, one after the other",
            &[(1, Some(3), "done"), (4, Some(6), "done")],
            &[2, 5],
            "p1+d1 p2+d2",
        ),
        // SELECT pgtrack.tag('a'), query_to_xml('SELECT pgtrack.tag(…)', …)
        ("one call in the text, three in fact", &[(1, Some(5), "done")], &[2, 3, 4], "p1+d1 d2 d3"),
        (
            "two calls in a text",
            &[(1, Some(6), "done"), (2, Some(7), "done")],
            &[3, 4],
            "p1+d1 p2+d2",
        ),
        (
            "two calls in a text, the first answered before the second",
            &[(1, Some(4), "done"), (2, Some(7), "done")],
            &[3, 5],
            "p1+d1 p2+d2",
        ),
        (
            "two calls in a text, three in fact",
            &[(1, Some(5), "done"), (2, Some(8), "done")],
            &[3, 4, 6],
            "p1+d1 p2+d2 d3",
        ),
        (
            "a failed call, then another",
            &[(1, Some(2), "failed"), (3, Some(5), "done")],
            &[4],
            "p1 p2+d1",
        ),
        (
            "a denied call at the time of another",
            &[(1, Some(4), "done"), (2, Some(2), "denied")],
            &[3],
            "p1+d1 p2",
        ),
        (
            "a call of which the outcome is never known, then others",
            &[(1, None, "started"), (3, Some(5), "done")],
            &[4, 6],
            "p1 p2+d1 d2",
        ),
    ];
    on_outer_versions(async |session| {
        for (what, calls, records, expected) in cases {
            let time = |second: u32| {
                format!("'2026-01-01 00:00:00Z'::timestamptz + interval '{second} s'")
            };
            session.run("DELETE FROM pgtrack.audit_entry").await;
            for (number, (from, to, outcome)) in calls.iter().enumerate() {
                let number = number + 1;
                let to = to.map_or_else(|| "NULL".into(), time);
                session.run(&format!("INSERT INTO pgtrack.audit_entry (entry_id, source, verb, outcome, at, finished_at, session, call_number, actor, xid)
                                      VALUES ({number}, 'proxy', 'tag', '{outcome}', {}, {to}, 'abc', {number}, 'p{number}', NULL)", time(*from))).await;
            }
            for (number, at) in records.iter().enumerate() {
                let number = number + 1;
                session.run(&format!("INSERT INTO pgtrack.audit_entry (entry_id, verb, at, session, message) VALUES (10 + {number}, 'tag', {}, 'abc', 'd{number}')", time(*at))).await;
            }
            // Another session's record, one of another function, and one that came without the proxy are nobody's.
            session.run(&format!("INSERT INTO pgtrack.audit_entry (entry_id, verb, at, session, message) VALUES
                                    (21, 'tag', {at}, 'another', 'other'), (22, 'untag', {at}, 'abc', 'other'), (23, 'tag', {at}, NULL, 'other')", at = time(2))).await;
            let actual = session.rows("SELECT coalesce(string_agg(concat_ws('+', actor, message), ' ' ORDER BY entry_id), '') FROM pgtrack.audit WHERE message IS DISTINCT FROM 'other'").await;
            assert_eq!(actual, expected, "{what}");
            session.check("SELECT count(*) FROM pgtrack.audit WHERE message = 'other'", "3").await;
        }
    });
}

#[test]
fn old_calls_are_forgotten_by_the_owner_alone_and_that_is_on_record() {
    on_outer_versions(async |session| {
        session.run("CREATE ROLE forgetful LOGIN; SELECT pgtrack.tag('a'), pgtrack.tag('b');
                     UPDATE pgtrack.audit_entry SET at = at - interval '2 years' WHERE arguments ->> 'name' = 'a'").await;
        let other = session.another_as("forgetful").await;
        assert!(
            other
                .error("SELECT pgtrack.purge_audit('1 year')")
                .await
                .starts_with("42501: permission denied to purge")
        );
        assert!(
            session
                .error("SELECT pgtrack.purge_audit('-1 year')")
                .await
                .starts_with("22023: older_than must not be null or negative")
        );
        session.check("SELECT pgtrack.purge_audit('1 year')", "1").await;
        session
            .check(
                "SELECT verb, arguments FROM pgtrack.audit ORDER BY entry_id",
                r#"
                tag|{"name": "b"}
                purge_audit|{"older_than": "1 year"}"#,
            )
            .await;
        session.run("DROP ROLE forgetful").await;
    });
}

#[test]
fn a_reader_of_all_texts_reads_the_whole_audit_and_long_texts_are_cut() {
    on_outer_versions(async |session| {
        session.run("DO $$BEGIN CREATE ROLE pgtrack_reader NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END$$;
                     CREATE ROLE audit_reader LOGIN; GRANT pgtrack_reader TO audit_reader").await;
        session.run("SET pgtrack.actor = 'x'; SELECT set_config('pgtrack.actor', repeat('a', 5000), false), pgtrack.tag(repeat('n', 5000), repeat('m', 5000)) /* and much more */").await;
        let reader = session.another_as("audit_reader").await;
        reader
            .check("SELECT length(actor), length(message), length(arguments ->> 'name'), length(statement) <= 4000 FROM pgtrack.audit", "256|1000|1000|t")
            .await;
        session.run("DROP ROLE audit_reader").await;
    });
}

#[test]
fn nobody_speaks_for_others_in_the_audit_or_reads_about_them() {
    on_outer_versions(async |session| {
        session.run("CREATE ROLE eve LOGIN; CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t OWNER TO eve; SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'").await;
        let eve = session.another_as("eve").await;
        eve.run("SELECT pgtrack.undo('t', 1)").await;
        eve.check("SELECT who, verb FROM pgtrack.audit", "eve|undo").await;
        for forgery in [
            "INSERT INTO pgtrack.audit_entry (verb, user_name) VALUES ('undo', 'postgres')",
            "INSERT INTO pgtrack.audit_entry (verb, source) VALUES ('undo', 'proxy')",
            "UPDATE pgtrack.audit_entry SET verb = 'nothing'",
            "DELETE FROM pgtrack.audit_entry",
            "TRUNCATE pgtrack.audit_entry",
            "SELECT * FROM pgtrack.proxy_key",
            "INSERT INTO pgtrack.proxy_key (key) VALUES ('x')",
            "SELECT pgtrack._session_context()",
        ] {
            let error = eve.error(forgery).await;
            assert!(error.starts_with("42501: permission denied for "), "{forgery}: {error}");
        }
        session.check("SELECT count(*) FROM pgtrack.audit", "2").await;
        session.run("DROP OWNED BY eve; DROP ROLE eve").await;
    });
}

#[test]
fn code_of_others_reads_no_calls_of_whoever_runs_it() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE audit_maker LOGIN; CREATE ROLE audit_caller LOGIN; CREATE ROLE audit_group; GRANT audit_group TO audit_caller;
                 CREATE SCHEMA app; GRANT ALL ON SCHEMA app TO audit_maker; GRANT USAGE ON SCHEMA app TO audit_caller, audit_group;
                 CREATE TABLE mine (id int PRIMARY KEY, v text); GRANT SELECT, INSERT, UPDATE, DELETE ON mine TO audit_caller, audit_group;
                 CREATE TABLE app.t (id int PRIMARY KEY, v text); ALTER TABLE app.t OWNER TO audit_maker;
                 SELECT pgtrack.track('mine'), pgtrack.track('app.t'); INSERT INTO app.t VALUES (1, 'a')",
            )
            .await;
        let maker = session.another_as("audit_maker").await;
        maker
            .run(
                "CREATE TABLE app.seen (call text);
                 CREATE FUNCTION app.look() RETURNS trigger LANGUAGE plpgsql AS
                   $$BEGIN INSERT INTO app.seen SELECT a.message FROM pgtrack.audit_entry a; RETURN new; END$$;
                 CREATE FUNCTION app.hello() RETURNS void LANGUAGE sql SECURITY DEFINER AS
                   'INSERT INTO app.seen SELECT a.message FROM pgtrack.audit a'",
            )
            .await;
        let caller = session.another_as("audit_caller").await;
        caller.run("INSERT INTO mine VALUES (1, 'a'); UPDATE mine SET v = 'b'").await;
        caller.run("SELECT pgtrack.undo('mine', 1, message => 'secret')").await;
        caller.run("SELECT app.hello()").await;
        session.run("UPDATE app.t SET v = 'b'").await;
        maker.run("CREATE TRIGGER look BEFORE UPDATE ON app.t FOR EACH ROW EXECUTE FUNCTION app.look()").await;
        session.run("SELECT pgtrack.undo('app.t', 1, message => 'of the superuser')").await;
        session.check("SELECT v FROM app.t", "a").await;
        session.check("SELECT count(*) FROM app.seen", "0").await;

        // Who made a call reads it, under the role that it was made as, too.
        caller.check("SELECT verb, message FROM pgtrack.audit", "undo|secret").await;
        caller
            .run("SET ROLE audit_group; SELECT pgtrack.undo('mine', 1, message => 'as the group')")
            .await;
        caller.check("SELECT message FROM pgtrack.audit", "as the group").await;
        caller.run("RESET ROLE").await;
        caller.check("SELECT count(*) FROM pgtrack.audit", "2").await;
        maker.check("SELECT count(*) FROM pgtrack.audit", "0").await;
        session
            .run("DROP SCHEMA app CASCADE; DROP OWNED BY audit_maker, audit_caller, audit_group; DROP ROLE audit_maker, audit_caller, audit_group")
            .await;
    });
}

#[test]
fn a_claimed_address_counts_only_with_the_signature_for_this_very_connection() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO pgtrack.proxy_key (key) VALUES (decode(repeat('0b', 20), 'hex'))").await;
        // RFC 4231, test case 1.
        session
            .check(
                "SELECT encode(pgtrack._hmac(decode(repeat('0b', 20), 'hex'), 'Hi There'), 'hex')",
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            )
            .await;
        let forged = session.another().await;
        forged.run("SET pgtrack.ctx = '2 203.0.113.7 4711 0123456789abcdef0123456789abcdef 0 00'; INSERT INTO t VALUES (1, 'a')").await;
        let claimed = session
            .another_with(
                "-c pgtrack.ctx=2\\ 203.0.113.7\\ 4711\\ 0123456789abcdef0123456789abcdef",
            )
            .await;
        claimed.run("INSERT INTO t VALUES (2, 'b')").await;
        // A signature, but for the address of another connection.
        let moment =
            session.rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").await;
        let signature = session
            .rows(&format!("SELECT encode(pgtrack._hmac(key, convert_to('2 203.0.113.7 4711 0123456789abcdef0123456789abcdef {moment} ' || concat_ws(' ', coalesce(host(inet_client_addr()), '-'), inet_client_port()), 'UTF8')), 'hex') FROM pgtrack.proxy_key ORDER BY key_id DESC LIMIT 1"))
            .await;
        let copied = session.another_with(&format!("-c pgtrack.ctx=2\\ 203.0.113.7\\ 4711\\ 0123456789abcdef0123456789abcdef\\ {moment}\\ {signature}")).await;
        copied.run("INSERT INTO t VALUES (3, 'c')").await;
        session
            .check(
                "SELECT DISTINCT through_proxy, client_addr = '203.0.113.7' FROM pgtrack.activity",
                "f|f",
            )
            .await;
    });
}

#[test]
fn the_application_s_user_comes_from_a_setting_or_the_query_s_comment_beside_the_login() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t')").await;
        for (sql, expected) in [
            (
                "INSERT INTO t VALUES (1, 'a') /*user='J%C3%BCrgen%20%22O\\'Neil%22',route='%2Fcarts%2F%3Aid',controller='carts'*/",
                "Jürgen \"O'Neil\"|postgres|/carts/:id",
            ),
            ("/* who='nobody' */ UPDATE t SET v = '/*user=x*/' /*actor='ann'*/", "ann|postgres|~"),
            ("UPDATE t SET v = 'plain' /* user = ann */", "postgres|postgres|~"),
            ("UPDATE t SET v = 'broken' /*user='%FF',route='r'*/", "%FF|postgres|r"),
            (
                "SELECT pgtrack.set_actor('bob'); UPDATE t SET v = 'set' /*user='ann',route='r'*/",
                "bob|postgres|r",
            ),
        ] {
            session.run(sql).await;
            session.check("SELECT who, user_name, tags ->> 'route' FROM pgtrack.activity ORDER BY statement_id DESC LIMIT 1", expected).await;
        }
        session.check("SELECT count(*) FROM pgtrack.log(by_who => 'ann')", "1").await;
    });
}

#[test]
fn a_text_that_changes_a_redacted_column_is_not_kept_with_calls_either() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE pay (id int PRIMARY KEY, s text); CREATE TABLE o (id int PRIMARY KEY);
                 SELECT pgtrack.track('pay', '{\"redact\": [\"s\"]}'); SELECT pgtrack.track('o')",
            )
            .await;
        session.run("SELECT pgtrack.tag('before'); SELECT pgtrack.tag('before2'); INSERT INTO o VALUES (1); INSERT INTO pay VALUES (1, 'secret')").await;
        session.run("UPDATE pay SET s = 'secret2'; SELECT pgtrack.tag('after')").await;
        session.run("BEGIN").await;
        session.run("SELECT pgtrack.tag('other')").await;
        session.run("UPDATE pay SET s = 'secret3'").await;
        session.run("SELECT pgtrack.tag('another')").await;
        session.run("COMMIT").await;
        session
            .check(
                "SELECT arguments ->> 'name', statement FROM pgtrack.audit WHERE verb = 'tag' ORDER BY entry_id",
                "
            before|~
            before2|~
            after|~
            other|SELECT pgtrack.tag('other')
            another|SELECT pgtrack.tag('another')",
            )
            .await;
        session
            .check("SELECT count(*) FROM pgtrack.audit_entry WHERE statement LIKE '%secret%'", "0")
            .await;
        // What the proxy heard of the same call.
        session
            .run(
                "UPDATE pgtrack.audit_entry SET session = 's1' WHERE arguments ->> 'name' = 'before';
                 INSERT INTO pgtrack.audit_entry (source, at, finished_at, verb, arguments, statement, session, call_number)
                 SELECT 'proxy', e.at - interval '1 ms', e.at + interval '1 ms', 'tag', e.arguments, 'secret', 's1', 1
                 FROM pgtrack.audit_entry e WHERE e.session = 's1'",
            )
            .await;
        session
            .check("SELECT through_proxy, statement FROM pgtrack.audit WHERE arguments ->> 'name' = 'before'", "t|~")
            .await;
    });
}
