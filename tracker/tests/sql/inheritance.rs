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
            1|INSERT|~|~
            2|UPDATE|1|a
            3|UPDATE|2|a
            4|TRUNCATE|2|a!",
            )
            .await;
    });
}
