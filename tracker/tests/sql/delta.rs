//! `on_conflict => 'delta'`: numbers go back by the difference, so that what others have added or taken away since stays;
//! and what a plan says of rows that changed since.

use crate::support::{Session, on_each_version, on_outer_versions};

/// The latest transaction.
async fn last(session: &Session) -> String {
    session.rows("SELECT max(xid) FROM pgtrack.log(1)").await
}

/// What a plan says about each row: action, the row then, and what follows the words about who changed it since.
fn plan(xid: &str, way: &str) -> String {
    format!(
        "SELECT p.action, coalesce(p.after::text, '-'), regexp_replace(p.conflict, '^changed since by .*, transaction [0-9]+', '')
         FROM pgtrack.plan_undo_transaction({xid}, on_conflict => '{way}') p"
    )
}

fn undo(xid: &str, way: &str) -> String {
    format!("SELECT * FROM pgtrack.undo_transaction({xid}, on_conflict => '{way}')")
}

#[test]
fn a_later_withdrawal_stays() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, balance numeric(10,2), points int, note text, twice int GENERATED ALWAYS AS (points * 2) STORED);
                 SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 100, 10, 'a'), (2, 100, 10, 'a'), (3, 100, 10, 'a'), (4, 0, 0, 'a')",
            )
            .await;
        session.run("UPDATE t SET balance = balance + 50, points = points + 5, note = 'b'").await;
        let xid = last(&session).await;
        session
            .run(
                "UPDATE t SET balance = balance - 120.55 WHERE id = 1; UPDATE t SET note = 'c' WHERE id IN (1, 2);
                 UPDATE t SET balance = 0, points = 0, note = 'a' WHERE id = 4",
            )
            .await;
        session
            .check(
                &plan(&xid, "delta"),
                r#"
            update|{"id": 1, "note": "c", "twice": 30, "points": 10, "balance": -20.55}|; by the difference: balance, points; stays as it is: note
            update|{"id": 2, "note": "c", "twice": 30, "points": 10, "balance": 100.00}|; by the difference: balance, points; stays as it is: note
            update|{"id": 3, "note": "a", "twice": 20, "points": 10, "balance": 100.00}|~
            update|{"id": 4, "note": "a", "twice": 0, "points": -5, "balance": -50.00}|; by the difference: balance, points"#,
            )
            .await;
        session.check(&undo(&xid, "delta"), "public.t|0|4|0|0").await;
        let state = "SELECT * FROM t ORDER BY id";
        let undone = "
            1|-20.55|10|c|20
            2|100.00|10|c|20
            3|100.00|10|a|20
            4|-50.00|-5|a|-10";
        session.check(state, undone).await;
        // Whoever undoes it twice means it once.
        let undone_by = last(&session).await;
        session.check(&undo(&xid, "delta"), "public.t|0|0|0|2").await;
        session.check(state, undone).await;
        // Until the undo is undone.
        session.check(&undo(&undone_by, "delta"), "public.t|0|4|0|0").await;
        session
            .check(
                state,
                "
            1|29.45|15|c|30
            2|150.00|15|c|30
            3|150.00|15|b|30
            4|0.00|0|a|0",
            )
            .await;
        session.check(&undo(&xid, "delta"), "public.t|0|4|0|0").await;
        session.check(state, undone).await;
    });
}

#[test]
fn each_type_of_number_is_counted_exactly() {
    on_outer_versions(async |session| {
        for (data_type, first, add, then, expected) in [
            ("smallint", "5", "3", "v - 4", "1"),
            ("integer", "2147483000", "600", "-2147483000", "-2147483600"),
            ("bigint", "9223372036854775000", "800", "v - 1", "9223372036854774999"),
            ("numeric", "1.5", "1.00", "v - 7", "-5.50"),
            ("numeric(6,3)", "1.5", "0.125", "v * 2", "3.125"),
            ("real", "1.1", "0.5", "v - 1", "0.1"),
            ("double precision", "0.1", "0.25", "0.5", "0.25"),
            ("money", "10", "5", "v * 2", "$25.00"),
            ("interval", "'1 day'", "'1 mon -3 h'", "v + '1 h'", "1 day 01:00:00"),
        ] {
            session
                .run(&format!(
                    "CREATE TABLE t (id int PRIMARY KEY, v {data_type}); SELECT pgtrack.track('t');
                     INSERT INTO t VALUES (1, {first}), (2, {first})"
                ))
                .await;
            session.run(&format!("UPDATE t SET v = v + {add}::{data_type}")).await;
            let xid = last(&session).await;
            session.run(&format!("UPDATE t SET v = {then} WHERE id = 1")).await;
            // What a session prefers does not matter.
            session.run("SET extra_float_digits = -10; SET IntervalStyle = 'sql_standard'").await;
            session.check(&undo(&xid, "delta"), "public.t|0|2|0|0").await;
            session.run("RESET extra_float_digits; RESET IntervalStyle").await;
            session.check("SELECT v FROM t WHERE id = 1", expected).await;
            session
                .check(
                    &format!("SELECT v::text = ({first}::{data_type})::text FROM t WHERE id = 2"),
                    "t",
                )
                .await;
            session.run("DROP TABLE t").await;
        }
    });
}

#[test]
fn of_nothing_and_of_what_is_no_number_there_is_no_difference() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE t (id int PRIMARY KEY, n numeric, d float8, k int); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 1, 1, NULL), (2, 'NaN', 'Infinity', 5), (3, 1, 1, 1), (4, 1, 1, NULL)",
            )
            .await;
        session.run("UPDATE t SET n = n + 1, d = CASE id WHEN 2 THEN 7 ELSE d + 1 END, k = coalesce(k, 0) + 5").await;
        let xid = last(&session).await;
        session
            .run("UPDATE t SET k = k + 1, d = d + 1 WHERE id < 3; UPDATE t SET k = NULL, n = 'Infinity' WHERE id = 3; UPDATE t SET n = 3 WHERE id = 4")
            .await;
        session
            .check(
                &plan(&xid, "delta"),
                r#"
            update|{"d": 2, "k": 6, "n": 1, "id": 1}|; by the difference: n, d; stays as it is: k
            update|{"d": 8, "k": 6, "n": "NaN", "id": 2}|; by the difference: k; stays as it is: d
            update|{"d": 1, "k": null, "n": "Infinity", "id": 3}|; by the difference: d; stays as it is: n, k
            update|{"d": 1, "k": null, "n": 2, "id": 4}|; by the difference: n, d"#,
            )
            .await;
        session.check(&undo(&xid, "delta"), "public.t|0|4|0|0").await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|1|2|6
            2|NaN|8|6
            3|Infinity|1|~
            4|2|1|~",
            )
            .await;
    });
}

#[test]
fn what_would_be_out_of_range_or_against_a_check_is_refused() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE DOMAIN at_least_0 AS smallint CHECK (VALUE >= 0);
                 CREATE TABLE t (id int PRIMARY KEY, s smallint, n numeric(3,1), d at_least_0); SELECT pgtrack.track('t');
                 INSERT INTO t VALUES (1, 0, 0, 10), (2, 0, 0, 10)",
            )
            .await;
        session.run("UPDATE t SET s = s - 10, n = n - 50, d = d + 50").await;
        let xid = last(&session).await;
        session.run("UPDATE t SET s = 32760, n = 60, d = 20 WHERE id = 1").await;
        for call in [plan(&xid, "delta"), undo(&xid, "delta")] {
            let error = session.error(&call).await;
            let expected = "22003: column s of public.t cannot be set back by the difference: it would be out of range\n\
                            DETAIL: It is 32760 now, and of type smallint: ";
            assert!(error.starts_with(expected), "{error}");
        }
        let some = |columns: &str| {
            format!(
                "SELECT * FROM pgtrack.undo_transaction({xid}, on_conflict => 'delta', columns => '{{{columns}}}')"
            )
        };
        let error = session.error(&some("n")).await;
        assert!(
            error.starts_with("22003: column n of public.t cannot be set back by the difference"),
            "{error}"
        );
        // The application's own check, as for any statement.
        let error = session.error(&some("d")).await;
        assert!(
            error.starts_with("23514: value for domain at_least_0 violates check constraint"),
            "{error}"
        );
        session.run("UPDATE t SET d = 65 WHERE id = 1").await;
        session.check(&some("d"), "public.t|0|2|0|0").await;
        session
            .check(
                "SELECT * FROM t ORDER BY id",
                "
            1|32760|60.0|15
            2|-10|-50.0|10",
            )
            .await;
    });
}

#[test]
fn numbers_that_name_something_are_no_amounts() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE TABLE p (id int PRIMARY KEY, code int UNIQUE); INSERT INTO p SELECT i, i FROM generate_series(1, 20) i;
                 CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES p, code int REFERENCES p (code), i int GENERATED BY DEFAULT AS IDENTITY, a int);
                 SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 5, 5, 5, 5)",
            )
            .await;
        session.run("UPDATE t SET p = 7, code = 7, i = 7, a = 7").await;
        let xid = last(&session).await;
        session.run("UPDATE t SET p = 9, code = 9, i = 9, a = 9").await;
        session
            .check(
                &plan(&xid, "delta"),
                r#"update|{"a": 7, "i": 9, "p": 9, "id": 1, "code": 9}|; by the difference: a; stays as it is: p, code, i"#,
            )
            .await;
        session.check(&undo(&xid, "delta"), "public.t|0|1|0|0").await;
        session.check("SELECT * FROM t", "1|9|9|9|7").await;
    });
}

#[test]
fn rows_that_went_or_came_since_are_merged_and_the_plan_says_why_one_stays() {
    on_outer_versions(async |session| {
        for way in ["delta", "merge"] {
            session
                .run("CREATE TABLE t (id int PRIMARY KEY, v int, w int); SELECT pgtrack.track('t'); INSERT INTO t SELECT i, 10, 1 FROM generate_series(1, 4) i")
                .await;
            session
                .run("BEGIN; UPDATE t SET v = v + 5, w = 2 WHERE id < 4; DELETE FROM t WHERE id = 4; INSERT INTO t VALUES (6, 1, 1); COMMIT")
                .await;
            let xid = last(&session).await;
            session
                .run(
                    "DELETE FROM t WHERE id < 3; INSERT INTO t VALUES (2, 100, 2), (4, 1, 1); UPDATE t SET v = 2 WHERE id = 6;
                     UPDATE t SET v = v + 1, w = 3 WHERE id = 3",
                )
                .await;
            let third = if way == "delta" {
                r#"update|{"v": 11, "w": 2, "id": 3}|; by the difference: v, w"#
            } else {
                r#"nothing|{"v": 16, "w": 3, "id": 3}|; stays as it is: v, w; nothing is left to set back"#
            };
            session
                .check(
                    &plan(&xid, way),
                    &format!(
                        r#"
                nothing|-|; the row stays as it is, it has been deleted since
                update|{{"v": 100, "w": 1, "id": 2}}|; stays as it is: v
                {third}
                nothing|{{"v": 1, "w": 1, "id": 4}}|; the row stays as it is, it has been inserted again since
                nothing|{{"v": 2, "w": 1, "id": 6}}|; the row stays as it is, what is undone inserted it"#
                    ),
                )
                .await;
            let (counts, third) =
                if way == "delta" { ("0|2|0|3", "3|11|2") } else { ("0|1|0|4", "3|16|3") };
            session.check(&undo(&xid, way), &format!("public.t|{counts}")).await;
            session
                .check(
                    "SELECT * FROM t ORDER BY id",
                    &format!(
                        "
                2|100|1
                {third}
                4|1|1
                6|2|1"
                    ),
                )
                .await;
            session.run("DROP TABLE t").await;
        }
    });
}

#[test]
fn a_row_of_which_nothing_is_left_is_not_written() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v text, w text); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 'a', 'a'), (2, 'a', 'a')")
            .await;
        session.run("UPDATE t SET v = 'b'").await;
        let xid = last(&session).await;
        session.run("UPDATE t SET v = 'c' WHERE id = 1; UPDATE t SET w = 'c' WHERE id = 2").await;
        session
            .check(
                &plan(&xid, "merge"),
                r#"
            nothing|{"v": "c", "w": "a", "id": 1}|; stays as it is: v; nothing is left to set back
            update|{"v": "a", "w": "c", "id": 2}|"#,
            )
            .await;
        session
            .check(
                &format!("SELECT action, row_count, conflicts FROM pgtrack.plan_outline('{{\"xid\": {xid}}}', on_conflict => 'merge') WHERE row_pk IS NULL ORDER BY 1"),
                "
            nothing|1|1
            update|1|1",
            )
            .await;
        session
            .check(
                &format!(
                    "SELECT action FROM pgtrack.plan_undo_transaction({xid}, on_conflict => 'skip')"
                ),
                "nothing\nnothing",
            )
            .await;
        session
            .check(
                &format!("SELECT action FROM pgtrack.plan_undo_transaction({xid})"),
                "update\nupdate",
            )
            .await;
        session.check(&undo(&xid, "merge"), "public.t|0|1|0|1").await;
        session.check("SELECT count(*) FROM pgtrack.history('t', 1)", "3").await;
        // Other columns than those that differ are nothing that stays.
        let some =
            format!("pgtrack.undo_transaction({xid}, on_conflict => 'merge', columns => '{{w}}')");
        session.check(&format!("SELECT * FROM {some}"), "public.t|0|0|0|0").await;
        session.check(&format!("SELECT * FROM {}", some.replace(".undo", ".plan_undo")), "").await;
    });
}

#[test]
fn a_row_that_others_gave_another_key_is_followed() {
    for (way, rows, left) in [
        ("merge", "1|30|a 2|10|c 4|10|a 101|16|a 103|16|b", "4"),
        ("delta", "1|25|a 2|10|c 4|10|a 101|11|a 103|16|b", "2"),
    ] {
        on_outer_versions(async |session| {
            session
                .run("CREATE TABLE t (id int PRIMARY KEY, v int, w text); SELECT pgtrack.track('t'); INSERT INTO t SELECT i, 10, 'a' FROM generate_series(1, 5) i")
                .await;
            session.run("BEGIN; UPDATE t SET v = v + 5, w = 'b'; UPDATE t SET id = 103 WHERE id = 3; COMMIT").await;
            let xid = last(&session).await;
            session
                .run(
                    "UPDATE t SET id = 101 WHERE id = 1; UPDATE t SET v = v + 1 WHERE id IN (101, 103); UPDATE t SET w = 'c' WHERE id = 2;
                     UPDATE t SET id = 1 WHERE id = 5; UPDATE t SET v = v * 2 WHERE id = 1",
                )
                .await;
            session
                .check(
                    &format!("SELECT row_pk -> 'id', action, after -> 'id', conflict ~ '; the row stays as it is, what is undone gave it another key$'
                              FROM pgtrack.plan_undo_transaction({xid}, on_conflict => '{way}')"),
                    "
                1|update|101|f
                2|update|2|f
                3|nothing|103|t
                4|update|4|~
                5|update|1|f",
                )
                .await;
            session.check(&undo(&xid, way), "public.t|0|4|0|1").await;
            session
                .check("SELECT string_agg(concat_ws('|', id, v, w), ' ' ORDER BY id) FROM t", rows)
                .await;
            session.check(&undo(&xid, way), &format!("public.t|0|0|0|{left}")).await;
        });
    }
}

#[test]
fn a_row_is_followed_from_one_partition_to_another() {
    on_each_version(async |session| {
        session
            .run(
                "CREATE TABLE t (id int, k int, v int, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
                 CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10); CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (100);
                 SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 1, 10), (2, 2, 10), (3, 15, 10)",
            )
            .await;
        session.run("UPDATE t SET v = v + 5").await;
        let xid = last(&session).await;
        session.run("UPDATE t SET v = v - 1").await;
        session.run("UPDATE t SET k = 20 WHERE id = 1").await;
        session.check(&undo(&xid, "delta"), "public.t|0|3|0|0").await;
        session
            .check(
                "SELECT tableoid::regclass, * FROM t ORDER BY id",
                "
            t2|1|20|9
            t1|2|2|9
            t2|3|15|9",
            )
            .await;
    });
}

#[test]
fn columns_may_have_come_or_got_another_type_since() {
    on_outer_versions(async |session| {
        session
            .run(
                r#"CREATE TABLE t (id int PRIMARY KEY, a text, "B ""b" int, gone int, targets int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, '10', 10, 1, 10)"#,
            )
            .await;
        session.run(r#"UPDATE t SET a = '15', "B ""b" = 15, gone = 2, targets = 15"#).await;
        let xid = last(&session).await;
        session
            .run(r#"ALTER TABLE t ALTER a TYPE int USING a::int, ALTER "B ""b" TYPE numeric(8,2), DROP gone, ADD n int DEFAULT 7"#)
            .await;
        session.run(r#"UPDATE t SET a = a + 1, "B ""b" = "B ""b" + 0.5, targets = targets + 1, n = n + 1"#).await;
        session.check(&undo(&xid, "delta"), "public.t|0|1|0|0").await;
        session.check("SELECT * FROM t", "1|11|10.50|11|8").await;
    });
}

#[test]
fn unique_values_are_free_before_they_are_taken() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, rank int UNIQUE); SELECT pgtrack.track('t'); INSERT INTO t SELECT i, i FROM generate_series(1, 5) i")
            .await;
        session
            .run("BEGIN; UPDATE t SET rank = rank + 1001; UPDATE t SET rank = rank - 1000; COMMIT")
            .await;
        let xid = last(&session).await;
        session
            .run("BEGIN; UPDATE t SET rank = rank + 1002; UPDATE t SET rank = rank - 1000; COMMIT")
            .await;
        session.check(&undo(&xid, "delta"), "public.t|0|5|0|0").await;
        session.check("SELECT string_agg(rank::text, ' ' ORDER BY id) FROM t", "3 4 5 6 7").await;
    });
}

#[test]
fn changes_among_those_of_others_are_taken_out_one_by_one() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 0)")
            .await;
        let mut xids = Vec::new();
        for add in [10, -5, 5] {
            session.run(&format!("UPDATE t SET v = v + {add}")).await;
            xids.push(last(&session).await);
        }
        let both = format!(
            "SELECT * FROM pgtrack.undo_transactions('{{{}, {}}}', on_conflict => 'delta')",
            xids[0], xids[2]
        );
        session.check(&undo(&xids[0], "delta"), "public.t|0|1|0|0").await;
        session.check("SELECT v FROM t", "0").await;
        session.check(&both, "public.t|0|1|0|0").await;
        session.check("SELECT v FROM t", "-5").await;
        session.check(&both, "public.t|0|0|0|0").await;
        // The last change is undone, which undid one of them.
        session.run("SELECT pgtrack.undo('t', 1, on_conflict => 'delta')").await;
        session.check("SELECT v FROM t", "0").await;
        session.check(&undo(&xids[1], "delta"), "public.t|0|1|0|0").await;
        session.check("SELECT v FROM t", "5").await;
    });
}

#[test]
fn where_nobody_can_tell_what_has_been_undone_numbers_stay() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t VALUES (1, 0)")
            .await;
        let bad = session.another_with("-c application_name=delta_bad").await;
        bad.run("UPDATE t SET v = v + 10").await;
        let xid = last(&session).await;
        session.run("UPDATE t SET v = v + 3").await;
        let all =
            "SELECT * FROM pgtrack.undo_where(application => 'delta_bad', on_conflict => 'delta')";
        session.check(all, "public.t|0|1|0|0").await;
        session.check(all, "public.t|0|0|0|0").await;
        session.check("SELECT v FROM t", "3").await;
        // What came after that is not undone yet.
        bad.run("UPDATE t SET v = v + 100").await;
        session.run("UPDATE t SET v = v + 3").await;
        session.check(all, "public.t|0|1|0|0").await;
        session.check("SELECT v FROM t", "6").await;
        session.check(&undo(&xid, "delta"), "public.t|0|0|0|1").await;
        session.check("SELECT v FROM t", "6").await;
    });
}

#[test]
fn batches_do_what_one_step_does_and_only_once() {
    on_outer_versions(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY, v int); SELECT pgtrack.track('t'); INSERT INTO t SELECT i, 0 FROM generate_series(1, 10) i")
            .await;
        session.run("UPDATE t SET v = v + 10").await;
        let xid = last(&session).await;
        session
            .run("UPDATE t SET v = v - 10 WHERE id < 4; UPDATE t SET v = v - 1 WHERE id = 5")
            .await;
        let choice = format!("'{{\"xid\": {xid}}}'");
        let all = format!(
            "SELECT u.* FROM (SELECT * FROM pgtrack.plan_batches({choice}, 3, 'delta')) b
             CROSS JOIN LATERAL pgtrack.undo_batch({choice}, b.rows, b.seen, 'delta') u"
        );
        session
            .check(
                &all,
                "
            public.t|0|3|0|0
            public.t|0|3|0|0
            public.t|0|3|0|0
            public.t|0|1|0|0",
            )
            .await;
        let state = "SELECT string_agg(v::text, ' ' ORDER BY id) FROM t";
        session.check(state, "-10 -10 -10 0 -1 0 0 0 0 0").await;
        let some = format!(
            "SELECT * FROM pgtrack.undo_batch({choice}, '{{\"public.t\": [{{\"id\": 1}}, {{\"id\": 5}}, {{\"id\": 7}}]}}', NULL, 'delta')"
        );
        session.check(&some, "public.t|0|0|0|0").await;
        session.check(state, "-10 -10 -10 0 -1 0 0 0 0 0").await;
    });
}

#[test]
fn it_is_written_as_the_owner_or_by_who_may() {
    on_outer_versions(async |session| {
        session
            .run(
                "CREATE ROLE delta_owner; CREATE ROLE delta_writer LOGIN; GRANT CREATE ON SCHEMA public TO delta_owner; SET ROLE delta_owner;
                 CREATE DOMAIN amount AS numeric(10,2) CHECK (VALUE > -1000);
                 CREATE TABLE t (id int PRIMARY KEY, v amount, m money, h int);
                 CREATE FUNCTION fired() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.h := -1; RETURN NEW; END$$;
                 CREATE TRIGGER fired BEFORE UPDATE OF h ON t FOR EACH ROW EXECUTE FUNCTION fired();
                 RESET ROLE; SELECT pgtrack.track('t'); GRANT SELECT, UPDATE (v, m) ON t TO delta_writer;
                 INSERT INTO t VALUES (1, 10, 10, 1), (2, 10, 10, 1)",
            )
            .await;
        session.run("UPDATE t SET v = v + 5, m = m + 5::money").await;
        let xid = last(&session).await;
        session.run("UPDATE t SET v = v - 12, m = m * 2 WHERE id = 1").await;
        let state = "SELECT string_agg(concat_ws('|', id, v, m, h), ' ' ORDER BY id) FROM t";
        let undone = "1|-2.00|$25.00|1 2|10.00|$10.00|1";
        session.run("BEGIN").await;
        session.check(&undo(&xid, "delta"), "public.t|0|2|0|0").await;
        session.check(state, undone).await;
        session.run("ROLLBACK").await;
        let writer = session.another_as("delta_writer").await;
        writer.run("SET search_path = pg_temp").await;
        writer.check(&undo(&xid, "delta"), "public.t|0|2|0|0").await;
        session.check(state, undone).await;
        session
            .run("DROP OWNED BY delta_owner, delta_writer; DROP ROLE delta_owner, delta_writer")
            .await;
    });
}
