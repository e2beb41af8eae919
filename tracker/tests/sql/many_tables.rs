//! What DDL costs does not grow with the number of tables that are tracked, nor with the square of a table's columns.

use crate::support::{Session, on_outer_versions};

const DDL: [&str; 9] = [
    "ALTER TABLE t ADD COLUMN w int",
    "ALTER TABLE t DROP COLUMN v",
    "ALTER TABLE t ALTER COLUMN v TYPE varchar(9)",
    "CREATE TABLE n (id int PRIMARY KEY, v text)",
    "CREATE INDEX ON t (v)",
    "CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP TABLE t",
    "SELECT pgtrack.track('t', '{\"query\": false}')",
];

/// How many rows of catalogs and of `pg_track`'s tables have been read in this transaction.
const READ: &str = "SELECT sum(pg_stat_get_xact_tuples_returned(r) + pg_stat_get_xact_tuples_fetched(r)) FROM unnest(
    '{pg_class,pg_trigger,pg_depend,pg_attribute,pg_proc,pg_constraint,pg_index,pg_inherits,pgtrack.relation,pgtrack.generated,pgtrack.relation_column}'::regclass[]) r";

async fn rows_read(session: &Session, statement: &str) -> i64 {
    // Plans and caches are there then.
    session.run(&format!("BEGIN; {statement}; ROLLBACK; BEGIN")).await;
    let before: i64 = session.rows(READ).await.parse().expect("a number");
    session.run(statement).await;
    let after: i64 = session.rows(READ).await.parse().expect("a number");
    session.run("ROLLBACK").await;
    after - before
}

#[test]
fn ddl_reads_no_catalog_whole() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('public')")
            .await;
        let mut read = Vec::new();
        for (from, to) in [(1, 10), (11, 90)] {
            session
                .run(&format!(
                    "DO $$BEGIN FOR i IN {from} .. {to} LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, v text)', i); END LOOP; END$$"
                ))
                .await;
            for statement in DDL {
                read.push(rows_read(&session, statement).await);
            }
        }
        let (few, many) = read.split_at(DDL.len());
        for ((few, many), statement) in few.iter().zip(many).zip(DDL) {
            // Not one row more for each table.
            assert!(
                many - few < 80,
                "{statement}: {few} rows of catalogs, {many} with 80 more tables"
            );
        }
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

/// On a table of schema `wide`, with a trigger function of somebody else's.
const WIDE: [&str; 5] = [
    "SELECT pgtrack.track('wide.t')",
    "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM 1; RETURN NEW; END'",
    "ALTER SCHEMA wide RENAME TO wider",
    "ALTER TABLE wide.t ADD COLUMN w int",
    "ALTER TABLE wide.t ALTER COLUMN c1 TYPE text",
];

#[test]
fn ddl_reads_a_catalog_once_for_each_column() {
    on_outer_versions(async |session| {
        session
            .run("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'")
            .await;
        let mut read = Vec::new();
        for columns in [100, 400] {
            session
                .run(&format!(
                    "DO $$BEGIN EXECUTE (SELECT format('CREATE SCHEMA wide; CREATE TABLE wide.t (id int PRIMARY KEY, %s)',
                                                       string_agg(format('c%s int', i), ', ')) FROM generate_series(1, {columns}) i); END$$;
                     CREATE TRIGGER x BEFORE INSERT ON wide.t FOR EACH ROW EXECUTE FUNCTION touch()"
                ))
                .await;
            read.push(rows_read(&session, WIDE[0]).await);
            session.run(WIDE[0]).await;
            for statement in &WIDE[1..] {
                read.push(rows_read(&session, statement).await);
            }
            session.run("DROP SCHEMA wide CASCADE").await;
        }
        let (few, many) = read.split_at(WIDE.len());
        for ((few, many), statement) in few.iter().zip(many).zip(WIDE) {
            // Four times the columns: sixteen times the pairs of columns.
            assert!(
                *many < few * 6,
                "{statement}: {few} rows of catalogs with 100 columns, {many} with 400"
            );
        }
    });
}

#[test]
fn a_trigger_function_that_stays_as_it_is_makes_no_table_followed() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text);
                 CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                 CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION touch(); SELECT pgtrack.track('t')",
            )
            .await;
        // Whoever writes them anew gives them another xmin.
        let written = "SELECT string_agg(p.proname || p.xmin, ' ' ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace = 'pgtrack_history'::regnamespace";
        let before = session.rows(written).await;
        session
            .run(
                "CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v := 1; RETURN NEW; END';
                 COMMENT ON FUNCTION touch() IS 'x'; COMMENT ON SCHEMA public IS 'x'; COMMENT ON TABLE t IS 'x'",
            )
            .await;
        session.check(written, &before).await;
        // It may change the table now.
        session
            .run("CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE t SET v = 2 WHERE id = 0; RETURN NEW; END'")
            .await;
        session
            .check(
                "SELECT count(*) FROM pg_trigger t WHERE t.tgrelid = 't'::regclass AND t.tgname = 'pgtrack_open'",
                "1",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        // And what nobody noticed is followed with it.
        session
            .run(
                "ALTER EVENT TRIGGER pgtrack_ddl DISABLE; ALTER TABLE t ADD COLUMN w int; ALTER EVENT TRIGGER pgtrack_ddl ENABLE;
                 ALTER FUNCTION touch() COST 7",
            )
            .await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
    });
}

#[test]
fn an_index_is_made_on_a_table_that_has_changed_unnoticed() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text); SELECT pgtrack.track('public'); ALTER EVENT TRIGGER pgtrack_ddl DISABLE;
                 ALTER TABLE t ADD COLUMN w int; ALTER TABLE t RENAME TO u; ALTER EVENT TRIGGER pgtrack_ddl ENABLE",
            )
            .await;
        session
            .check(
                "SELECT problem FROM pgtrack.verify()",
                "the table has changed its shape unnoticed",
            )
            .await;
        session.run("CREATE INDEX ON u (w)").await;
        session.check("SELECT * FROM pgtrack.verify()", "").await;
        session.check("SELECT table_name FROM pgtrack.tracked_table", "public.u").await;
    });
}

#[test]
fn what_the_installation_does_not_compile_can_be_compiled() {
    on_outer_versions(async |session| {
        session
            .check(
                "SELECT count(v.done) > 300 FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
                 CROSS JOIN LATERAL (SELECT plpgsql_validator(p.oid)::text AS done) v
                 WHERE l.lanname = 'plpgsql' AND p.pronamespace = 'pgtrack'::regnamespace",
                "t",
            )
            .await;
    });
}
