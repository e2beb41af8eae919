//! The commands that look after pg_track itself.

use serde_json::json;

use super::support::{Shop, on_shop};

#[test]
fn tables_are_tracked_with_options_and_untracked() {
    on_shop(async |shop| {
        shop.client
            .batch_execute("CREATE TABLE notes (id int PRIMARY KEY, text text, secret text); CREATE VIEW v AS SELECT 1 AS one")
            .await
            .unwrap();
        let text = shop.prints(&["status"]);
        assert!(
            text.starts_with("On PLACE\nLatest change  XID3  TIME  eve  DELETE public.users 1 row"),
            "{text}"
        );
        assert!(text.contains("\nNot tracked:\n  public.notes\n"), "{text}");
        assert_eq!(
            shop.prints(&[
                "track",
                "notes",
                "--exclude",
                "secret",
                "--no-query",
                "--on-drop",
                "refuse"
            ]),
            "table         status\npublic.notes  tracked\n"
        );
        let options = shop
            .client
            .query_one("SELECT options FROM pgtrack.tracked_table WHERE name = 'notes'", &[])
            .await;
        let options: serde_json::Value = options.unwrap().get(0);
        assert_eq!(options["exclude"], json!(["secret"]));
        assert_eq!((&options["query"], &options["on_drop"]), (&json!(false), &json!("refuse")));
        let tables = shop.objects(&["track", "public"]);
        assert_eq!(tables.len(), 3);
        let status = &shop.objects(&["status"])[0];
        assert_eq!(status["tracked"].as_array().unwrap().len(), 2);
        assert_eq!((&status["untracked"], &status["problems"]), (&json!([]), &json!([])));
        assert_eq!(
            shop.prints(&["untrack", "notes"]),
            "table         status\npublic.notes  no longer tracked; its history stays\n"
        );
        let said = shop.says(&["track", "nothing"]);
        assert_eq!(said.code, 1);
        assert!(said.err.starts_with("pgtrack: could not track nothing: table \"nothing\" does not exist (SQLSTATE 42P01)\ndetail: "), "{}", said.err);
    });
}

/// What purging all of the history plans.
const PLAN_OF_ALL: &str = "table         statements  changes\npublic.users           3        5\n";

/// Transactions of other databases hold purges and exports back.
fn until_purgeable(shop: &Shop) {
    let started = std::time::Instant::now();
    while shop.prints(&["purge", "--older-than", "0 s", "--dry-run"]) != PLAN_OF_ALL {
        assert!(started.elapsed().as_secs() < 60, "something old is still running");
    }
}

#[test]
fn old_history_is_forgotten_when_somebody_says_so() {
    on_shop(async |shop| {
        assert_eq!(
            shop.prints(&["purge", "--older-than", "1 day", "--dry-run"]),
            "Nothing recorded is so old.\n"
        );
        until_purgeable(&shop);
        assert_eq!(shop.says(&["purge", "--older-than", "0 s"]).code, 4);
        assert_eq!(
            shop.prints(&["purge", "--older-than", "0 s", "--yes"]),
            format!("{PLAN_OF_ALL}5 row changes were forgotten.\n")
        );
        assert_eq!(shop.prints(&["log"]), "");
        assert_eq!(shop.says(&["purge", "--older-than", "soon", "--yes"]).code, 1);
        let said = shop.says(&["purge", "--older-than", "10", "--dry-run"]);
        assert_eq!((said.code, said.out.as_str()), (2, ""));
        assert_eq!(
            said.err,
            "pgtrack: `--older-than 10` has no unit\nhint: say of what: --older-than '90 days'\n"
        );
    });
}

#[test]
fn history_is_forgotten_when_the_archive_has_it() {
    on_shop(async |shop| {
        let folder = std::env::temp_dir().join(format!("pgtrack-{}", shop.database.name()));
        let archive = folder.to_str().unwrap();
        let purge = ["purge", "--older-than", "0 s", "--yes", "--exported", archive];
        until_purgeable(&shop);
        let said = shop.says(&purge);
        assert_eq!(said.code, 1, "{}", said.out);
        assert!(
            said.err.starts_with("pgtrack: the archive is of another database"),
            "{}",
            said.err
        );
        let said = shop.prints(&["export", "--to", archive]);
        assert!(said.starts_with("5 row changes were exported, in 1 files of "), "{said}");
        assert_eq!(
            shop.prints(&["export", "--to", archive]),
            "0 row changes were exported, in 0 files of 0 bytes.\n"
        );
        assert_eq!(shop.says(&["export", "users", "--to", archive]).code, 2);
        shop.prints(&["purge", "--older-than", "0 s", "--dry-run", "--exported", archive]);
        assert!(shop.prints(&purge).ends_with("5 row changes were forgotten.\n"));
        assert_eq!(shop.prints(&["log"]), "");
        std::fs::remove_dir_all(&folder).unwrap();
    });
}

#[test]
fn verify_finds_what_was_not_recorded() {
    on_shop(async |shop| {
        assert_eq!(shop.prints(&["verify"]), "Everything is recorded that should be.\n");
        // So it is where nobody is a superuser. A check that always fails is looked at by nobody.
        shop.client.batch_execute("ALTER EVENT TRIGGER pgtrack_ddl DISABLE").await.unwrap();
        let text = shop.prints(&["verify"]);
        assert!(
            text.starts_with("note: DDL on tracked tables is not followed at once\n  hint: "),
            "{text}"
        );
        assert!(text.ends_with("\nEverything is recorded that should be.\n"), "{text}");
        shop.client.batch_execute("ALTER EVENT TRIGGER pgtrack_ddl ENABLE").await.unwrap();
        shop.client
            .batch_execute(
                "ALTER TABLE users DISABLE TRIGGER USER; UPDATE users SET name = 'x'; ALTER TABLE users ENABLE TRIGGER USER",
            )
            .await
            .unwrap();
        assert_eq!(shop.says(&["verify", "--quick"]).code, 0);
        shop.client.batch_execute("ALTER TABLE users DISABLE TRIGGER USER").await.unwrap();
        let said = shop.says(&["verify", "--quick"]);
        assert_eq!(said.code, 5, "{}", said.out);
        assert!(said.out.starts_with("public.users: "), "{}", said.out);
        assert!(said.out.contains("\n  hint: "), "{}", said.out);
    });
}

#[test]
fn tables_are_kept_and_recovered_and_a_rows_past_erased() {
    on_shop(async |shop| {
        let text = shop.prints(&["keep", "users"]);
        assert!(
            text.starts_with("public.users: 1 rows kept in pgtrack_history.users_kept_"),
            "{text}"
        );
        shop.client.batch_execute("DROP TABLE users").await.unwrap();
        assert_eq!(shop.says(&["recover", "users"]).code, 4);
        assert!(shop.objects(&["recover", "users", "--yes"])[0]["outcome"].is_string());
        assert_eq!(shop.rows().await, "(1,Ada,boss)");
        shop.client.batch_execute("ALTER TABLE users DROP COLUMN role").await.unwrap();
        shop.prints(&["recover", "users", "--column", "role", "--yes"]);
        assert_eq!(shop.rows().await, "(1,Ada,boss)");
        assert_eq!(shop.says(&["erase", "users", "1", "--yes"]).code, 2);
        assert_eq!(shop.says(&["erase", "users", "1", "-m", "asked for"]).code, 4);
        let text = shop.prints(&["erase", "users", "1", "-m", "asked for", "--yes"]);
        assert!(text.starts_with("public.users (id=1): the values of "), "{text}");
        assert_eq!(shop.objects(&["audit", "-n", "1"])[0]["message"], "asked for");
    });
}

#[test]
fn what_somebody_may_not_call_is_answered_with_who_may_let_them() {
    on_shop(async |shop| {
        let role = format!("cli_tagger_{}", shop.database.name());
        shop.client.batch_execute(&format!("CREATE ROLE {role} LOGIN")).await.unwrap();
        let url = shop.database.url().replace("postgres@", &format!("{role}@"));
        let output = crate::program::pgtrack()
            .args(["tag", "v1", "--db", &url])
            .env("HOME", "/nonexistent")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("permission denied for function tag (SQLSTATE 42501)\nhint: a superuser, or the owner of pg_track, lets a role: GRANT EXECUTE ON FUNCTION pgtrack.tag TO "), "{said}");
        shop.client
            .batch_execute(&format!("GRANT EXECUTE ON FUNCTION pgtrack.tag TO {role}"))
            .await
            .unwrap();
        let tag = crate::program::pgtrack().args(["tag", "v1", "--db", &url]).output().unwrap();
        assert!(tag.status.success());
        shop.client
            .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await
            .unwrap();
    });
}

#[test]
fn audit_lists_calls() {
    on_shop(async |shop| {
        shop.prints(&["tag", "v1", "-m", "first"]);
        assert_eq!(
            shop.prints(&["audit", "-n", "1"]),
            "when                        who       call               outcome  reason\n\
             TIME  postgres  tag(name => \"v1\")  done     first\n"
        );
        assert_eq!(shop.objects(&["audit", "--verb", "track"])[0]["arguments"]["target"], "users");
        assert!(shop.objects(&["audit", "--who", "nobody"]).is_empty());
    });
}

#[test]
fn pg_track_comes_and_goes() {
    on_shop(async |shop| {
        assert_eq!(shop.prints(&["install"]), "pg_track is already in PLACE.\n");
        let said = shop.says(&["uninstall"]);
        assert_eq!(said.code, 4);
        assert!(said.err.ends_with("\nhint: --yes says yes beforehand\n"), "{}", said.err);
        assert_eq!(
            shop.prints(&["uninstall", "--yes"]),
            "pg_track was removed from PLACE. Tracked tables stay as they are.\n"
        );
        assert_eq!(shop.rows().await, "(1,Ada,boss)");
        let said = shop.says(&["log"]);
        assert_eq!(
            (said.code, said.err.as_str()),
            (1, "pgtrack: pg_track is not installed in PLACE\nhint: run `pgtrack install`\n")
        );
        assert_eq!(shop.says(&["uninstall", "--yes"]).code, 1);
        assert_eq!(shop.prints(&["install"]), "pg_track is now in PLACE.\n");
    });
}
