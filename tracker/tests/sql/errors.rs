//! Bad input: what is wrong, why, and what to do.

use crate::support::on_each_version;

#[test]
fn case_70_every_mistake_is_answered_with_a_way_on() {
    on_each_version(async |session| {
        session.run(r#"CREATE SCHEMA shop; CREATE TABLE shop.users (id int PRIMARY KEY, v text); CREATE TABLE shop."Orders" (a int, b int, PRIMARY KEY (a, b));
                       CREATE TABLE shop.plain (v text); CREATE TABLE shop.untracked (id int PRIMARY KEY); CREATE VIEW shop.seen AS SELECT 1;
                       SELECT pgtrack.track('shop.users'); SELECT pgtrack.track('shop."Orders"'); SELECT pgtrack.track('shop.plain'); INSERT INTO shop.users VALUES (1)"#).await;
        for (sql, expected) in [
            ("SELECT pgtrack.undo('users', 1)", "42P01: table \"users\" does not exist
DETAIL: Names are looked up as in a query: through search_path, in lower case unless quoted.
HINT: Did you mean 'shop.users'?"),
            ("SELECT pgtrack.undo('Orders', 1, 'shop')", "42P01: table \"shop.Orders\" does not exist
DETAIL: Names are looked up as in a query: through search_path, in lower case unless quoted.
HINT: Did you mean 'shop.\"Orders\"'?"),
            ("SELECT pgtrack.history(NULL, 1)", "22004: the table must not be null"),
            ("SELECT pgtrack.history('shop.untracked', 1)", "55000: table shop.untracked is not tracked
HINT: Start with SELECT * FROM pgtrack.track('shop.untracked'). Only changes made after that have a history."),
            ("SELECT pgtrack.undo('shop.plain', 1)", "55000: table shop.plain has no primary key
DETAIL: Its changes are recorded, but a single row cannot be named.
HINT: Add one: ALTER TABLE shop.plain ADD PRIMARY KEY (...)."),
            ("SELECT pgtrack.undo('shop.users', 'abc')", "22023: the key \"abc\" does not fit table shop.users
DETAIL: Invalid input syntax for type integer: \"abc\".
HINT: The primary key is (id integer). Write it as '{\"id\": ...}', or as the value alone."),
            ("SELECT pgtrack.undo('shop.\"Orders\"', 1)", "22023: the key 1 does not fit table shop.\"Orders\"
DETAIL: It is one value, the key has 2 columns.
HINT: The primary key is (a integer, b integer). Write it as '{\"a\": ..., \"b\": ...}'."),
            ("SELECT pgtrack.undo_pk('shop.\"Orders\"', '{\"a\": 1}')", "22023: the key {\"a\": 1} does not fit table shop.\"Orders\"
DETAIL: It names the columns (a).
HINT: The primary key is (a integer, b integer). Write it as '{\"a\": ..., \"b\": ...}'."),
            ("SELECT pgtrack.undo('shop.users', NULL::int)", "22004: the key must not be null"),
            ("SELECT pgtrack.undo('shop.users', 5)", "P0002: no change of shop.users (id=5) is recorded
DETAIL: There is no such row, and none was deleted since tracking began.
HINT: SELECT * FROM pgtrack.changes('shop.users') shows which rows changed."),
            ("SELECT pgtrack.revert('shop.users', 1, 9)", "22023: shop.users (id=1) has no version 9
DETAIL: Its versions are 1 to 1; 0 is the row before the first recorded change."),
            ("SELECT pgtrack.restore('shop.users', 1)", "23505: shop.users (id=1) exists
DETAIL: Only a row that was deleted can be restored.
HINT: To bring back older values of an existing row, use pgtrack.revert()."),
            ("SELECT pgtrack.restore('shop.users', 5)", "P0002: no deletion of shop.users (id=5) is recorded
HINT: SELECT * FROM pgtrack.deleted('shop.users') shows the rows that can be restored."),
            ("SELECT pgtrack.undo_transaction(NULL)", "P0002: there is no such transaction: its number is null
HINT: SELECT * FROM pgtrack.log() shows the latest transactions."),
            ("SELECT pgtrack.undo_transactions(NULL)", "P0002: there is no such transaction: its number is null
HINT: SELECT * FROM pgtrack.log() shows the latest transactions."),
            ("SELECT pgtrack.log('users')", "42P01: table \"users\" does not exist
DETAIL: Names are looked up as in a query: through search_path, in lower case unless quoted.
HINT: Did you mean 'shop.users'?"),
            ("SELECT pgtrack.undo('shop.users', 1, on_conflict => 'ignore')", "22023: on_conflict must be error, force, skip, merge or delta, not 'ignore'
DETAIL: error: stop (the default). force: overwrite newer changes. skip: leave rows that changed since. merge: revert only the columns that nobody changed since. delta: also numbers that somebody did, by the difference."),
            ("SELECT pgtrack.rollback_to('shop.users', 1, NULL)", "22004: the point in time must not be null"),
            ("SELECT pgtrack.track('shop.seen')", "42809: cannot track shop.seen: it is a view; track the tables under it"),
            ("SELECT pgtrack.track('pg_catalog')", "42809: cannot track schema pg_catalog: it belongs to the system"),
            ("SELECT pgtrack.track('pgtrack')", "42809: cannot track schema pgtrack: it belongs to pg_track"),
            ("SELECT pgtrack.track('nowhere')", "42P01: table \"nowhere\" does not exist
DETAIL: Names are looked up as in a query: through search_path, in lower case unless quoted.
HINT: Write it as 'schema.table', or pass the schema as the argument \"schema\"."),
            ("SELECT pgtrack.track('shop.users', '{\"qery\": false}')", "22023: unknown option \"qery\"
HINT: The options and their defaults are {\"query\": true, \"redact\": [], \"exclude\": [], \"on_drop\": \"allow\", \"replica\": false}."),
            ("SELECT pgtrack.track('shop.users', '{\"query\": 1}')", "22023: option \"query\" must be a boolean, not 1"),
            ("SELECT pgtrack.untrack('shop.untracked')", "55000: table shop.untracked is not tracked
HINT: Start with SELECT * FROM pgtrack.track('shop.untracked'). Only changes made after that have a history."),
        ] {
            assert_eq!(session.error(sql).await, expected, "{sql}");
        }
        session.check("SELECT count(*) FROM pgtrack.history('shop.users', 5)", "0").await;
        session
            .check(
                "SELECT table_name, status FROM pgtrack.track('shop')",
                "
            shop.\"Orders\"|already tracked
            shop.plain|already tracked without a primary key: single rows cannot be reverted
            shop.seen|skipped: it is a view; track the tables under it
            shop.untracked|tracked
            shop.users|already tracked",
            )
            .await;
    });
}
