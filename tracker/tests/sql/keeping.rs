//! Keeping the rows of a table before it is dropped, and bringing it back.

use crate::support::on_each_version;

#[test]
fn case_51_a_dropped_table_comes_back_with_its_rows_and_its_history() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE parent (id int PRIMARY KEY);
                 INSERT INTO parent VALUES (1);
                 CREATE TABLE t (id serial PRIMARY KEY, v text NOT NULL DEFAULT 'x', w numeric(5,2) CHECK (w > 0), u text UNIQUE,
                                 p int DEFAULT 1 REFERENCES parent, twice numeric GENERATED ALWAYS AS (w * 2) STORED);
                 CREATE INDEX t_v ON t (v); SELECT pgtrack.track('t');
                 INSERT INTO t (v, w) VALUES ('a', 1), ('b', 2); UPDATE t SET v = v || '!' WHERE id = 1;
                 SELECT pgtrack.keep('t'); DROP TABLE t",
            )
            .await;
        let error = session.error("SELECT * FROM pgtrack.history('t', 1)").await;
        assert!(error.starts_with("42P01: table \"t\" does not exist"), "{error}");
        session
            .check(
                "SELECT regexp_replace(pgtrack.recover('t'), 'as of [^,]*', 'as of …')",
                "public.t: created again with 2 rows, as of …, and tracked",
            )
            .await;
        session
            .check(
                "SELECT id, v, w, p, twice FROM t ORDER BY id",
                "
            1|a!|1.00|1|2.00
            2|b|2.00|1|4.00",
            )
            .await;
        session.check("INSERT INTO t (w) VALUES (3) RETURNING id, v", "3|x").await;
        for wrong in [
            "INSERT INTO t (w) VALUES (-1)",
            "INSERT INTO t (p) VALUES (99)",
            "INSERT INTO t (id) VALUES (1)",
            "UPDATE t SET v = NULL",
        ] {
            session.error(wrong).await;
        }
        session.check("SELECT count(*) FROM pg_indexes WHERE tablename = 't'", "3").await;
        session
            .check(
                "SELECT ver, op, after ->> 'v' FROM pgtrack.history('t', 1)",
                "
            1|INSERT|a
            2|UPDATE|a!",
            )
            .await;
        session.run("SELECT pgtrack.undo('t', 1)").await;
        session.check("SELECT v FROM t WHERE id = 1", "a").await;
    });
}

#[test]
fn a_dropped_column_comes_back_with_its_values() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, v text, w numeric(5,2) DEFAULT 7); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 'a', 1.50), (2, 'b', 2); SELECT pgtrack.keep('t');
                 ALTER TABLE t DROP COLUMN w; INSERT INTO t VALUES (3, 'c'); UPDATE t SET v = 'later' WHERE id = 2; SELECT pgtrack.recover('t', 'w')",
            )
            .await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|a|1.50
            2|later|2.00
            3|c|7.00",
            )
            .await;
    });
}

#[test]
fn what_was_not_kept_cannot_come_back() {
    on_each_version(async |session| {
        session.run("CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('t'); SELECT pgtrack.keep('t')").await;
        let error = session.error("SELECT pgtrack.recover('t')").await;
        assert!(error.starts_with("42P07: table public.t exists"), "{error}");
        let error = session.error("SELECT pgtrack.recover('t', 'nope')").await;
        assert!(
            error.starts_with("42703: column \"nope\" of public.t cannot be recovered"),
            "{error}"
        );
        let error = session.error("SELECT pgtrack.recover('unknown')").await;
        assert!(error.starts_with("P0002: no rows of table \"unknown\" were kept"), "{error}");
        session.run("CREATE ROLE stranger LOGIN; GRANT SELECT ON t TO stranger").await;
        let stranger = session.another_as("stranger").await;
        let error = stranger.error("SELECT pgtrack.keep('t')").await;
        assert!(error.starts_with("42501: permission denied for function _keep"), "{error}");
        session.run("DROP OWNED BY stranger; DROP ROLE stranger").await;
    });
}
