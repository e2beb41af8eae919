//! Tables that change their shape while they are tracked.

use crate::support::on_each_version;

#[test]
fn case_43_columns_come_go_and_change_their_name_and_type_while_writes_go_on() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, a text, b text); SELECT pgtrack.track('t');
                     PREPARE touch AS UPDATE t SET a = a || '!'; INSERT INTO t VALUES (1, 'a', 'b'); EXECUTE touch").await;
        session.run("ALTER TABLE t ADD COLUMN c int DEFAULT 7; EXECUTE touch").await;
        session.run("ALTER TABLE t RENAME COLUMN a TO z; UPDATE t SET z = z || '?'").await;
        session.run("ALTER TABLE t DROP COLUMN b; UPDATE t SET c = 8").await;
        session
            .run("ALTER TABLE t ALTER COLUMN c TYPE text USING 'c' || c; UPDATE t SET c = 'c9'")
            .await;
        session
            .check(
                "SELECT ver, what, before, after FROM pgtrack.history('t', 1)",
                r#"
            1|~|~|{"b": "b", "z": "a", "id": 1}
            2|{z}|{"b": "b", "z": "a", "id": 1}|{"b": "b", "c": 7, "z": "a!", "id": 1}
            3|{z}|{"b": "b", "c": 7, "z": "a!", "id": 1}|{"b": "b", "c": 7, "z": "a!!", "id": 1}
            4|{b,z}|{"b": "b", "c": 7, "z": "a!!", "id": 1}|{"c": 7, "z": "a!!?", "id": 1}
            5|{c}|{"c": 7, "z": "a!!?", "id": 1}|{"c": "c8", "z": "a!!?", "id": 1}
            6|{c}|{"c": "c8", "z": "a!!?", "id": 1}|{"c": "c9", "z": "a!!?", "id": 1}"#,
            )
            .await;
        session.run("SELECT pgtrack.revert('t', 1, 2)").await;
        session.check("SELECT * FROM t", "1|a!|7").await;
        session.check("SELECT b_dropped, c_retyped FROM pgtrack_history.t_1 ORDER BY pgtrack_statement_id", "
            ~|~
            b|~
            b|7
            b|7
            ~|7
            ~|~
            ~|~").await;
    });
}

#[test]
fn case_49_a_key_column_can_be_retyped_renamed_and_dropped() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        session.run("ALTER TABLE t ALTER COLUMN id TYPE bigint; UPDATE t SET v = 'b'").await;
        session.run("ALTER TABLE t RENAME COLUMN id TO key; UPDATE t SET key = 5000000000").await;
        session
            .check(
                "SELECT ver, op, before ->> 'v', after FROM pgtrack.history('t', 5000000000)",
                r#"
            1|INSERT|~|{"v": "a", "key": 1}
            2|UPDATE|a|{"v": "b", "key": 1}
            3|UPDATE|b|{"v": "b", "key": 5000000000}"#,
            )
            .await;
        session.run("ALTER TABLE t DROP COLUMN key; UPDATE t SET v = 'c'").await;
        session
            .check("SELECT op, before FROM pgtrack.changes('t', 1)", r#"UPDATE|{"v": "b"}"#)
            .await;
        session.run("ALTER TABLE t ADD COLUMN id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY; UPDATE t SET v = 'd'").await;
        session
            .check(
                "SELECT ver, before, after FROM pgtrack.history('t', 1)",
                r#"1|{"v": "c", "id": 1}|{"v": "d", "id": 1}"#,
            )
            .await;
    });
}

#[test]
fn case_26_a_renamed_or_moved_table_keeps_its_history_and_a_new_one_of_its_name_does_not_get_it() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        session.run("CREATE SCHEMA archive; ALTER TABLE t RENAME TO old; ALTER TABLE old SET SCHEMA archive; UPDATE archive.old SET v = 'b'; TRUNCATE archive.old").await;
        session
            .check("SELECT count(*), min(table_name) FROM pgtrack.activity", "3|archive.old")
            .await;
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'new')").await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 1)", "1").await;
        session.check("SELECT count(*) FROM pgtrack.history('archive.old', 1)", "3").await;
    });
}

#[test]
fn a_dropped_table_leaves_its_history() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a'); UPDATE t SET v = 'b'; DROP TABLE t").await;
        session.check("SELECT count(*), min(table_name) FROM pgtrack.activity", "2|public.t").await;
        session
            .check(
                "SELECT v FROM pgtrack_history.t_1 ORDER BY pgtrack_statement_id",
                "
            ~
            a",
            )
            .await;
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'z')").await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 1)", "1").await;
    });
}

#[test]
fn somebody_without_rights_on_pg_track_may_alter_and_drop_their_table() {
    on_each_version(async |session| {
        session.run("CREATE ROLE owner_ddl LOGIN; CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO owner_ddl; SELECT pgtrack.track('t')").await;
        let owner = session.another_as("owner_ddl").await;
        owner.run("ALTER TABLE t ADD COLUMN v text; INSERT INTO t VALUES (1, 'a'); ALTER TABLE t ALTER COLUMN id TYPE bigint; UPDATE t SET v = 'b'").await;
        owner.check("SELECT ver, before ->> 'v' FROM pgtrack.history('t', 1)", "1|~\n2|a").await;
        owner.run("DROP TABLE t").await;
        session.run("DROP OWNED BY owner_ddl; DROP ROLE owner_ddl").await;
    });
}

#[test]
fn case_35_untrack_and_track_again_keep_the_history() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a')").await;
        session
            .check(
                "SELECT * FROM pgtrack.untrack('t')",
                "public.t|no longer tracked; its history stays",
            )
            .await;
        session.run("ALTER TABLE t ADD COLUMN w int; UPDATE t SET v = 'unseen'").await;
        session.check("SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass", "0").await;
        session
            .check(
                "SELECT * FROM pgtrack.track('t')",
                "public.t|tracked again; changes in between are not known",
            )
            .await;
        session.run("UPDATE t SET v = 'c'").await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 1)", "2").await;
    });
}

#[test]
fn a_script_that_drops_and_retypes_and_then_tracks_has_key_changes_recorded() {
    on_each_version(async |session| {
        session.run("DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v TYPE varchar; SELECT pgtrack.track('t');
                     CREATE TABLE u (id int PRIMARY KEY); SELECT pgtrack.track('u')").await;
        session.run("INSERT INTO t VALUES (1, 'a'); UPDATE t SET id = 2").await;
        session.check("SELECT max(ver) FROM pgtrack.history('t', 1)", "2").await;
    });
}

#[test]
fn a_key_is_retyped_in_a_function_and_through_the_type_of_a_typed_table() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE product (id int PRIMARY KEY, v text); SELECT pgtrack.track('product'); INSERT INTO product VALUES (1, 'a');
                  CREATE FUNCTION migrate() RETURNS void LANGUAGE plpgsql AS $$BEGIN EXECUTE 'ALTER TABLE product ALTER COLUMN id TYPE bigint'; END$$")
            .await;
        session.run("SELECT migrate()").await;
        session.check("SELECT ver, op FROM pgtrack.history('product', 1)", "1|INSERT").await;
        session.run("CREATE TYPE person_type AS (id int, name text); CREATE TABLE person OF person_type (PRIMARY KEY (id)); SELECT pgtrack.track('person'); INSERT INTO person VALUES (1, 'ann')").await;
        session.run("ALTER TYPE person_type ALTER ATTRIBUTE id TYPE bigint CASCADE; ALTER TYPE person_type ADD ATTRIBUTE age int CASCADE; UPDATE person SET age = 3").await;
        session
            .check("SELECT ver, op FROM pgtrack.history('person', 1)", "1|INSERT\n2|UPDATE")
            .await;
        session.run("UPDATE product SET id = 2").await;
        session
            .check("SELECT ver, op FROM pgtrack.history('product', 2)", "1|INSERT\n2|UPDATE")
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn a_table_without_columns_may_be_made() {
    on_each_version(async |session| {
        session
            .run("SELECT pgtrack.track('public'); CREATE TABLE nothing (); INSERT INTO nothing DEFAULT VALUES; DELETE FROM nothing; ALTER TABLE nothing ADD COLUMN id int PRIMARY KEY; INSERT INTO nothing VALUES (1)")
            .await;
        session
            .check(
                "SELECT operation, row_count FROM pgtrack.activity ORDER BY statement_id",
                "INSERT|1\nDELETE|1\nINSERT|1",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn tables_in_schemas_that_are_nobody_s_business_are_dropped_as_ever() {
    on_each_version(async |session| {
        session.run("CREATE SCHEMA closed; CREATE TABLE closed.x (id serial PRIMARY KEY, v int DEFAULT 1 CHECK (v > 0) UNIQUE)").await;
        session.run("ALTER TABLE closed.x DROP CONSTRAINT x_v_check; ALTER TABLE closed.x ALTER v DROP DEFAULT; DROP SEQUENCE closed.x_id_seq CASCADE").await;
        session.run("CREATE FUNCTION closed.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; CREATE TRIGGER f BEFORE INSERT ON closed.x FOR EACH ROW EXECUTE FUNCTION closed.f(); DROP TRIGGER f ON closed.x").await;
        session.run("CREATE TYPE closed.t AS ENUM ('a'); ALTER TABLE closed.x ADD t closed.t DEFAULT 'a'; DROP TYPE closed.t CASCADE; DROP TABLE closed.x").await;
    });
}

#[test]
fn a_key_may_have_a_collation_of_a_closed_schema() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE SCHEMA closed; CREATE COLLATION closed.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                 CREATE SCHEMA later; CREATE COLLATION later.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                 CREATE SCHEMA shop; CREATE TABLE shop.t (id text COLLATE closed.ci PRIMARY KEY)",
            )
            .await;
        session.check("SELECT * FROM pgtrack.track('shop')", "shop.t|tracked").await;
        session.run("CREATE TABLE shop.u (id text COLLATE later.ci PRIMARY KEY)").await;
        session.check("SELECT * FROM pgtrack.track('shop.u')", "shop.u|tracked").await;
        session.run("INSERT INTO shop.u VALUES ('Bob'); DELETE FROM shop.u WHERE id = 'bob'").await;
        session.check("SELECT op FROM pgtrack.changes('shop.u')", "DELETE\nINSERT").await;
    });
}
