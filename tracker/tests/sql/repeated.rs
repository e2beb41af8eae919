//! A row that one statement changes more than once, by foreign keys that act.

use crate::support::on_each_version;

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

#[test]
fn what_is_updated_and_deleted_by_one_statement_was_updated_first() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE tenant (id int PRIMARY KEY);
                 CREATE TABLE customer (id int PRIMARY KEY, tenant int REFERENCES tenant ON DELETE CASCADE);
                 CREATE TABLE sale (id int PRIMARY KEY, customer int REFERENCES customer ON DELETE SET NULL, tenant int REFERENCES tenant ON DELETE CASCADE);
                 INSERT INTO tenant VALUES (1), (2); INSERT INTO customer VALUES (1, 1), (2, 2);
                 INSERT INTO sale VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1);
                 SELECT pgtrack.track('public'); SELECT pgtrack.tag('before'); CREATE TABLE copy AS TABLE sale",
            )
            .await;
        session.run("DELETE FROM tenant WHERE id = 1").await;
        session.check("SELECT id, customer, tenant FROM sale ORDER BY id", "2|~|2").await;
        session
            .check("SELECT * FROM pgtrack.as_of(NULL::sale, 'before') EXCEPT TABLE copy", "")
            .await;
        session.run("SELECT pgtrack.undo_transaction((SELECT xid FROM pgtrack.log(1)))").await;
        session.check("SELECT * FROM sale EXCEPT TABLE copy", "").await;
        session.check("SELECT count(*) FROM sale", "3").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}
