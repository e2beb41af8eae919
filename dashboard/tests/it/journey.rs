//! Find a wrong UPDATE, undo it, and undo the undo: by links and forms alone.

use pgtrack_dashboard::Role;

use crate::support::on_site;

#[test]
fn find_and_undo_and_undo_the_undo() {
    on_site(async |site| {
        let wrong = site.run("UPDATE shop.users SET points = 0, note = 'oops'").await;
        let points = "SELECT string_agg(points::text, ',' ORDER BY id) FROM shop.users";
        assert_eq!(site.value(points).await, "0,0,0");
        let mut browser = site.signed_in(Role::Operator).await;

        let overview = browser.get("/c/shop").await;
        assert_eq!(overview.text(".entry .effects"), "shop.users ~ 3 updated");
        let transaction = browser.follow(&overview, ".entry a.open").await;
        assert_eq!(transaction.text("h1"), format!("Transaction {wrong}"));
        assert_eq!(transaction.texts(".diff .row-head a.key"), ["id=1", "id=2", "id=3"]);

        let plan = browser.follow(&transaction, "a.button.primary").await;
        assert_eq!(plan.text("h1"), format!("Undo transaction {wrong}"));
        assert!(plan.text(".lead").starts_with("This will set 3 rows back"));
        assert_eq!(plan.text("form.confirm button.primary"), "Undo 3 changes");
        assert_eq!(site.value(points).await, "0,0,0", "a plan changes nothing");

        // More than one row needs a reason.
        let refused = browser.submit(&plan, "form.confirm", &[("reason", "  ")]).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text("[role=alert]").contains("say why"));
        let reason = [("reason", "The WHERE clause was missing")];
        let applied = browser.submit(&refused, "form.confirm", &reason).await;
        let result = browser.redirect(&applied).await;
        assert_eq!(site.value(points).await, "10,20,30");
        assert_eq!(result.text("h1 ~ .badge.undo"), format!("↶ Undo of transaction {wrong}"));
        assert_eq!(result.text(".message"), "The WHERE clause was missing");
        assert!(result.text(".facts").contains("operator"), "{}", result.text(".facts"));
        assert_eq!(
            browser.follow(&result, "a.badge.undo").await.text("h1"),
            transaction.text("h1")
        );

        let plan = browser.follow(&result, "a.button.primary").await;
        let applied = browser.submit(&plan, "form.confirm", &[("reason", "It was right")]).await;
        assert_eq!(applied.status, 303);
        assert_eq!(site.value(points).await, "0,0,0");

        let overview = browser.get("/c/shop").await;
        assert_eq!(overview.texts(".entry .badge.undo").len(), 2);
        let audit = "SELECT string_agg(action || ' ' || name, ', ' ORDER BY audit_id)
                     FROM pgtrack_dashboard.audit WHERE xid IS NOT NULL";
        assert_eq!(site.value(audit).await, "revert applied operator, revert applied operator");
    });
}

#[test]
fn restore_a_deleted_row() {
    on_site(async |site| {
        site.run("DELETE FROM shop.order_items WHERE order_id = 101").await;
        site.run("DELETE FROM shop.orders WHERE id = 101").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let tables = browser.get("/c/shop/tables").await;
        assert_eq!(tables.texts("table.list tbody th").len(), 4);
        let table = browser.get("/c/shop/tables/shop.orders").await;
        let deleted = browser.follow(&table, "nav.tabs a:nth-child(2)").await;
        assert_eq!(deleted.texts(".version h2"), ["id=101"]);
        assert_eq!(deleted.texts(".image dd"), ["101", "2", "paid"]);

        let plan = browser.follow(&deleted, ".version .actions a").await;
        assert_eq!(plan.text("h1"), "Restore the deleted row id=101");
        assert_eq!(plan.text("form.confirm button"), "Restore 1 row");
        let applied = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        let result = browser.redirect(&applied).await;
        assert!(result.has(".badge.undo"));
        assert_eq!(site.value("SELECT status FROM shop.orders WHERE id = 101").await, "paid");
        let deleted = browser.get("/c/shop/tables/shop.orders/deleted").await;
        assert!(deleted.text(".blank").contains("Nothing is missing."));
    });
}

#[test]
fn restore_an_older_version_of_a_row() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET name = 'Ada L.' WHERE id = 1").await;
        site.run("UPDATE shop.users SET name = 'A. Lovelace', points = 11 WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let row = browser.get("/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D").await;
        assert_eq!(row.text("h2#history"), "2 versions");
        assert_eq!(
            row.texts(".version h3"),
            ["~ updated version 2", "~ updated version 1", "Before version 1"]
        );
        assert_eq!(
            row.texts(".card .image dd"),
            [
                "1 since before tracking",
                "A. Lovelace v2 postgres",
                "11 v2 postgres",
                "NULL since before tracking"
            ]
        );

        let plan = browser.follow(&row, "#v1 .actions a:last-child").await;
        assert_eq!(plan.text("h1"), "Restore version 1 of id=1");
        assert_eq!(plan.texts(".diff td.new .text"), ["Ada L.", "10"]);
        let applied = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        assert_eq!(applied.status, 303);
        let state = "SELECT name || ' ' || points FROM shop.users WHERE id = 1";
        assert_eq!(site.value(state).await, "Ada L. 10");

        let row = browser.get("/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D").await;
        let plan = browser.follow(&row, ".version.origin .actions a").await;
        assert_eq!(plan.text("form.confirm button"), "Restore first state");
        browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        assert_eq!(site.value(state).await, "Ada 10");
    });
}

#[test]
fn undo_the_last_change_of_a_composite_key() {
    on_site(async |site| {
        site.run("INSERT INTO shop.order_items VALUES (101, 8, 9)").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let table = browser.get("/c/shop/tables/shop.order_items").await;
        let row = browser.follow(&table, ".version a.key").await;
        assert_eq!(row.text("h1"), "order_id=101, product_id=8");
        let plan = browser.follow(&row, "a.button.primary").await;
        assert!(
            plan.text(".lead").starts_with("This will delete the row"),
            "{}",
            plan.text(".lead")
        );
        browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        let rows =
            "SELECT count(*)::text FROM shop.order_items WHERE product_id = 8 AND order_id = 101";
        assert_eq!(site.value(rows).await, "0");
    });
}
