//! Tables as they were, and the way back there.

use pgtrack_dashboard::Role;

use crate::support::on_site;

const NOW: &str =
    "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";

#[test]
fn a_table_is_shown_as_it_was_and_taken_back() {
    on_site(async |site| {
        site.client()
            .await
            .batch_execute("SELECT pgtrack.tag('before', 'the import')")
            .await
            .unwrap();
        let before = site.value(NOW).await;
        site.run("UPDATE shop.users SET points = 0 WHERE id = 1; INSERT INTO shop.users VALUES (9, 'New', 1)").await;
        site.run("DELETE FROM shop.order_items; DELETE FROM shop.orders; DELETE FROM shop.users WHERE id = 2").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let blank = browser.get("/c/shop/tables/shop.users/as-of").await;
        assert_eq!(blank.attribute("datalist#tags option", "value"), "before");
        for point in [&*before, "before"] {
            let url = format!("/c/shop/tables/shop.users/as-of?point={point}");
            let page = browser.get(&url).await;
            assert_eq!(page.status, 200, "{}", page.text("main"));
            assert_eq!(
                page.texts(".diff .row-head"),
                ["~ updated id=1", "− deleted id=2", "+ inserted id=9"],
                "{point}"
            );
            let rows = browser.follow(&page, "nav.switch a:nth-child(2)").await;
            assert_eq!(rows.texts("tbody th"), ["1", "2", "3"]);
            assert_eq!(rows.texts("tbody tr:first-child td"), ["Ada", "10", "NULL"]);
        }
        let page = browser.get("/c/shop/tables/shop.users/as-of?point=before").await;
        let plan = browser.follow(&page, "a[data-undo]").await;
        assert_eq!(plan.text("h1"), "Revert shop.users to before");
        assert!(
            plan.text(".lead").contains("the table is as it was at before"),
            "{}",
            plan.text(".lead")
        );
        let applied = browser.submit(&plan, "form.confirm", &[("reason", "a bad import")]).await;
        assert_eq!(applied.status, 303, "{}", applied.text("main"));
        let state = "SELECT string_agg(id || ':' || points, ' ' ORDER BY id) FROM shop.users";
        assert_eq!(site.value(state).await, "1:10 2:20 3:30");
        let after = browser.get("/c/shop/tables/shop.users/as-of?point=before").await;
        assert!(after.text(".blank").contains("Nothing has changed since"));
    });
}

#[test]
fn points_that_are_none_are_explained() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        for (point, text) in [
            ("nowhere", "no point"),
            ("2001-01-01", "not known"),
            ("2999-01-01", "in the future"),
            ("xid:1", "No change of transaction 1"),
            ("%3Cscript%3E", "There is no point \"<script>\""),
        ] {
            let page = browser.get(&format!("/c/shop/tables/shop.users/as-of?point={point}")).await;
            assert!(page.status.is_client_error(), "{point}: {}", page.status);
            assert!(page.text("main").contains(text), "{point}: {}", page.text("main"));
        }
        let keyless = browser.get("/c/shop/tables/shop.visits/as-of?point=now").await;
        assert_eq!(keyless.status, 200);
        assert!(keyless.text(".notice").contains("no primary key"));
    });
}

#[test]
fn many_rows_come_page_by_page() {
    on_site(async |site| {
        site.run("INSERT INTO shop.users SELECT i, 'x', 0 FROM generate_series(1000, 1120) i")
            .await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let mut page = browser.get("/c/shop/tables/shop.users/as-of?point=now&show=rows").await;
        let mut seen = page.texts("tbody th");
        while page.has("a[rel=next]") {
            page = browser.follow(&page, "a[rel=next]").await;
            seen.extend(page.texts("tbody th"));
        }
        assert_eq!(seen.len(), 124);
    });
}

#[test]
fn what_a_program_did_is_undone_as_a_whole() {
    on_site(async |site| {
        let import =
            pgtrack_testkit::connect(&(site.database.url() + "?application_name=import")).await;
        crate::support::run(&import, "UPDATE shop.users SET points = 1").await;
        site.run("UPDATE shop.orders SET status = 'kept'").await;
        crate::support::run(&import, "UPDATE shop.users SET name = 'x' WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let page = browser.get("/c/shop/changes?app=import&since=1h").await;
        let plan = browser.follow(&page, "header a[data-undo]").await;
        assert!(
            plan.text("h1").starts_with("Undo everything by application import, since "),
            "{}",
            plan.text("h1")
        );
        let applied = browser.submit(&plan, "form.confirm", &[("reason", "wrong file")]).await;
        assert_eq!(applied.status, 303, "{}", applied.text("main"));
        let state = "SELECT string_agg(name || points, ' ' ORDER BY id) || (SELECT min(status) FROM shop.orders) FROM shop.users";
        assert_eq!(site.value(state).await, "Ada10 Grace20 Alan30kept");
        assert!(
            !browser.get("/c/shop/changes?app=import&op=update").await.has("header a[data-undo]")
        );
    });
}
