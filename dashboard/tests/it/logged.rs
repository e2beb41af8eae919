//! The log names routes and kinds of errors: no key of a row, no value, no text of a statement.

use pgtrack_dashboard::Role;

use crate::support::{Log, on_site};

#[test]
fn no_key_and_no_value_is_logged() {
    let log = Log::default();
    on_site(async |site| {
        let _until_the_end = tracing::subscriber::set_default(log.subscriber());
        let mut browser = site.signed_in(Role::Operator).await;
        let row = |key: &str| format!("/c/shop/tables/shop.users/rows/%7B%22id%22:{key}%7D");

        // The server quotes what it cannot read.
        browser.get(&row("%22CANARY%22")).await;
        // A foreign key: its DETAIL has the key.
        let xid = site.run("INSERT INTO shop.users VALUES (424242, 'CANARY', 0)").await;
        let url = format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}");
        let plan = browser.get(&url).await;
        site.run("INSERT INTO shop.orders VALUES (1, 424242, 'new')").await;
        let refused = browser.submit(&plan, "form.confirm", &[("reason", "CANARY")]).await;
        assert_eq!(refused.status, 409, "{}", refused.text("main"));
        // What a function of the application raises can be anything.
        let xid = site.run("UPDATE shop.orders SET status = 'CANARY' WHERE id = 1").await;
        let url = format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}");
        let plan = browser.get(&url).await;
        let guard = "CREATE FUNCTION shop.guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                       RAISE EXCEPTION 'not from CANARY' USING ERRCODE = 'insufficient_privilege', DETAIL = 'CANARY', HINT = 'CANARY';
                     END $$;
                     CREATE TRIGGER guard BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.guard()";
        site.client().await.batch_execute(guard).await.unwrap();
        let refused = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        assert_eq!(refused.status, 403, "{}", refused.text("main"));
        assert!(refused.text("main").contains("CANARY"), "people are told");
        // What was attempted names the row.
        let away = "DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE pgtrack_history.%I RENAME TO gone', history_table)
                    FROM pgtrack.relation WHERE table_name = 'users'); END $$";
        site.client().await.batch_execute(away).await.unwrap();
        assert_ne!(browser.get(&row("424242")).await.status, 200);
    });
    let text = log.text();
    for expected in ["23503", "42501", "/c/{connection}/tables/{table}/rows/{key}"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // Queries are the driver's to log, and it does at a level that nobody has on.
    let ours = text.lines().filter(|line| line.contains("pgtrack")).collect::<Vec<_>>().join("\n");
    assert!(!ours.contains("CANARY") && !ours.contains("424242"), "{ours}");
}
