//! The commands that change rows.

use serde_json::json;

use super::support::{Said, on_shop};

#[test]
fn undo_shows_asks_and_does() {
    on_shop(async |shop| {
        let plan = "insert public.users id=2\n  + id: 2\n  + name: Ben\n  + role: boss\n\npublic.users: insert 1 row\n";
        let xid = shop.xids[2].to_string();
        assert_eq!(shop.prints(&["undo", &xid, "--dry-run"]), plan);
        // Nobody can be asked here.
        assert_eq!(
            shop.says(&["undo", &xid]),
            Said {
                out: String::new(),
                err: "pgtrack: nothing was done: this asks before it changes anything, and there is no terminal to ask at\n\
                      hint: --yes says yes beforehand, --dry-run only shows what would be done\n"
                    .to_owned(),
                code: 4,
            }
        );
        assert_eq!(shop.rows().await, "(1,Ada,boss)");
        let text = shop.prints(&["undo", &xid, "--yes", "-m", "a slip", "--actor", "ann"]);
        assert!(text.starts_with(plan), "{text}");
        assert!(text.contains("\nDone in transaction "), "{text}");
        assert_eq!(shop.rows().await, "(1,Ada,boss) (2,Ben,boss)");
        let latest = &shop.objects(&["log", "-n", "1"])[0];
        assert_eq!((&latest["who"], &latest["message"]), (&json!("ann"), &json!("a slip")));
        assert_eq!(latest["reverts"], format!("xid:{xid}"));
        // Undone already: there is nothing to do.
        let text = shop.prints(&["undo", &xid, "--yes"]);
        assert_eq!(text, "Every row is as wanted already.\nNothing had to be changed.\n");
    });
}

#[test]
fn a_persons_latest_transaction_needs_no_number() {
    on_shop(async |shop| {
        let eve = ["--actor", "eve"];
        let text = shop.prints(&[&["undo", "--dry-run"] as &[&str], &eve].concat());
        assert!(text.starts_with("transaction XID3\nWho:   eve, "), "{text}");
        assert!(text.ends_with("\npublic.users: insert 1 row\n"), "{text}");
        let second = shop.prints(&[&["undo", "@~1", "--dry-run"] as &[&str], &eve].concat());
        assert!(second.starts_with("transaction XID2\n"), "{second}");
        shop.prints(&[&["undo", "--yes"] as &[&str], &eve].concat());
        assert_eq!(shop.rows().await, "(1,Ada,boss) (2,Ben,boss)");
        // An undo does not count.
        let text = shop.prints(&[&["undo", "@", "--yes"] as &[&str], &eve].concat());
        assert!(text.starts_with("transaction XID3\n"), "{text}");
        assert!(text.ends_with("\nNothing had to be changed.\n"), "{text}");
        let said = shop.says(&["undo", "--yes"]);
        assert_eq!(said.code, 1);
        assert!(said.err.starts_with("pgtrack: could not tell which transaction is meant: no change of postgres is recorded"), "{}", said.err);
        assert!(
            said.err.contains("\nhint: `pgtrack log` shows the latest transactions;"),
            "{}",
            said.err
        );
        shop.client.batch_execute("SET application_name = 'psql'").await.unwrap();
        shop.client.batch_execute("UPDATE users SET role = 'x' WHERE id = 1").await.unwrap();
        assert!(
            shop.prints(&["show", "@"])
                .ends_with("\nUPDATE public.users id=1\n  ~ role: boss → x\n")
        );
        assert_eq!(shop.says(&["show", "@~1"]).code, 1);
        assert_eq!(shop.says(&["show", "@x"]).code, 2);
        shop.client.batch_execute("SET application_name = 'nightly'").await.unwrap();
        shop.client.batch_execute("UPDATE users SET role = 'y' WHERE id = 2").await.unwrap();
        let said = shop.says(&["undo", "--yes"]);
        assert!(
            said.err.contains("it is not clear which transaction is your latest"),
            "{}",
            said.err
        );
        assert_eq!(shop.rows().await, "(1,Ada,x) (2,Ben,y)");
    });
}

#[test]
fn a_rows_last_change_some_transactions_or_all_of_an_application_are_undone() {
    on_shop(async |shop| {
        shop.prints(&["undo", "users", "1", "--yes"]);
        assert_eq!(shop.rows().await, "(1,Ada,clerk)");
        shop.prints(&["undo", "users", "1", "--yes"]);
        let (second, third) = (shop.xids[1].to_string(), shop.xids[2].to_string());
        shop.prints(&["undo", &second, &third, "--yes", "--on-conflict", "force"]);
        assert_eq!(shop.rows().await, "(1,Ada,clerk) (2,Ben,clerk)");
        let arguments = ["undo", "--by-application", "app", "--since", "1 hour ago"];
        let steps = shop.objects(&[&arguments[..], &["--dry-run"]].concat());
        assert_eq!(steps.len(), 3, "the sums are last");
        assert_eq!(steps[0]["action"], "delete");
        assert_eq!(steps[2]["rows"], 2);
        assert!(steps[2]["estimated_seconds"].as_f64() >= Some(1.0), "{}", steps[2]);
        shop.prints(&[&arguments[..], &["--yes", "--on-conflict", "force"]].concat());
        assert_eq!(shop.rows().await, "");
        for wrong in [
            &["undo", "--since", "yesterday"] as &[&str],
            &["undo", "users"],
            &["undo", "users", "1", "--by-user", "x"],
        ] {
            assert_eq!(shop.says(wrong).code, 2, "{wrong:?}");
        }
    });
}

#[test]
fn some_columns_go_back_and_the_others_stay() {
    on_shop(async |shop| {
        let sql =
            "UPDATE users SET name = 'Eve', role = 'guest' RETURNING pg_current_xact_id()::text";
        let xid: String = shop.client.query_one(sql, &[]).await.unwrap().get(0);
        let plan =
            "update public.users id=1\n  ~ role: guest → boss\n\npublic.users: update 1 row\n";
        let some = ["undo", &xid, "--column", "role"];
        assert_eq!(shop.prints(&[&some[..], &["--dry-run"]].concat()), plan);
        shop.prints(&[&some[..], &["--yes"]].concat());
        assert_eq!(shop.rows().await, "(1,Eve,boss)");
        shop.prints(&[
            "revert", "users", "1", "1", "--column", "name", "--column", "role", "--yes",
        ]);
        assert_eq!(shop.rows().await, "(1,Ada,clerk)");
        let said = shop.says(&["undo", &xid, "--column", "nam", "--yes"]);
        assert_eq!(said.code, 1, "{}", said.err);
        for wrong in [
            &["revert", "users", "--to", "now", "--column", "role"] as &[&str],
            &["undo", &xid, "--column", "role", "--batch", "10"],
        ] {
            let said = shop.says(wrong);
            assert_eq!(said.code, 2, "{}", said.err);
            assert!(said.err.contains("hint: leave --"), "{}", said.err);
        }
        assert_eq!(shop.rows().await, "(1,Ada,clerk)");
    });
}

#[test]
fn rows_that_were_changed_since_stop_it() {
    on_shop(async |shop| {
        let second = shop.xids[1].to_string();
        let said = shop.says(&["undo", &second, "--yes"]);
        assert_eq!(said.code, 3);
        assert!(said.out.contains("  conflict: "), "{}", said.out);
        assert!(
            said.err.starts_with("pgtrack: 1 of these rows were changed since"),
            "{}",
            said.err
        );
        assert_eq!(shop.rows().await, "(1,Ada,boss)");
        let text = shop.prints(&["undo", &second, "--yes", "--on-conflict", "skip"]);
        assert!(
            text.ends_with("takes it back.\n1 row changed since: left as they are.\n"),
            "{text}"
        );
        assert_eq!(shop.rows().await, "(1,Ada,clerk)");
    });
}

#[test]
fn numbers_go_back_by_the_difference() {
    on_shop(async |shop| {
        let sql = "CREATE TABLE accounts (id int PRIMARY KEY, balance numeric); SELECT pgtrack.track('accounts');
                   INSERT INTO accounts VALUES (1, 100)";
        shop.client.batch_execute(sql).await.unwrap();
        let sql = "UPDATE accounts SET balance = balance + 50 RETURNING pg_current_xact_id()::text";
        let xid: String = shop.client.query_one(sql, &[]).await.unwrap().get(0);
        shop.client.batch_execute("UPDATE accounts SET balance = balance - 30").await.unwrap();
        let undo = |way: &'static str, more: &'static str| {
            shop.prints(&["undo", &xid, "--on-conflict", way, more])
        };
        let plan = undo("merge", "--dry-run");
        assert!(plan.starts_with("leave public.accounts id=1\n  conflict: changed since by "));
        assert!(plan.ends_with(
            "; stays as it is: balance; nothing is left to set back\n\npublic.accounts: leave 1 row, 1 changed since\n"
        ));
        let nothing = undo("merge", "--yes");
        assert!(nothing.ends_with(
            "Nothing had to be changed.\n1 row changed since: only what nobody changed since was set back.\n"
        ));
        let plan = undo("delta", "--dry-run");
        assert!(plan.starts_with("update public.accounts id=1\n  ~ balance: 120 → 70\n"), "{plan}");
        assert!(plan.ends_with(
            "; by the difference: balance\n\npublic.accounts: update 1 row, 1 changed since\n"
        ));
        undo("delta", "--yes");
        // Whoever says it twice means it once.
        let again = undo("delta", "--yes");
        assert_eq!(again, "Every row is as wanted already.\nNothing had to be changed.\n");
        let balance = shop.client.query_one("SELECT balance::text FROM accounts", &[]).await;
        assert_eq!(balance.unwrap().get::<_, &str>(0), "70");
    });
}

#[test]
fn rows_tables_and_schemas_go_back() {
    on_shop(async |shop| {
        let text = shop.prints(&["restore", "users", "2", "--yes"]);
        assert!(!text.contains("did more"), "{text}");
        shop.client.batch_execute("DELETE FROM users").await.unwrap();
        let text = shop.prints(&["restore", "users", "1", "--yes"]);
        let more = ", which deleted it, did more: DELETE public.users 2 rows.\n`pgtrack undo ";
        assert!(text.contains(more), "{text}");
        shop.prints(&["restore", "users", "2", "--yes"]);
        assert_eq!(shop.rows().await, "(1,Ada,boss) (2,Ben,boss)");
        shop.prints(&["revert", "users", "1", "1", "--yes"]);
        assert_eq!(shop.rows().await, "(1,Ada,clerk) (2,Ben,boss)");
        assert_eq!(shop.prints(&["tag", "here", "-m", "before the move"]), "");
        shop.client
            .batch_execute("UPDATE users SET name = 'x'; DELETE FROM users WHERE id = 1")
            .await
            .unwrap();
        shop.prints(&["revert", "users", "2", "--to", "now", "--dry-run"]);
        let steps = shop.objects(&["revert", "users", "--to", "here", "--dry-run"]);
        let actions: Vec<_> = steps.iter().filter_map(|step| step["action"].as_str()).collect();
        assert_eq!(actions, ["insert", "update"]);
        let done = &shop.objects(&["revert", "--schema", "public", "--to", "here", "--yes"])[0];
        assert_eq!(done["effects"].as_array().unwrap().len(), 2);
        assert_eq!(shop.rows().await, "(1,Ada,clerk) (2,Ben,boss)");
        assert_eq!(shop.says(&["revert", "users"]).code, 2);
        let said = shop.says(&["revert", "users", "--to", "nowhere", "--yes"]);
        assert_eq!(said.code, 1, "{}", said.err);
        assert!(said.err.contains("hint: "), "{}", said.err);
    });
}

#[test]
fn tags_are_made_listed_and_removed() {
    on_shop(async |shop| {
        assert_eq!(shop.prints(&["tag"]), "");
        shop.prints(&["tag", "v1", "-m", "first"]);
        assert_eq!(shop.objects(&["tag"])[0]["name"], "v1");
        assert_eq!(
            shop.prints(&["tag"]),
            "tag  when                        who       message\nv1   TIME  postgres  first\n"
        );
        assert_eq!(shop.says(&["tag", "v1"]).code, 1);
        shop.prints(&["tag", "v1", "--delete"]);
        assert_eq!(shop.prints(&["tag"]), "");
    });
}

#[test]
fn batches_are_transactions_of_their_own() {
    on_shop(async |shop| {
        let client = &shop.client;
        client
            .batch_execute(
                "CREATE TABLE many (id int PRIMARY KEY, v int); SELECT pgtrack.track('many');
                 INSERT INTO many SELECT n, 0 FROM generate_series(1, 25) n",
            )
            .await
            .expect("it can be created");
        client.batch_execute("UPDATE many SET v = 1").await.expect("it can be changed");
        client
            .batch_execute("ALTER TABLE many ADD CONSTRAINT sacred CHECK (id <> 10 OR v = 1)")
            .await
            .expect("it can be guarded");
        let xid = shop.objects(&["log", "-n", "1"])[0]["xid"].to_string();
        let undo = ["undo", &xid, "--yes", "-n", "0", "--batch", "10"];
        let said = shop.says(&undo);
        assert_eq!(said.code, 1);
        assert!(said.out.ends_with("\nBatch 1 of 3: 10 rows\n"), "{}", said.out);
        assert!(said.err.contains("10 of 25 rows are done and stay so"), "{}", said.err);
        assert!(said.err.contains("sacred"), "{}", said.err);
        client.batch_execute("ALTER TABLE many DROP CONSTRAINT sacred").await.expect("it can go");
        let text = shop.prints(&undo);
        assert!(
            text.contains("\nBatch 1 of 2: 10 rows\nBatch 2 of 2: 5 rows\nDone. `pgtrack undo "),
            "{text}"
        );
        let left = client.query_one("SELECT count(*) FROM many WHERE v = 1", &[]).await;
        assert_eq!(left.expect("it can be read").get::<_, i64>(0), 0);
        let single = shop.says(&["undo", "many", "1", "--yes", "--batch", "10"]);
        assert_eq!(
            (single.code, single.err.lines().next()),
            (2, Some("pgtrack: a single row has no batches"))
        );
    });
}

#[test]
fn large_undoes_say_how_long_they_take_and_what_was_left() {
    on_shop(async |shop| {
        let client = &shop.client;
        for sql in [
            "CREATE TABLE many (id int PRIMARY KEY, v int); SELECT pgtrack.track('many')",
            "INSERT INTO many SELECT n, 0 FROM generate_series(1, 1500) n",
            "UPDATE many SET v = 1",
        ] {
            client.batch_execute(sql).await.unwrap();
        }
        let xid = shop.objects(&["log", "-n", "1"])[0]["xid"].to_string();
        let text = shop.prints(&["undo", &xid, "--dry-run"]);
        assert!(text.contains("\nIt takes about "), "{text}");
        client.batch_execute("UPDATE many SET v = 2 WHERE id IN (3, 7)").await.unwrap();
        let undo = ["undo", &xid, "--yes", "--batch", "1000", "--on-conflict", "skip"];
        let text = shop.prints(&undo);
        assert!(
            text.contains("2 of 1500 rows: left as they are, as somebody changed them since.\n"),
            "{text}"
        );
        assert!(text.ends_with("  public.many id=3\n  public.many id=7\n"), "{text}");
        let left = client.query_one("SELECT count(*) FROM many WHERE v > 0", &[]).await;
        assert_eq!(left.unwrap().get::<_, i64>(0), 2);
    });
}
