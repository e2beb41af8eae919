//! Tables that inherit from others: each has the history of its own rows.

use crate::support::on_each_version;

#[test]
fn case_24_a_child_row_changed_through_its_parent_is_recorded_with_all_its_columns() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE base (id int PRIMARY KEY, v text); SELECT pgtrack.track('base'); INSERT INTO base VALUES (1, 'p');
                 CREATE TABLE child (extra int, PRIMARY KEY (id)) INHERITS (base); SELECT pgtrack.track('child');
                 INSERT INTO child VALUES (2, 'k', 7); UPDATE base SET v = v || '+'; DELETE FROM base WHERE id = 2",
            )
            .await;
        session
            .check(
                "SELECT ver, op, before FROM pgtrack.history('child', 2)",
                r#"
            1|INSERT|~
            2|UPDATE|{"v": "k", "id": 2, "extra": 7}
            3|DELETE|{"v": "k+", "id": 2, "extra": 7}"#,
            )
            .await;
        session.run("SELECT pgtrack.restore('child', 2); SELECT pgtrack.undo('base', 1)").await;
        session.check("SELECT * FROM ONLY base", "1|p").await;
        session.check("SELECT * FROM child", "2|k+|7").await;
        session
            .run("SELECT pgtrack.revert_table('base', 'xid:' || min(xid)) FROM pgtrack.log()")
            .await;
        session.check("SELECT * FROM child", "2|k+|7").await;
    });
}

#[test]
fn keys_and_truncation_are_followed_row_by_row_too() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE base (id int PRIMARY KEY, v text); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (base);
                 SELECT pgtrack.track('public'); INSERT INTO child VALUES (1, 'a'), (2, 'b');
                 UPDATE base SET id = id + 1 WHERE id = 2; UPDATE base SET id = 2 WHERE id = 1; UPDATE base SET v = v || '!'; TRUNCATE base",
            )
            .await;
        session
            .check(
                "SELECT ver, op, before ->> 'id', before ->> 'v' FROM pgtrack.history('child', 2)",
                "
            ~|INSERT|~|~
            ~|UPDATE|2|b
            1|INSERT|~|~
            2|UPDATE|1|a
            3|UPDATE|2|a
            4|TRUNCATE|2|a!",
            )
            .await;
    });
}

#[test]
fn ddl_of_a_parent_is_followed_in_its_children() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE p (id int PRIMARY KEY, v int, w text); CREATE TABLE c (PRIMARY KEY (id)) INHERITS (p); CREATE TABLE g (PRIMARY KEY (id)) INHERITS (c);
                  SELECT pgtrack.track('public'); INSERT INTO g VALUES (1, 1, 'a'); INSERT INTO c VALUES (1, 1, 'a'); ALTER TABLE p RENAME id TO pid; ALTER TABLE p DROP COLUMN w")
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
        session.run("UPDATE p SET v = 2").await;
        for table in ["c", "g"] {
            session
                .check(
                    &format!("SELECT ver, op FROM pgtrack.history('{table}', 1)"),
                    "1|INSERT\n2|UPDATE",
                )
                .await;
            session.run(&format!("SELECT pgtrack.undo('{table}', 1)")).await;
        }
        session.check("SELECT pid, v FROM p", "1|1\n1|1").await;
        session.run("DROP TABLE g; DROP TABLE c; INSERT INTO p VALUES (9, 9)").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn a_trigger_may_make_the_first_child() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE m (id int PRIMARY KEY, day date);
                  CREATE FUNCTION route() RETURNS trigger LANGUAGE plpgsql AS $$DECLARE child text := 'm_' || to_char(NEW.day, 'YYYYMM'); BEGIN
                    IF to_regclass(child) IS NULL THEN EXECUTE format('CREATE TABLE %I (PRIMARY KEY (id)) INHERITS (m)', child); END IF;
                    EXECUTE format('INSERT INTO %I SELECT ($1).*', child) USING NEW; RETURN NULL; END$$;
                  CREATE TRIGGER route BEFORE INSERT ON m FOR EACH ROW EXECUTE FUNCTION route(); SELECT pgtrack.track('public');
                  INSERT INTO m VALUES (1, '2026-01-05'); INSERT INTO m VALUES (2, '2026-02-05')")
            .await;
        session
            .check(
                "SELECT table_name, operation, row_count FROM pgtrack.activity ORDER BY 1",
                "public.m_202601|INSERT|1\npublic.m_202602|INSERT|1",
            )
            .await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn a_deferrable_key_is_not_for_rows_that_are_recorded_one_by_one() {
    on_each_version(async |session| {
        session.run("CREATE TABLE p (id int PRIMARY KEY DEFERRABLE); CREATE TABLE c () INHERITS (p); CREATE TABLE t (id int PRIMARY KEY DEFERRABLE)").await;
        let error = session.error("SELECT pgtrack.track('p')").await;
        assert!(
            error.contains("takes part in inheritance, and its primary key is deferrable"),
            "{error}"
        );
        let error = session.error("SELECT pgtrack.track('t', '{\"replica\": true}')").await;
        assert!(error.starts_with("0A000: the option \"replica\" is not for public.t"), "{error}");
    });
}
