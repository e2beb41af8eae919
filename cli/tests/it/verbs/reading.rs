//! The commands that only look.

use serde_json::json;

use super::support::on_shop;

#[test]
fn log_lists_transactions_with_who_and_why() {
    on_shop(async |shop| {
        assert_eq!(
            shop.prints(&["log", "users", "-n", "2"]),
            "transaction XID3\n\
             Who:   eve, user postgres, app, 127.0.0.1\n\
             When:  TIME\n\
             What:  DELETE public.users 1 row\n\
             \n    BEGIN; SELECT pgtrack.set_actor('eve', true); DELETE FROM users WHERE id = 2; SELECT pg_current_xact_id()::text; COMMIT\n\
             \n\
             transaction XID2\n\
             Who:   eve, user postgres, app, 127.0.0.1\n\
             When:  TIME\n\
             What:  UPDATE public.users 2 rows\n\
             \n    BEGIN; SELECT pgtrack.set_actor('eve', true); UPDATE users SET role = 'boss'; SELECT pg_current_xact_id()::text; COMMIT\n"
        );
        for (arguments, expected) in [
            (&["--who", "eve"] as &[&str], 3),
            (&["--who", "ann"], 0),
            (&["--application", "app", "-n", "1"], 1),
            (&["--application", "other"], 0),
            (&["--since", "1 hour ago"], 3),
            (&["--until", "yesterday"], 0),
            (&["--grep", "DELETE FROM"], 1),
            (&["--since", "2 hours ago", "--until", "tomorrow", "--author", "eve"], 3),
            // A value came, or went.
            (&["-S", "boss"], 2),
            (&["-S", "clerk", "users"], 2),
            (&["-S", "2"], 2),
            (&["-S", "nobody"], 0),
        ] {
            let arguments = [&["log", "--oneline"], arguments].concat();
            assert_eq!(shop.prints(&arguments).lines().count(), expected, "{arguments:?}");
        }
        shop.client
            .batch_execute(
                "UPDATE users\n  SET role = 'x',\n      name = 'y'\n  WHERE false; SELECT 1",
            )
            .await
            .unwrap();
        assert!(
            shop.prints(&["log", "--oneline"])
                .starts_with("XID3  TIME  eve  DELETE public.users 1 row  BEGIN; SELECT")
        );
        let text = shop.prints(&["log", "-p", "--stat", "-n", "2"]);
        assert!(
            text.contains("COMMIT\n\n public.users | -1\n\nDELETE public.users id=2\n  - id: 2\n"),
            "{text}"
        );
        assert!(text.ends_with("COMMIT\n\n public.users | ~2\n\nUPDATE public.users id=1\n  ~ role: clerk → boss\n\nUPDATE public.users id=2\n  ~ role: clerk → boss\n"), "{text}");
        let objects = shop.objects(&["log", "-n", "1", "--patch"]);
        assert_eq!(objects[0]["rows"][0]["row_pk"], json!({"id": 2}));
        let objects = shop.objects(&["log", "-n", "1"]);
        assert_eq!(objects[0]["xid"], shop.xids[2]);
        assert_eq!(
            objects[0]["effects"],
            json!([{"table": "public.users", "operation": "DELETE", "rows": 1}])
        );
    });
}

#[test]
fn show_is_about_one_transaction() {
    on_shop(async |shop| {
        let text = shop.prints(&["show", &shop.xids[1].to_string()]);
        assert!(
            text.ends_with(
                "\nUPDATE public.users id=1\n  ~ role: clerk → boss\n\
                 \nUPDATE public.users id=2\n  ~ role: clerk → boss\n"
            ),
            "{text}"
        );
        let text = shop.prints(&["show", &shop.xids[1].to_string(), "--max", "1"]);
        assert!(text.ends_with("1 more rows; --max 2 shows them\n"), "{text}");
        let latest = shop.objects(&["show"]);
        assert_eq!(latest[0]["before"], json!({"id": 2, "name": "Ben", "role": "boss"}));
        let said = shop.says(&["show", "1"]);
        assert_eq!(said.code, 1);
        assert_eq!(said.err, "pgtrack: transaction 1 changed no tracked table that you may read\n");
    });
}

#[test]
fn the_story_of_a_row_is_told() {
    let query = |statement: &str| {
        format!(
            "    BEGIN; SELECT pgtrack.set_actor('eve', true); {statement}; SELECT pg_current_xact_id()::text; COMMIT\n"
        )
    };
    on_shop(async |shop| {
        assert_eq!(
            shop.prints(&["history", "users", "2"]),
            format!(
                "version 3  DELETE users id=2\nTIME  eve, app  transaction XID3\n{}  - id: 2\n  - name: Ben\n  - role: boss\n\n\
                 version 2  UPDATE users id=2\nTIME  eve, app  transaction XID2\n{}  ~ role: clerk → boss\n\n\
                 version 1  INSERT users id=2\nTIME  eve, app  transaction XID1\n{}  + id: 2\n  + name: Ben\n  + role: clerk\n",
                query("DELETE FROM users WHERE id = 2"),
                query("UPDATE users SET role = 'boss'"),
                query("INSERT INTO users VALUES (1, 'Ada', 'clerk'), (2, 'Ben', 'clerk')")
            )
        );
        let versions = shop.objects(&["history", "public.users", r#"{"id": 1}"#, "--reverse"]);
        let numbers: Vec<_> = versions.iter().map(|version| &version["ver"]).collect();
        assert_eq!(numbers, [&json!(1), &json!(2)]);
        // How wide a column is depends on the transactions' numbers.
        let blame = shop.prints(&["blame", "users", "1"]);
        let cells = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            blame.lines().map(cells).collect::<Vec<_>>(),
            [
                "column version when who transaction value",
                "id 1 TIME eve XID1 1",
                "name 1 TIME eve XID1 Ada",
                "role 2 TIME eve XID2 boss",
            ]
        );
        assert_eq!(
            shop.prints(&["deleted", "users"]),
            "id=2  TIME  eve  transaction XID3\n  - id: 2\n  - name: Ben\n  - role: boss\n"
        );
        assert_eq!(shop.objects(&["deleted", "users"])[0]["row_pk"], json!({"id": 2}));
        let said = shop.says(&["history", "users", "7"]);
        assert_eq!(
            (said.code, said.err.as_str()),
            (1, "pgtrack: no change of users (id=7) is recorded\n")
        );
    });
}

#[test]
fn a_column_that_was_added_later_did_not_change_then() {
    on_shop(async |shop| {
        shop.client.batch_execute("ALTER TABLE users ADD color text DEFAULT 'red'").await.unwrap();
        shop.client.batch_execute("UPDATE users SET name = name WHERE id = 1").await.unwrap();
        let text = shop.prints(&["history", "users", "1"]);
        assert!(!text.contains("color: (none)"), "{text}");
        assert!(
            text.contains("UPDATE users SET name = name WHERE id = 1\n  no value changed\n"),
            "{text}"
        );
        let text = shop.prints(&["show", &shop.xids[1].to_string()]);
        assert!(text.contains("  ~ role: clerk → boss\n") && !text.contains("color"), "{text}");
    });
}

#[test]
fn diff_compares_two_points() {
    on_shop(async |shop| {
        let (first, second) = (format!("xid:{}", shop.xids[0]), format!("xid:{}", shop.xids[1]));
        assert_eq!(
            shop.prints(&["diff", "users", &first]),
            "UPDATE users id=1\n  ~ role: clerk → boss\n\nDELETE users id=2\n  - id: 2\n  - name: Ben\n  - role: clerk\n"
        );
        assert_eq!(
            shop.prints(&["diff", "users", &first, &second, "-n", "1"]),
            "UPDATE users id=1\n  ~ role: clerk → boss\n\nmore than 1 rows differ; --max shows more\n"
        );
        // All tables: of one that was tracked later it is not known what it was.
        shop.client
            .batch_execute("CREATE TABLE later (id int PRIMARY KEY); SELECT pgtrack.track('later')")
            .await
            .unwrap();
        assert_eq!(
            shop.prints(&["diff", &first]),
            "public.later: what it was then is not recorded\n\n\
             UPDATE public.users id=1\n  ~ role: clerk → boss\n\nDELETE public.users id=2\n  - id: 2\n  - name: Ben\n  - role: clerk\n"
        );
        let all = ["diff", "--schema", "public", &first, &second];
        assert_eq!(
            shop.prints(&[&all[..], &["--stat"]].concat()),
            "public.later: what it was then is not recorded\n public.users | ~2\n"
        );
        let counts = shop.objects(&["diff", "users", &first, "--stat"]);
        assert_eq!(counts[1], json!({"table": "users", "op": "UPDATE", "rows": 1}));
        assert_eq!(shop.says(&["diff", "--schema", "nowhere", &first]).code, 1);
        assert_eq!(shop.says(&["diff", "--schema", "public", "a", "b", "c"]).code, 2);
        assert_eq!(shop.says(&["diff", "users", &first, "--exit-code"]).code, 5);
        assert_eq!(shop.says(&["diff", "users", "now", "--exit-code"]).code, 0);
    });
}

#[test]
fn export_writes_changes_or_a_table_as_it_was() {
    on_shop(async |shop| {
        // Transactions are numbers in the file.
        let lines = shop.prints(&["export"]).replace("XID", "");
        let versions: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(versions.len(), 5);
        assert_eq!(versions[0]["op"], "DELETE");
        assert_eq!(versions[0]["table"], "public.users");
        let csv = shop.prints(&["export", "users", "--format", "csv", "--since", "1 hour ago"]);
        assert_eq!(csv.split("\r\n").count(), 1 + 5 + 1);
        assert!(csv.starts_with("table,row_pk,ver,op,changed_at,who,xid,"), "{csv}");
        assert!(csv.contains("public.users,\"{\"\"id\"\":2}\",3,DELETE,"), "{csv}");
        let point = format!("xid:{}", shop.xids[1]);
        assert_eq!(
            shop.prints(&["export", "users", "--at", &point, "--format", "csv"]),
            "id,name,role\r\n1,Ada,boss\r\n2,Ben,boss\r\n"
        );
        assert_eq!(
            shop.prints(&["export", "users", "--at", "now"]),
            "{\"id\":1,\"name\":\"Ada\",\"role\":\"boss\"}\n"
        );
        assert_eq!(shop.prints(&["export", "--until", "yesterday"]), "");
        assert_eq!(shop.says(&["export", "--at", "now"]).code, 2);
    });
}

#[test]
fn what_a_database_holds_cannot_command_the_terminal() {
    on_shop(async |shop| {
        shop.client
            .batch_execute("UPDATE users SET name = E'\\x1b[2J\\nAda' WHERE id = 1")
            .await
            .unwrap();
        let text = shop.prints(&["history", "users", "1"]);
        assert!(text.contains(r"  ~ name: Ada → \u{1b}[2J\nAda"), "{text}");
    });
}
