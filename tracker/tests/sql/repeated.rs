//! A row that one statement changes more than once, by foreign keys that act.

use crate::support::{Session, on_each_version};

#[test]
fn a_row_that_refers_to_itself_is_renumbered() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE employee (id int PRIMARY KEY, manager int REFERENCES employee ON UPDATE CASCADE, name text);
                 INSERT INTO employee VALUES (1, 1, 'chief'), (2, 1, 'ann'); SELECT pgtrack.track('employee'); SELECT pgtrack.tag('before');
                 CREATE TABLE copy AS TABLE employee",
            )
            .await;
        session.run("UPDATE employee SET id = 100 WHERE id = 1").await;
        session
            .check(
                "SELECT ver, before ->> 'id', before ->> 'manager', after ->> 'id', after ->> 'manager' FROM pgtrack.history('employee', 100)",
                "
            1|1|1|100|1
            2|100|1|100|100",
            )
            .await;
        session
            .check("SELECT * FROM pgtrack.as_of(NULL::employee, 'before') EXCEPT TABLE copy", "")
            .await;
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session.check("TABLE employee EXCEPT TABLE copy", "").await;
    });
}

#[test]
fn both_parts_of_a_key_follow_one_renumbering() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE person (id int PRIMARY KEY, name text);
                 CREATE TABLE friend (a int REFERENCES person ON UPDATE CASCADE, b int REFERENCES person ON UPDATE CASCADE, PRIMARY KEY (a, b));
                 INSERT INTO person VALUES (1, 'ann'), (2, 'bob'); INSERT INTO friend VALUES (1, 2);
                 SELECT pgtrack.track('public'); SELECT pgtrack.tag('before')",
            )
            .await;
        session.run("UPDATE person SET id = id + 100").await;
        session
            .check(
                "SELECT op, before ->> 'a', before ->> 'b', after ->> 'a', after ->> 'b' FROM pgtrack.history('friend', '{\"a\": 101, \"b\": 102}')",
                "
            UPDATE|1|2|101|2
            UPDATE|101|2|101|102",
            )
            .await;
        session.check("SELECT * FROM pgtrack.as_of(NULL::friend, 'before')", "1|2").await;
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session.check("TABLE friend", "1|2").await;
        session.check("SELECT string_agg(id::text, ',' ORDER BY id) FROM person", "1,2").await;
    });
}

#[test]
fn the_order_of_two_changes_does_not_depend_on_free_space() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE a (id int PRIMARY KEY);
                 CREATE TABLE b (id int PRIMARY KEY, x int REFERENCES a ON UPDATE SET NULL, y int REFERENCES a ON UPDATE SET NULL, pad text);
                 INSERT INTO a VALUES (1); INSERT INTO b SELECT i, 1, 1, repeat('p', 20 + i % 200) FROM generate_series(1, 2000) i;
                 SELECT pgtrack.track('public')",
            )
            .await;
        // Free space between the images.
        session.run("UPDATE b SET pad = pad || 'q'").await;
        session.run("UPDATE b SET pad = pad || 'r' WHERE id % 3 = 0").await;
        session.run("SELECT pgtrack.purge('0 seconds')").await;
        session.run("UPDATE b SET pad = 'z' WHERE id % 7 = 0").await;
        session.run("VACUUM pgtrack_history.b_2").await;
        session.run("SELECT pgtrack.tag('before'); CREATE TABLE copy AS TABLE b").await;
        session.run("UPDATE a SET id = 5").await;
        session
            .check("SELECT count(*) FROM (SELECT * FROM pgtrack.as_of(NULL::b, 'before') EXCEPT TABLE copy) d", "0")
            .await;
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session.check("SELECT count(*) FROM (TABLE b EXCEPT TABLE copy) d", "0").await;
    });
}

/// Compares a table as it was with a copy, and undoes the latest transaction.
async fn goes_back(session: &Session, table: &str) {
    let differs = |source: &str| {
        format!(
            "(SELECT * FROM {source} EXCEPT TABLE copy) UNION ALL (TABLE copy EXCEPT SELECT * FROM {source})"
        )
    };
    session.check(&differs(&format!("pgtrack.as_of(NULL::{table}, 'before')")), "").await;
    session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
    session.check(&differs(table), "").await;
    session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
}

const JUNCTION: &str = "CREATE TABLE person (id int PRIMARY KEY);
    CREATE TABLE friend (a int REFERENCES person ON UPDATE CASCADE ON DELETE CASCADE,
                         b int REFERENCES person ON UPDATE CASCADE ON DELETE CASCADE, since int, PRIMARY KEY (a, b));
    INSERT INTO person SELECT generate_series(1, 5); INSERT INTO friend SELECT a, b, 0 FROM generate_series(1, 5) a, generate_series(1, 5) b;";

#[test]
fn rows_of_partitions_are_changed_twice_on_their_way_to_others() {
    on_each_version(async |session| {
        session.run(&JUNCTION.replace("PRIMARY KEY (a, b));", "PRIMARY KEY (a, b)) PARTITION BY RANGE (b);
            CREATE TABLE low PARTITION OF friend FOR VALUES FROM (MINVALUE) TO (50); CREATE TABLE high PARTITION OF friend DEFAULT;")).await;
        session
            .run("SELECT pgtrack.track('public'); SELECT pgtrack.tag('before'); CREATE TABLE copy AS TABLE friend")
            .await;
        session.run("UPDATE person SET id = id + 100 WHERE id < 3").await;
        session
            .check(
                "SELECT before ->> 'a', before ->> 'b', after ->> 'a', after ->> 'b' FROM pgtrack.history('friend', '{\"a\": 101, \"b\": 102}')",
                "
            1|2|101|2
            101|2|101|102",
            )
            .await;
        goes_back(&session, "friend").await;
    });
}

#[test]
fn what_a_statement_inserts_or_updates_itself_comes_before_what_foreign_keys_do() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE person (id int PRIMARY KEY);
                 CREATE TABLE pet (id int PRIMARY KEY, owner int REFERENCES person ON UPDATE CASCADE ON DELETE CASCADE, name text);
                 INSERT INTO person VALUES (1), (2); INSERT INTO pet VALUES (1, 1, 'rex'), (2, 2, 'tom');
                 SELECT pgtrack.track('public'); SELECT pgtrack.tag('before'); CREATE TABLE copy AS TABLE pet",
            )
            .await;
        session
            .run(
                "WITH came AS (INSERT INTO pet VALUES (3, 1, 'new')), named AS (UPDATE pet SET name = 'max', id = 10 WHERE id = 1)
                 UPDATE person SET id = 101 WHERE id = 1",
            )
            .await;
        session
            .check(
                "SELECT op, after ->> 'id', after ->> 'owner', after ->> 'name' FROM pgtrack.history('pet', 10)",
                "
            UPDATE|10|1|max
            UPDATE|10|101|max",
            )
            .await;
        session
            .check(
                "SELECT op, after ->> 'owner' FROM pgtrack.history('pet', 3)",
                "
            INSERT|1
            UPDATE|101",
            )
            .await;
        goes_back(&session, "pet").await;
    });
}

#[test]
fn a_foreign_key_that_comes_later_is_followed() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE person (id int PRIMARY KEY);
                 CREATE TABLE friend (a int REFERENCES person, b int REFERENCES person, PRIMARY KEY (a, b));
                 INSERT INTO person VALUES (1), (2); INSERT INTO friend VALUES (1, 2); SELECT pgtrack.track('public')",
            )
            .await;
        let looks = "SELECT prosrc ~ '_in_order' FROM pg_proc p JOIN pgtrack.relation r ON p.proname = 'record_update_' || r.relation_id
                     WHERE r.table_name = 'friend'";
        session.check(looks, "f").await;
        session
            .run(
                "ALTER TABLE friend DROP CONSTRAINT friend_a_fkey, DROP CONSTRAINT friend_b_fkey,
                   ADD FOREIGN KEY (a) REFERENCES person ON UPDATE CASCADE, ADD FOREIGN KEY (b) REFERENCES person ON UPDATE CASCADE;
                 CREATE TABLE copy AS TABLE friend",
            )
            .await;
        session.run("SELECT pgtrack.tag('before')").await;
        session.check(looks, "t").await;
        session.run("UPDATE person SET id = id + 100").await;
        goes_back(&session, "friend").await;
        session
            .run(
                "ALTER TABLE friend DROP CONSTRAINT friend_a_fkey, DROP CONSTRAINT friend_b_fkey,
                   ADD FOREIGN KEY (a) REFERENCES person, ADD FOREIGN KEY (b) REFERENCES person",
            )
            .await;
        session.check(looks, "f").await;
    });
}

#[test]
fn an_update_reads_no_more_of_the_statements_than_it_has_to() {
    on_each_version(async |session| {
        session.run(JUNCTION).await;
        session
            .run(
                "SELECT pgtrack.track('public'); INSERT INTO pgtrack.statement (statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name)
                 SELECT -g, '3', pg_current_snapshot(), now() - interval '1 day', r.relation_id, 'U', 1, 'x'
                 FROM generate_series(1, 20000) g, pgtrack.relation r; ANALYZE pgtrack.statement",
            )
            .await;
        session.run("SELECT pg_stat_force_next_flush()").await;
        let read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'pgtrack.statement'::regclass";
        session.run("BEGIN; DELETE FROM friend WHERE a = 1; UPDATE friend SET since = 1; UPDATE friend SET since = 2").await;
        session.check(&format!("SELECT ({read}) < 100"), "t").await;
        session.run("COMMIT").await;
    });
}

#[test]
fn what_foreign_keys_have_updated_is_told_before_what_they_have_deleted() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE person (id int PRIMARY KEY); INSERT INTO person SELECT generate_series(0, 5);
                 CREATE TABLE note (id int PRIMARY KEY, owner int REFERENCES person ON DELETE CASCADE,
                                    author int DEFAULT 0 REFERENCES person ON DELETE SET DEFAULT, reader int REFERENCES person ON DELETE SET NULL);
                 INSERT INTO note VALUES (1, 2, 1, 1), (2, 1, 2, 3), (3, 3, 1, 2), (4, 4, 4, 4), (5, 5, 1, 5);
                 SELECT pgtrack.track('public'); SELECT pgtrack.tag('before'); CREATE TABLE copy AS TABLE note",
            )
            .await;
        let goes_back = async || {
            session
                .check("SELECT * FROM pgtrack.as_of(NULL::note, 'before') EXCEPT TABLE copy", "")
                .await;
            session
                .check("TABLE copy EXCEPT SELECT * FROM pgtrack.as_of(NULL::note, 'before')", "")
                .await;
            session.check("SELECT * FROM pgtrack.verify()", "").await;
            session
                .run("SELECT pgtrack.undo_transaction((SELECT max(xid) FROM pgtrack.log(1)))")
                .await;
            session
                .check("(TABLE note EXCEPT TABLE copy) UNION (TABLE copy EXCEPT TABLE note)", "")
                .await;
        };
        session.run("DELETE FROM person WHERE id IN (1, 2, 3)").await;
        session
            .check(
                "SELECT op, what FROM pgtrack.history('note', 1) UNION ALL SELECT op, what FROM pgtrack.history('note', 2)",
                "
            UPDATE|{author}
            UPDATE|{reader}
            DELETE|~
            DELETE|~",
            )
            .await;
        goes_back().await;
        // What was deleted by itself before stays before, though another row gets its key since.
        session
            .run(
                "BEGIN; DELETE FROM note WHERE id = 4; DELETE FROM person WHERE id = 1; UPDATE note SET id = 4 WHERE id = 5;
                 UPDATE note SET owner = NULL WHERE id = 4; COMMIT",
            )
            .await;
        goes_back().await;
    });
}
