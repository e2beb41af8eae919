//! What the pages show, and what they say when there is nothing to show.

use pgtrack_dashboard::Role;

use crate::support::on_site;

#[test]
fn the_overview_tells_who_did_what_from_where() {
    on_site(async |site| {
        let application = "?application_name=billing";
        let client = pgtrack_testkit::connect(&(site.database.url() + application)).await;
        let sql = "SELECT pgtrack.set_actor('grace', true), pgtrack.set_message('Month end');
                   UPDATE shop.users SET points = points + 1;
                   INSERT INTO shop.orders VALUES (102, 1, 'new')";
        crate::support::run(&client, sql).await;
        // As if the proxy had said it, in the startup packet.
        site.run("UPDATE pgtrack.statement SET context = '1 10.1.2.3 5555 7' WHERE application = 'billing'").await;
        site.run("DELETE FROM shop.order_items WHERE order_id = 100").await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser.get("/c/shop").await;
        assert!(page.text("title").contains("Overview · The shop"));
        assert!(page.text(".facts.strip").contains("Tracked tables 4"), "{}", page.text(".facts"));
        assert_eq!(
            page.texts(".entry .effects"),
            ["shop.order_items − 2 deleted", "shop.users ~ 3 updated shop.orders + 1 inserted",]
        );
        let who = page.texts(".entry .who");
        assert!(who[0].starts_with("postgres 127.0.0.1, direct"), "{who:?}");
        assert_eq!(who[1], "grace billing 10.1.2.3 via proxy, as postgres");
        assert_eq!(page.text(".entry .message"), "Month end");
        assert!(page.has(".entry time[datetime$=Z]") && page.text(".entry .zone").contains("UTC"));
        assert!(page.text(".entry .query").contains("DELETE FROM shop.order_items"));
    });
}

#[test]
fn the_activity_pages_back_without_gaps() {
    on_site(async |site| {
        let many = "DO $$ BEGIN FOR i IN 1..120 LOOP
                      UPDATE shop.users SET points = i WHERE id = 1; COMMIT;
                    END LOOP; END $$";
        site.client().await.batch_execute(many).await.unwrap();
        let mut browser = site.signed_in(Role::Viewer).await;
        let overview = browser.get("/c/shop").await;
        assert_eq!(overview.texts(".entry").len(), 20);
        let mut page = browser.follow(&overview, ".pager a").await;
        assert!(page.has("#feed[data-live]"));
        let mut seen = page.texts(".entry a.open");
        while page.has("a[rel=next]") {
            page = browser.follow(&page, "a[rel=next]").await;
            assert!(!page.has("#feed[data-live]"), "earlier pages do not move");
            seen.extend(page.texts(".entry a.open"));
        }
        assert_eq!(seen.len(), 120);
        let mut distinct = seen.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), 120);
    });
}

#[test]
fn empty_states_say_what_comes_next() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        assert!(
            browser
                .get("/c/shop")
                .await
                .text(".blank")
                .contains("No change has been recorded yet.")
        );
        let table = browser.get("/c/shop/tables/shop.users").await;
        assert!(table.text(".blank").contains("No change of this table"));
        site.client().await.batch_execute("SELECT FROM pgtrack.untrack('shop')").await.unwrap();
        assert!(browser.get("/c/shop").await.text(".blank").contains("pgtrack.track("));
        assert!(browser.get("/c/shop/tables").await.text(".blank").contains("pgtrack.track("));
        let earlier = browser.get("/c/shop/changes?before=1").await;
        assert!(earlier.text(".blank").contains("no earlier"), "{}", earlier.text("main"));
    });
}

#[test]
fn a_transaction_shows_every_column_that_changed() {
    on_site(async |site| {
        let sql = "UPDATE shop.users SET note = NULL WHERE id = 2; UPDATE shop.users SET note = '' WHERE id = 1;
                   INSERT INTO shop.orders VALUES (102, 3, 'new')";
        let xid = site.run(sql).await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser.get(&format!("/c/shop/tx/{xid}")).await;
        assert_eq!(page.texts("section h2 a"), ["shop.users", "shop.orders"]);
        assert_eq!(
            page.texts(".diff .row-head"),
            ["~ updated id=2 version 1", "~ updated id=1 version 1", "+ inserted id=102 version 1",]
        );
        assert_eq!(page.texts("td.old"), ["− \"\"", "− NULL"]);
        assert_eq!(page.texts("td.new"), ["+ NULL", "+ \"\"", "+ 102", "+ 3", "+ new"]);
        assert_eq!(page.texts(".unchanged summary").first().unwrap(), "Show 3 unchanged columns");
        let user = browser.follow(&page, ".diff a.key").await;
        assert_eq!(user.text("h1"), "id=2");
    });
}

#[test]
fn a_large_transaction_is_cut_and_says_so() {
    on_site(async |site| {
        let xid = site
            .run("INSERT INTO shop.users SELECT i, 'x', 0 FROM generate_series(1000, 1300) i")
            .await;
        let mut browser = site.signed_in(Role::Operator).await;
        let page = browser.get(&format!("/c/shop/tx/{xid}")).await;
        assert!(
            page.text(".notice").contains("Only the first 200 rows are shown."),
            "{}",
            page.text(".notice")
        );
        assert_eq!(page.texts(".diff .row-head").len(), 200);
        let plan = browser.follow(&page, "a.button.primary").await;
        assert!(plan.text(".notice").contains("Only the first 200 of 301 rows"));
        assert_eq!(plan.texts(".diff .row-head").len(), 200);
        let applied = browser.submit(&plan, "form.confirm", &[("reason", "too many")]).await;
        assert_eq!(applied.status, 303);
        assert_eq!(site.value("SELECT count(*)::text FROM shop.users").await, "3");
    });
}

#[test]
fn a_table_without_a_key_is_shown_with_a_warning() {
    on_site(async |site| {
        site.run("INSERT INTO shop.visits VALUES ('/a')").await;
        let xid = site.run("UPDATE shop.visits SET path = '/b'").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let page = browser.get("/c/shop/tables/shop.visits").await;
        assert!(page.text(".notice").contains("has no primary key"));
        assert!(!page.has("nav.tabs") && !page.has(".version a.key"));
        assert_eq!(
            page.texts(".version h3"),
            ["~ updated a row without a key", "+ inserted a row without a key",]
        );
        assert!(page.text(".version").contains("what the row became cannot be told"));
        assert_eq!(browser.get("/c/shop/tables/shop.visits/deleted").await.status, 409);
        let plan =
            browser.get(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        assert_eq!(plan.status, 409);
        assert!(plan.text("main").contains("no primary key"));
    });
}

#[test]
fn what_is_not_there_is_explained_within_the_design() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        for (url, status, text) in [
            ("/nowhere", 404, "no page at this address"),
            ("/c/shop/tx/1", 404, "No change of transaction 1 is recorded"),
            ("/c/shop/tx/abc", 404, "no page at this address"),
            ("/c/shop/tx/99999999999999999999", 404, "no page at this address"),
            ("/c/shop/tx/-1", 404, "No change of transaction -1 is recorded"),
            ("/c/shop/tables/shop.nothing", 404, "No table shop.nothing is tracked"),
            ("/c/shop/tables/shop.untracked", 404, "No table shop.untracked is tracked"),
            ("/c/shop/tables/nonsense", 404, "No table nonsense is tracked"),
            ("/c/shop/tables/shop.users/rows/7", 400, "a key looks like"),
            (
                "/c/shop/tables/shop.users/rows/%7B%22id%22:7%7D",
                404,
                "No change of shop.users (id=7)",
            ),
            (
                "/c/shop/tables/shop.users/rows/%7B%22no%22:7%7D",
                400,
                "does not fit table shop.users",
            ),
            ("/c/shop/revert", 405, "does not answer this kind of request"),
        ] {
            let page = browser.get(url).await;
            assert_eq!(page.status, status, "{url}: {}", page.text("main"));
            assert!(page.text("main").contains(text), "{url}: {}", page.text("main"));
            assert!(page.text("main").contains(page.header("x-request-id")), "{url}");
            assert!(
                page.has("nav.main") && page.has("details.menu"),
                "{url}: the navigation is there"
            );
        }
        assert_eq!(browser.get("/c/shop/revert").await.header("allow"), "POST");
        assert_eq!(site.browser().get("/healthz").await.html, "ok\n");
    });
}

#[test]
fn pages_can_be_used_by_keyboard_and_screen_reader() {
    on_site(async |site| {
        let xid = site.run("UPDATE shop.users SET points = 0").await;
        let mut browser = site.signed_in(Role::Admin).await;
        for url in [
            "/c/shop".to_owned(),
            "/c/shop/changes".to_owned(),
            "/c/shop/changes?view=transactions&op=update".to_owned(),
            "/c/shop/tables".to_owned(),
            "/c/shop/tables/shop.users".to_owned(),
            "/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D".to_owned(),
            format!("/c/shop/tx/{xid}"),
            format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}"),
            "/login".to_owned(),
            "/nowhere".to_owned(),
        ] {
            let page = browser.get(&url).await;
            assert_eq!(page.attribute("html", "lang"), "en", "{url}");
            assert_eq!(page.texts("h1").len(), 1, "{url}");
            assert_eq!(page.attribute("a.skip", "href"), "#main", "{url}");
            assert!(page.has("main#main"), "{url}");
            assert_eq!(page.texts("table").len(), page.texts("table > caption").len(), "{url}");
            assert!(!page.has("thead th:not([scope])"), "{url}");
            assert!(!page.has("tbody th:not([scope])"), "{url}");
            for input in ["name", "password", "reason"] {
                let has_input = page.has(&format!("input#{input}"));
                assert_eq!(has_input, page.has(&format!("label[for={input}]")), "{url} {input}");
            }
            assert!(!page.has("svg:not([aria-hidden]):not([role])"), "{url}");
        }
    });
}
