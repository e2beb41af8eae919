//! Nobody reads through history what they may not, and no text that somebody wrote stops a reader.

use std::collections::BTreeSet;

use crate::support::{Session, on_outer_versions};

/// Lets history be read by those who may read its table; event triggers do it where there are some.
const RIGHTS: &str = "SELECT pgtrack._sync_rights(r) FROM pgtrack._relations_with_other_rights() r";

/// Two roles that see only their own rows of `notes`.
async fn two_tenants(session: &Session, prefix: &str) -> [Session; 2] {
    session
        .run(&format!(
            "CREATE ROLE {prefix}_first LOGIN; CREATE ROLE {prefix}_second LOGIN;
             CREATE TABLE notes (id int PRIMARY KEY, owner name DEFAULT current_user, secret text);
             ALTER TABLE notes ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON notes USING (owner = current_user);
             GRANT ALL ON notes TO {prefix}_first, {prefix}_second; SELECT pgtrack.track('notes')"
        ))
        .await;
    [
        session.another_as(&format!("{prefix}_first")).await,
        session.another_as(&format!("{prefix}_second")).await,
    ]
}

async fn drop_roles(session: &Session, roles: &[&str]) {
    for role in roles {
        session.run(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    }
}

#[test]
fn texts_and_messages_belong_to_the_role_that_ran_the_statement() {
    on_outer_versions(async |session| {
        let [first, second] = two_tenants(&session, "texts").await;
        second
            .run(
                "BEGIN; SELECT pgtrack.set_message('about s1'); SELECT pgtrack.set_actor('ada', true);
                 INSERT INTO notes (id, secret) VALUES (1, 's1') /*route='/s1'*/; COMMIT; UPDATE notes SET secret = 's2' /*actor='bob'*/",
            )
            .await;
        let texts = "SELECT who, query IS NULL, message IS NULL, tags IS NULL FROM pgtrack.activity ORDER BY statement_id";
        let mine = "
            ada|f|f|f
            bob|f|t|f";
        let not_mine = "
            ada|t|t|t
            bob|t|t|t";
        first.check(texts, not_mine).await;
        second.check(texts, mine).await;
        session.check(texts, mine).await;
        first
            .check("SELECT count(*), count(query), count(message) FROM pgtrack.log()", "2|0|0")
            .await;
        second
            .check("SELECT count(*), count(query), count(message) FROM pgtrack.log()", "2|2|1")
            .await;
        for closed in ["query", "message", "*"] {
            let error = first.error(&format!("SELECT {closed} FROM pgtrack.statement")).await;
            assert_eq!(error, "42501: permission denied for table statement");
        }
        first.check("SELECT count(*) FROM pgtrack.activity WHERE query LIKE '%s1%' OR message LIKE '%s1%'", "0").await;
        // A function in a condition sees no more than its caller.
        first
            .run(
                "CREATE FUNCTION pg_temp.tell(t text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
                 $$BEGIN IF t LIKE '%s1%' THEN RAISE EXCEPTION 'seen: %', t; END IF; RETURN true; END$$",
            )
            .await;
        first.check("SELECT count(*) FROM pgtrack.activity WHERE pg_temp.tell(query) AND pg_temp.tell(message) AND pg_temp.tell(tags::text)", "2").await;
        for right in ["texts_second", "pg_read_all_stats", "pgtrack_reader"] {
            session.run(&format!("GRANT {right} TO texts_first")).await;
            first.check(texts, mine).await;
            session.run(&format!("REVOKE {right} FROM texts_first")).await;
            first.check(texts, not_mine).await;
        }
        // What SET ROLE did is the role's, too.
        session.run("GRANT texts_first TO texts_second").await;
        second
            .run(
                "SET ROLE texts_first; INSERT INTO notes (id, secret) VALUES (5, 's5'); RESET ROLE",
            )
            .await;
        first.check("SELECT count(query) FROM pgtrack.activity", "1").await;
        first.check("SELECT ver, query IS NULL FROM pgtrack.history('notes', 5)", "1|f").await;
        drop_roles(&session, &["texts_first", "texts_second"]).await;
    });
}

#[test]
fn a_key_that_is_used_again_opens_nothing() {
    on_outer_versions(async |session| {
        let [first, second] = two_tenants(&session, "again").await;
        second
            .run(
                "INSERT INTO notes (id, secret) VALUES (1, 's1'), (3, 's3'), (5, 's5'); UPDATE notes SET secret = 's2' WHERE id = 1;
                 UPDATE notes SET id = 4 WHERE id = 3; DELETE FROM notes WHERE id IN (1, 5); TRUNCATE notes",
            )
            .await;
        let uses = [
            "INSERT INTO notes (id, secret) VALUES (1, 'x')",
            "INSERT INTO notes (id, secret) VALUES (9, 'x'); UPDATE notes SET id = 1 WHERE id = 9",
            "INSERT INTO notes (id, secret) VALUES (3, 'x'), (4, 'x'), (5, 'x'); UPDATE notes SET id = id + 10; UPDATE notes SET id = id - 9; DELETE FROM notes",
        ];
        let looks = [
            "SELECT h::text FROM pgtrack.history('notes', 1) h",
            "SELECT h::text FROM pgtrack.history('notes', 4) h",
            "SELECT c::text FROM pgtrack.changes('notes') c",
            "SELECT d::text FROM pgtrack.deleted('notes') d",
            "SELECT b::text FROM pgtrack.blame('notes', 1) b",
            "SELECT s::text FROM pgtrack.log(20) l, pgtrack.show(l.xid) s",
            "SELECT h::text FROM pgtrack_history.notes_1 h",
            "SELECT k::text FROM pgtrack.key_change k",
            "SELECT d::text FROM pgtrack.diff('notes', 'xid:' || (SELECT min(xid) FROM pgtrack.log())) d",
        ];
        for (end, uses) in [("ROLLBACK", &uses[..]), ("COMMIT", &uses[..])] {
            for one in uses {
                first.run(&format!("BEGIN; {one}")).await;
                for look in looks {
                    let text = first.rows(look).await;
                    for secret in ["s1", "s2", "s3", "s5", "again_second"] {
                        assert!(!text.contains(secret), "{one}\n{look}\n{text}");
                    }
                }
                // What is hers is seen.
                assert_ne!(first.rows("SELECT FROM pgtrack.changes('notes')").await, "~");
                first.run(end).await;
                first.run("DELETE FROM notes").await;
            }
        }
        first.check("SELECT count(*) FROM pgtrack.key_change WHERE new_key = '{\"id\": 4}' AND old_key = '{\"id\": 3}'", "0").await;
        second.check("SELECT count(*) FROM pgtrack.key_change", "1").await;
        second
            .check(
                "SELECT count(*) FROM pgtrack.changes('notes', 1000) WHERE before ->> 'secret' ~ '^s'",
                "5",
            )
            .await;
        drop_roles(&session, &["again_first", "again_second"]).await;
    });
}

#[test]
fn what_a_change_left_is_not_told_where_the_next_one_is_hidden() {
    on_outer_versions(async |session| {
        let [first, second] = two_tenants(&session, "between").await;
        first
            .run("INSERT INTO notes (id, secret) VALUES (1, 'a'); UPDATE notes SET secret = 'b'")
            .await;
        session
            .run("UPDATE notes SET owner = 'between_second'; UPDATE notes SET secret = 'hidden'")
            .await;
        second.run("UPDATE notes SET secret = 'hidden 2'").await;
        session.run("UPDATE notes SET owner = 'between_first', secret = 'c'").await;
        first.run("UPDATE notes SET secret = 'd'").await;
        let expected = "
            INSERT|~|a
            UPDATE|a|b
            UPDATE|b|~
            UPDATE|c|d";
        first.check("SELECT op, before ->> 'secret', after ->> 'secret' FROM pgtrack.history('notes', 1)", expected).await;
        first.check("SELECT op, before ->> 'secret', after ->> 'secret' FROM pgtrack.changes('notes') ORDER BY statement_id", expected).await;
        drop_roles(&session, &["between_first", "between_second"]).await;
    });
}

/// Policies on `{t}`, and the images of it that they show.
const POLICIES: [&str; 14] = [
    "CREATE POLICY p ON {t} USING (tenant = current_user)",
    "CREATE POLICY p ON {t} FOR SELECT USING (tenant = current_user); CREATE POLICY q ON {t} FOR SELECT USING (level <= 1)",
    "CREATE POLICY p ON {t} USING (true); CREATE POLICY q ON {t} AS RESTRICTIVE USING (level < 3); CREATE POLICY r ON {t} AS RESTRICTIVE FOR SELECT USING (team <> 2)",
    "CREATE POLICY p ON {t} AS RESTRICTIVE USING (true)",
    "CREATE POLICY p ON {t} TO images_a USING (level = 2); CREATE POLICY q ON {t} TO images_group USING (level = 0)",
    "CREATE POLICY p ON {t} USING (true); CREATE POLICY q ON {t} AS RESTRICTIVE TO images_b USING (team = 1)",
    "CREATE POLICY p ON {t} USING (EXISTS (SELECT FROM membership m WHERE m.role = current_user AND m.team = {t}.team))",
    "CREATE POLICY p ON {t} USING (team IN (SELECT m.team FROM membership m WHERE m.role = current_user) OR note IS NULL)",
    "CREATE POLICY p ON {t} USING (team = nullif(current_setting('images.team', true), '')::int)",
    "CREATE POLICY p ON {t} FOR UPDATE USING (true); CREATE POLICY q ON {t} FOR INSERT WITH CHECK (true); CREATE POLICY r ON {t} WITH CHECK (true)",
    "CREATE POLICY p ON {t} USING (mood = 'glad' OR mood < 'so so')",
    "CREATE POLICY p ON {t} USING (short = 'ab' AND 'x' = ANY (tags))",
    "CREATE POLICY p ON {t} USING (visible(level, tenant))",
    "SELECT",
];

#[test]
fn history_shows_a_role_exactly_the_images_that_the_table_s_policies_would_show() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE images_a LOGIN; CREATE ROLE images_b LOGIN; CREATE ROLE images_group; GRANT images_group TO images_b;
                 CREATE TYPE mood AS ENUM ('bad', 'so so', 'glad'); CREATE DOMAIN short AS varchar(2) NOT NULL CHECK (VALUE <> 'no');
                 CREATE TABLE docs (id int PRIMARY KEY, tenant name, team int, level int, mood mood, short short DEFAULT 'ab', tags text[], note text);
                 CREATE TABLE membership (role name, team int); INSERT INTO membership VALUES ('images_a', 1), ('images_a', 3), ('images_b', 2);
                 CREATE FUNCTION visible(level int, tenant name) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT level > 1 OR tenant = current_user$$;
                 GRANT SELECT ON docs, membership TO images_a, images_b; SELECT pgtrack.track('docs'); SELECT setseed(0.4);
                 CREATE FUNCTION any_row(id int) RETURNS docs LANGUAGE sql VOLATILE AS $$
                   SELECT ROW(id, (ARRAY['images_a', 'images_b', 'postgres', NULL])[1 + floor(4 * random())], floor(4 * random()), floor(4 * random()),
                              (ARRAY['bad', 'so so', 'glad'])[1 + floor(3 * random())], (ARRAY['ab', 'c'])[1 + floor(2 * random())],
                              (ARRAY['{x,y}', '{}', NULL])[1 + floor(3 * random())], (ARRAY['n', NULL])[1 + floor(2 * random())])::docs $$;
                 DO $$DECLARE x record; BEGIN
                   FOR i IN 1 .. 150 LOOP
                     x := any_row(1 + floor(12 * random())::int);
                     CASE floor(5 * random())
                       WHEN 0 THEN DELETE FROM docs WHERE id = x.id;
                       WHEN 1 THEN UPDATE docs SET id = id + 12 WHERE id = x.id AND NOT EXISTS (SELECT FROM docs d WHERE d.id = x.id + 12);
                       WHEN 2 THEN UPDATE docs SET (tenant, team, level, mood) = (x.tenant, x.team, x.level, x.mood) WHERE id % 12 = x.id % 12;
                       ELSE INSERT INTO docs SELECT x.* ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, team = excluded.team, note = excluded.note;
                     END CASE;
                   END LOOP; END$$;
                 CREATE TABLE images AS
                   SELECT h.pgtrack_statement_id AS statement_id, h.ctid AS handle, h.id AS entry, x.*
                   FROM pgtrack_history.docs_1 h JOIN pgtrack.statement s ON s.relation_id = 1 AND s.statement_id = h.pgtrack_statement_id
                   LEFT JOIN LATERAL (SELECT n.* FROM pgtrack_history.docs_1 n
                                      WHERE n.id = h.id AND (n.pgtrack_statement_id, n.ctid) > (h.pgtrack_statement_id, h.ctid)
                                      ORDER BY n.pgtrack_statement_id, n.ctid LIMIT 1) n ON true
                   CROSS JOIN LATERAL (
                     SELECT h.id, h.tenant, h.team, h.level, h.mood::mood, h.short, h.tags, h.note WHERE s.operation <> 'I'
                     UNION ALL SELECT n.id, n.tenant, n.team, n.level, n.mood::mood, n.short, n.tags, n.note WHERE s.operation = 'I' AND n.id IS NOT NULL
                     UNION ALL SELECT d.* FROM docs d WHERE s.operation = 'I' AND n.id IS NULL AND d.id = h.id) x;
                 ALTER TABLE docs ENABLE ROW LEVEL SECURITY; ALTER TABLE images ENABLE ROW LEVEL SECURITY; GRANT SELECT ON images TO images_a, images_b",
            )
            .await;
        let mut seen = BTreeSet::new();
        for policies in POLICIES {
            session
                .run(
                    "DO $$DECLARE p record; BEGIN FOR p IN SELECT polname, polrelid::regclass AS t FROM pg_policy WHERE polrelid IN ('docs'::regclass, 'images'::regclass)
                     LOOP EXECUTE format('DROP POLICY %I ON %s', p.polname, p.t); END LOOP; END$$",
                )
                .await;
            session.run(&policies.replace("{t}", "docs")).await;
            session.run(&policies.replace("{t}", "images")).await;
            for role in ["images_a", "images_b"] {
                let reader = session.another_as(role).await;
                reader.run("SET images.team = 3").await;
                let shown = reader
                    .rows("SELECT h.pgtrack_statement_id, h.ctid FROM pgtrack_history.docs_1 h ORDER BY 1, 2")
                    .await;
                let expected =
                    reader.rows("SELECT statement_id, handle FROM images ORDER BY 1, 2").await;
                assert_eq!(shown, expected, "{role}: {policies}");
                reader
                    .check(
                        "SELECT count(*) FROM pgtrack.changes('docs', 5) c WHERE NOT EXISTS (SELECT FROM images i WHERE i.statement_id = c.statement_id AND i.entry = (c.row_pk ->> 'id')::int)",
                        "0",
                    )
                    .await;
                seen.insert(shown);
            }
        }
        assert!(seen.len() > 15, "the policies show different images");
        drop_roles(&session, &["images_a", "images_b", "images_group"]).await;
    });
}

#[test]
fn what_an_image_does_not_say_shows_it_to_nobody() {
    on_outer_versions(async |session| {
        session
            .run(
                r#"CREATE ROLE unsaid LOGIN; CREATE TABLE t (id int PRIMARY KEY, v text, owner name); ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO unsaid;
                   CREATE POLICY p ON t USING (owner IS NULL OR owner = current_user); SELECT pgtrack.track('t', '{"exclude": ["owner"]}');
                   INSERT INTO t VALUES (1, 'secret', 'somebody'), (2, 'own', 'unsaid'); UPDATE t SET v = v || '!'"#,
            )
            .await;
        let reader = session.another_as("unsaid").await;
        reader.check("SELECT v FROM t", "own!").await;
        reader.check("SELECT count(*) FROM pgtrack_history.t_1 WHERE v IS NOT NULL", "0").await;
        // A column that came later.
        session.run("SELECT pgtrack.track('t'); UPDATE t SET v = v || '?'; ALTER TABLE t ADD COLUMN closed boolean; DROP POLICY p ON t;
                     CREATE POLICY p ON t USING (closed IS NOT TRUE); UPDATE t SET closed = true WHERE id = 1; UPDATE t SET v = v || '.'").await;
        session.run(RIGHTS).await;
        reader
            .check(
                "SELECT id, v FROM pgtrack_history.t_1 ORDER BY pgtrack_statement_id, id",
                "
            1|secret!?
            2|own!?",
            )
            .await;
        // A policy that takes the whole row.
        session.run("CREATE FUNCTION is_open(t) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT $1.v LIKE 'own%'$$; CREATE TABLE u (LIKE t INCLUDING ALL);
                     CREATE FUNCTION is_open(u) RETURNS boolean LANGUAGE sql STABLE AS $$SELECT $1.v LIKE 'own%'$$; ALTER TABLE u ENABLE ROW LEVEL SECURITY;
                     CREATE POLICY p ON u USING (is_open(u)); GRANT SELECT ON u TO unsaid; SELECT pgtrack.track('u');
                     INSERT INTO u VALUES (1, 'secret'), (2, 'own'); UPDATE u SET v = v || '!'").await;
        reader.check("SELECT row_pk, before ->> 'v', after ->> 'v' FROM pgtrack.changes('u') ORDER BY statement_id", r#"
            {"id": 2}|~|own
            {"id": 2}|own|own!"#).await;
        drop_roles(&session, &["unsaid"]).await;
    });
}

#[test]
fn a_policy_on_the_place_of_a_row_shows_no_image_that_may_have_been_elsewhere() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE places LOGIN; CREATE TABLE d (id int, kind text, v text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
                 CREATE TABLE d_pub PARTITION OF d FOR VALUES IN ('pub'); CREATE TABLE d_sec PARTITION OF d FOR VALUES IN ('sec');
                 CREATE TABLE plain (id int PRIMARY KEY, v text); CREATE TABLE parent (id int PRIMARY KEY, v text); CREATE TABLE child () INHERITS (parent);
                 SELECT pgtrack.track('d'), pgtrack.track('plain'), pgtrack.track('parent');
                 CREATE FUNCTION is_open(plain) RETURNS boolean LANGUAGE sql AS 'SELECT true';
                 GRANT SELECT ON d, plain, parent TO places; ALTER TABLE d ENABLE ROW LEVEL SECURITY; ALTER TABLE plain ENABLE ROW LEVEL SECURITY;
                 ALTER TABLE parent ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON d USING (tableoid <> 'd_sec'::regclass);
                 CREATE POLICY p ON plain USING (tableoid = 'plain'::regclass); CREATE POLICY p ON parent USING (tableoid <> 'child'::regclass);
                 INSERT INTO d VALUES (1, 'pub', 'a'), (2, 'sec', 'a'); UPDATE d SET v = 'b';
                 INSERT INTO plain VALUES (1, 'a'); UPDATE plain SET v = 'b'; INSERT INTO parent VALUES (1, 'a'); UPDATE parent SET v = 'b'",
            )
            .await;
        session.run(RIGHTS).await;
        let reader = session.another_as("places").await;
        let seen = "SELECT (SELECT count(*) FROM pgtrack.changes('d')), (SELECT count(*) FROM pgtrack.changes('plain')), (SELECT count(*) FROM pgtrack.changes('parent'))";
        reader.check("SELECT (SELECT count(*) FROM d), (SELECT count(*) FROM plain)", "1|1").await;
        reader.check(seen, "0|2|0").await;
        // No image has the others at all, nor has a row of the table's type.
        for condition in [
            "plain.ctid IS NOT NULL",
            "xmin IS NOT NULL",
            "EXISTS (SELECT FROM d WHERE plain.cmax IS NOT NULL)",
            "is_open(plain) AND tableoid = 'plain'::regclass",
        ] {
            session
                .run(&format!(
                    "DROP POLICY p ON plain; CREATE POLICY p ON plain USING ({condition})"
                ))
                .await;
            reader.check("SELECT count(*) FROM plain", "1").await;
            reader.check(seen, "0|0|0").await;
        }
        session.run("CREATE POLICY q ON plain USING (is_open(plain)); CREATE POLICY q ON d USING (kind = 'pub')").await;
        reader.check(seen, "2|2|0").await;
        drop_roles(&session, &["places"]).await;
    });
}

#[test]
fn only_who_may_read_a_table_has_a_right_on_its_history() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE grants_owner LOGIN; CREATE ROLE grants_reader LOGIN; CREATE ROLE grants_other LOGIN; CREATE TABLE t (id int PRIMARY KEY, v text);
                 ALTER TABLE t OWNER TO grants_owner; GRANT SELECT ON t TO grants_reader; SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')",
            )
            .await;
        let who = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^grants' AND has_table_privilege(oid, 'pgtrack_history.t_1', 'SELECT')";
        session.check(who, "grants_owner grants_reader").await;
        session.check("SELECT count(*) FROM pgtrack._relations_with_other_rights()", "0").await;
        // Nobody can hold a lock that the owner's DDL would wait for.
        let other = session.another_as("grants_other").await;
        let error = other.error("BEGIN; SELECT FROM pgtrack_history.t_1").await;
        assert_eq!(error, "42501: permission denied for table t_1");
        for (grant, expected) in [
            ("REVOKE SELECT ON t FROM grants_reader", "grants_owner"),
            ("GRANT SELECT ON t TO PUBLIC", "grants_other grants_owner grants_reader"),
            (
                "REVOKE SELECT ON t FROM PUBLIC; GRANT grants_owner TO grants_other",
                "grants_other grants_owner",
            ),
            (
                "REVOKE grants_owner FROM grants_other; GRANT SELECT (id) ON t TO grants_reader",
                "grants_owner",
            ),
            ("ALTER TABLE t OWNER TO grants_other", "grants_other"),
            ("REVOKE SELECT ON t FROM grants_other", "~"),
            ("GRANT SELECT ON t TO grants_other, grants_reader", "grants_other grants_reader"),
            ("GRANT SELECT ON pgtrack_history.t_1 TO grants_owner", "grants_other grants_reader"),
            ("DROP TABLE t", "~"),
        ] {
            session.run(grant).await;
            session.run(RIGHTS).await;
            session.check(who, expected).await;
            session.check("SELECT count(*) FROM pgtrack._relations_with_other_rights()", "0").await;
        }
        drop_roles(&session, &["grants_owner", "grants_reader", "grants_other"]).await;
    });
}

#[test]
fn a_text_that_a_redacted_column_is_in_is_stored_with_no_table() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE hiding LOGIN; CREATE TABLE pub (id int PRIMARY KEY, v text); CREATE TABLE salaries (id int PRIMARY KEY, v text, amount text);
                   GRANT ALL ON pub, salaries TO hiding; SELECT pgtrack.track('pub');
                   CREATE FUNCTION shown() RETURNS text LANGUAGE sql AS $$SELECT prosrc FROM pg_proc WHERE proname = 'record_update_1'$$",
            )
            .await;
        session.check("SELECT shown() ~ 'hidden_text'", "f").await;
        session.run(r#"SELECT pgtrack.track('salaries', '{"redact": ["amount"]}')"#).await;
        session.check("SELECT shown() ~ 'hidden_text'", "t").await;
        let writer = session.another_as("hiding").await;
        for text in [
            "INSERT INTO salaries VALUES (1, 'a', 'S3cret'); INSERT INTO pub VALUES (1, 'a')",
            "INSERT INTO pub VALUES (2, 'a'); INSERT INTO salaries VALUES (2, 'a', 'S3cret')",
            "WITH s AS (UPDATE salaries SET amount = 'S3cret' RETURNING id) UPDATE pub SET v = 'b' FROM s WHERE s.id = pub.id",
            "WITH p AS (UPDATE pub SET v = 'c' RETURNING id) UPDATE salaries SET amount = 'S3cret' FROM p WHERE p.id = salaries.id",
            "BEGIN; INSERT INTO salaries VALUES (3, 'a', 'S3cret'); COMMIT; INSERT INTO pub VALUES (3, 'a')",
            "DO $$BEGIN FOR i IN 1 .. 3 LOOP UPDATE pub SET v = 'S3cret'; UPDATE salaries SET amount = 'S3cret'; END LOOP; END$$",
            "DELETE FROM pub; TRUNCATE salaries /*S3cret*/",
        ] {
            writer.run(text).await;
            session
                .check("SELECT count(*) FROM pgtrack.statement WHERE query ~ 'S3cret'", "0")
                .await;
        }
        writer.run("INSERT INTO pub VALUES (9, 'plain')").await;
        writer
            .check(
                "SELECT query FROM pgtrack.activity ORDER BY statement_id DESC LIMIT 1",
                "INSERT INTO pub VALUES (9, 'plain')",
            )
            .await;
        // What is in the table from before is hidden when it is read, from everybody.
        writer.run("BEGIN; INSERT INTO salaries VALUES (7, 'a', 'x')").await;
        writer.run("UPDATE pub SET v = 'p'").await;
        writer.run("COMMIT").await;
        for reader in [&session, &writer] {
            reader.check("SELECT count(*) FILTER (WHERE query LIKE 'UPDATE pub%'), count(tags) FROM pgtrack.activity", "0|0").await;
        }
        // A reader of the other table alone does not see what the redacted one was part of either.
        session.run("REVOKE ALL ON salaries FROM hiding").await;
        writer
            .check(
                "SELECT count(*) FILTER (WHERE query LIKE 'UPDATE pub%') FROM pgtrack.activity",
                "0",
            )
            .await;
        session.run("SELECT pgtrack.track('salaries')").await;
        session.check("SELECT shown() ~ 'hidden_text'", "f").await;
        drop_roles(&session, &["hiding"]).await;
    });
}

#[test]
fn the_comment_of_a_query_is_read_in_one_pass() {
    on_outer_versions(async |session| {
        for (text, expected) in [
            (
                "UPDATE t /*controller='index',db%20driver='a%3Db',traceparent='00-5b-01'*/",
                r#"{"db driver": "a=b", "controller": "index", "traceparent": "00-5b-01"}"#,
            ),
            ("/* old='1' */ UPDATE t /*new='2'*/", r#"{"new": "2"}"#),
            (
                "UPDATE t /*a='it\\'s',b='%C3%A9 %e6%9c%ac',c=''*/",
                r#"{"a": "it's", "b": "é 本", "c": ""}"#,
            ),
            ("UPDATE t /*flag,a='1', bare , b='2'*/", r#"{"a": "1", "b": "2"}"#),
            (
                "UPDATE t /*a='100%',b='%zz',c='%ff',d='%00'*/",
                r#"{"a": "100%", "b": "%zz", "c": "%ff", "d": "%00"}"#,
            ),
            ("UPDATE t /* don't, but x='1' */", r#"{"x": "1"}"#),
            ("UPDATE t /*a='unfinished */", "~"),
            ("UPDATE t SET v = '/*a=''1''' || '*/'", r#"{"a": ""}"#),
            ("UPDATE t SET v = 'a'", "~"),
            ("*/ ='", "~"),
        ] {
            session.check(&format!("SELECT pgtrack._comment_tags($t${text}$t$)"), expected).await;
        }
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        for comment in [
            "a='".repeat(1260),
            format!("a='{}'", "%41".repeat(1260)),
            "a%41='%42',".repeat(340),
            "'".repeat(3800),
            "a='b\\'".repeat(600),
        ] {
            session.run(&format!("DO $do$BEGIN FOR i IN 1 .. 15 LOOP UPDATE t SET v = i /*{comment}*/; END LOOP; END$do$ /*{comment}*/")).await;
        }
        session.run("SET statement_timeout = '5s'").await;
        session.check("SELECT count(*) FROM pgtrack.activity WHERE who = 'postgres' AND tags IS DISTINCT FROM '{}'", "76").await;
        session.check("SELECT count(*) FROM pgtrack.log(50)", "6").await;
    });
}

#[test]
fn what_a_client_sets_is_bounded() {
    on_outer_versions(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t')").await;
        assert_eq!(
            session.error("SELECT pgtrack.set_actor(repeat('a', 257))").await,
            "22001: the actor is too long\nDETAIL: It has 257 characters; 256 is the most.\nHINT: Name what says more, such as a ticket."
        );
        let error = session.error("SELECT pgtrack.set_message(repeat('é', 1001))").await;
        assert!(error.starts_with("22001: the message is too long"), "{error}");
        session.run("SELECT pgtrack.set_actor(repeat('a', 256)); SELECT pgtrack.set_message(repeat('é', 1000), false); INSERT INTO t VALUES (1)").await;
        session
            .check("SELECT length(actor), length(message) FROM pgtrack.activity", "256|1000")
            .await;
        // The settings themselves are anybody's.
        session
            .run("SELECT set_config('pgtrack.actor', repeat('b', 5000000), false), set_config('pgtrack.message', repeat('m', 5000000), false); UPDATE t SET v = 1; DELETE FROM t")
            .await;
        session
            .check(
                "SELECT DISTINCT length(actor), length(message) FROM pgtrack.statement",
                "256|1000",
            )
            .await;
        // What an earlier version recorded.
        session.run("UPDATE pgtrack.statement SET message = repeat('m', 5000000), actor = repeat('b', 5000000), reverts = repeat('r', 5000000)").await;
        for list in
            ["pgtrack.activity", "pgtrack.log()", "pgtrack.changes('t')", "pgtrack.history('t', 1)"]
        {
            session.check(&format!("SELECT max(length(l::text)) < 12000 FROM {list} l"), "t").await;
        }
    });
}

#[test]
fn erasing_reaches_every_place_that_quotes_the_row() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id text PRIMARY KEY, name text); CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text); CREATE TABLE quiet (id int PRIMARY KEY);
                 SELECT pgtrack.track('t', '{\"query\": false}'); SELECT pgtrack.track('log'); SELECT pgtrack.track('quiet')",
            )
            .await;
        session.run("INSERT INTO t VALUES ('k-1', 'Jane Roe'), ('k-2', 'Other'); INSERT INTO log (what) VALUES ('made')").await;
        session.run("BEGIN; SELECT pgtrack.set_message('Jane asked'); UPDATE t SET name = 'Jane Doe' WHERE id = 'k-1'; INSERT INTO quiet VALUES (1); COMMIT").await;
        session.run("SELECT pgtrack.keep('t')").await;
        session.run("SELECT pgtrack.undo('t', 'k-1', message => 'Jane asked again')").await;
        session.run("WITH a AS (UPDATE t SET name = 'Jane Poe' WHERE id = 'k-1') UPDATE log SET what = 'changed'").await;
        session.run("UPDATE log SET what = 'not of it'").await;
        session.run("UPDATE t SET name = 'J.' WHERE id = 'k-1'").await;
        session
            .check(
                "SELECT pgtrack.erase('t', 'k-1', 'asked for it')",
                "public.t (id=k-1): the values of 5 recorded changes erased",
            )
            .await;
        for place in [
            "SELECT s::text FROM pgtrack.statement s",
            "SELECT h::text FROM pgtrack_history.t_1 h",
            "SELECT a::text FROM pgtrack.audit_entry a",
            "SELECT query_to_xml(format('SELECT * FROM pgtrack_history.%I', k.kept_table), true, false, '')::text FROM pgtrack.kept k",
        ] {
            let text = session.rows(place).await;
            assert!(!text.contains("Jane"), "{place}\n{text}");
        }
        session.check("SELECT verb, arguments ->> 'key', statement IS NULL, message FROM pgtrack.audit_entry WHERE arguments ? 'key' ORDER BY entry_id", "
            undo|[erased]|t|~
            erase|{\"id\": \"k-1\"}|f|asked for it").await;
        // What is not of the row stays.
        session.check("SELECT count(*) FROM pgtrack.activity WHERE query = 'UPDATE log SET what = ''not of it'''", "1").await;
        session.check("SELECT before ->> 'name' FROM pgtrack.history('t', 'k-2')", "~").await;
        session.check("SELECT count(*) FROM pgtrack.kept k, LATERAL query_to_xml(format('SELECT * FROM pgtrack_history.%I', k.kept_table), true, false, '') x WHERE x::text ~ 'Other'", "1").await;
    });
}

#[test]
fn erasing_spares_the_messages_of_calls_that_have_no_more_than_the_text_in_common() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text); SELECT pgtrack.track('a'), pgtrack.track('b');
                 INSERT INTO a VALUES (1, 'x'), (2, 'x'); INSERT INTO b VALUES (1, 'x'); UPDATE a SET v = 'y'; UPDATE b SET v = 'y'",
            )
            .await;
        for (table, key, message) in
            [("a", 1, "about it"), ("b", 1, "other table"), ("a", 2, "other row")]
        {
            session
                .run(&format!("SET our.target = '{table}'; SET our.key = '{key}'; SET our.message = '{message}'"))
                .await;
            session
                .run("SELECT pgtrack.undo(current_setting('our.target'), current_setting('our.key'), message => current_setting('our.message'))")
                .await;
        }
        // What the proxy records has messages among its arguments.
        session
            .run(
                r#"INSERT INTO pgtrack.audit_entry (source, verb, arguments, session, call_number) VALUES
                   ('proxy', 'undo', '{"1": "a", "2": 1, "message": "about it"}', 's', 1), ('proxy', 'revert', '{"1": "a", "2": "1", "3": 1, "6": "about it"}', 's', 2),
                   ('proxy', 'undo', '{"1": "b", "2": 1, "5": "other table"}', 's', 3)"#,
            )
            .await;
        session.run("SELECT pgtrack.erase('a', 1, 'asked for it')").await;
        session
            .check(
                "SELECT verb, coalesce(arguments ->> 'table', arguments ->> '1'), arguments ->> '5', statement IS NULL, message FROM pgtrack.audit_entry WHERE verb <> 'track' ORDER BY entry_id",
                "
            undo|public.a|~|t|~
            undo|public.b|~|t|other table
            undo|public.a|~|t|other row
            undo|a|~|t|~
            revert|a|~|t|~
            undo|b|other table|t|~
            erase|public.a|~|f|asked for it",
            )
            .await;
        session
            .check(
                "SELECT count(*) FROM pgtrack.audit_entry e WHERE e::text LIKE '%about it%'",
                "0",
            )
            .await;
    });
}

#[test]
fn what_was_purged_and_erased_is_told_to_those_who_see_every_row() {
    on_outer_versions(async |session| {
        let [first, second] = two_tenants(&session, "gone").await;
        second.run("INSERT INTO notes (id, secret) VALUES (1, 'a'); UPDATE notes SET secret = 'b'; UPDATE notes SET secret = 'c'").await;
        session.run("SELECT pgtrack.erase('notes', 1, 'a reason'); INSERT INTO pgtrack.purged_version VALUES (1, '{\"id\": 1}', 4);
                     UPDATE pgtrack.relation SET purged_until = clock_timestamp() - interval '1 hour'").await;
        second.run("UPDATE notes SET secret = 'd'; UPDATE notes SET secret = 'e'").await;
        for reader in [&first, &second] {
            reader.check("SELECT (SELECT count(*) FROM pgtrack.erasure), (SELECT count(*) FROM pgtrack.purged_version)", "0|0").await;
        }
        session.check("SELECT (SELECT count(*) FROM pgtrack.erasure), (SELECT count(*) FROM pgtrack.purged_version)", "1|1").await;
        // Version numbers go on all the same.
        second
            .check(
                "SELECT ver, before ->> 'secret' FROM pgtrack.history('notes', 1)",
                "
            5|c
            6|d",
            )
            .await;
        session.check("SELECT max(ver) FROM pgtrack.history('notes', 1)", "9").await;
        drop_roles(&session, &["gone_first", "gone_second"]).await;
    });
}

#[test]
fn a_new_key_is_shown_to_those_who_see_a_row_with_it() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE sees_own_keys LOGIN; CREATE TABLE t (id int PRIMARY KEY, own name, v text); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY own ON t USING (own = current_user); GRANT SELECT ON t TO sees_own_keys; SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'sees_own_keys', 'x'), (2, 'sees_own_keys', 'y');
                 UPDATE t SET id = 98, own = 'other' WHERE id = 1; UPDATE t SET id = 7 WHERE id = 2",
            )
            .await;
        let reader = session.another_as("sees_own_keys").await;
        reader
            .check("SELECT old_key ->> 'id', new_key ->> 'id' FROM pgtrack.key_change", "2|7")
            .await;
        reader.check("SELECT count(*) FROM pgtrack.history('t', 7)", "2").await;
        session.run("DROP OWNED BY sees_own_keys; DROP ROLE sees_own_keys").await;
    });
}
