//! The list of changes: filters, groups, pages, saved views, files.

use pgtrack_dashboard::Role;

use crate::support::{Browser, Page, Site, on_site, run};

/// Four transactions by different people with different programs.
async fn prepare(site: &Site) -> [i64; 4] {
    let client = site.client().await;
    let first = run(&client, "UPDATE shop.users SET points = 11 WHERE id = 1").await;
    let import =
        pgtrack_testkit::connect(&(site.database.url() + "?application_name=import")).await;
    let sql = "SELECT pgtrack.set_actor('grace', true), pgtrack.set_message('Month end');
               INSERT INTO shop.orders VALUES (102, 1, 'new'); UPDATE shop.users SET name = 'G' WHERE id = 2";
    let second = run(&import, sql).await;
    let third = run(&client, "DELETE FROM shop.order_items WHERE order_id = 101").await;
    let fourth = run(&client, &format!("SELECT FROM pgtrack.undo_transaction({first})")).await;
    [first, second, third, fourth]
}

fn entries(page: &Page) -> Vec<String> {
    page.texts(".entry .effects")
}

async fn changes(browser: &mut Browser, query: &str) -> Vec<String> {
    let page = browser.get(&format!("/c/shop/changes?{query}")).await;
    assert_eq!(page.status, 200, "{query}: {}", page.text("main"));
    assert!(!page.has("[role=alert]"), "{query}: {}", page.text("[role=alert]"));
    entries(&page)
}

#[test]
fn every_filter_leaves_what_it_says() {
    on_site(async |site| {
        let [first, second, ..] = prepare(site).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let undo = "shop.users ~ 1 updated";
        let delete = "shop.order_items − 1 deleted";
        let (user, order) = ("shop.users ~ 1 updated", "shop.orders + 1 inserted");
        let update = "shop.users ~ 1 updated";
        let at = site
            .value(&format!("SELECT to_char(max(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM pgtrack.activity WHERE xid = {first}"))
            .await;
        for (query, expected) in [
            ("", &[undo, delete, user, order, update] as &[&str]),
            ("table=shop.users", &[undo, user, update]),
            ("table=shop.users&table=shop.orders", &[undo, user, order, update]),
            ("op=insert&op=delete", &[delete, order]),
            ("who=grace", &[user, order]),
            ("app=import", &[user, order]),
            ("q=month", &[user, order]),
            ("q=DELETE+from", &[delete]),
            ("q=100%25", &[]),
            (&format!("xid={second}"), &[user, order]),
            ("reverts=on", &[undo]),
            ("since=1h", &[undo, delete, user, order, update]),
            ("until=1h", &[]),
            (&format!("since={at}"), &[undo, delete, user, order, update]),
            (&format!("until={at}"), &[]),
            ("table=shop.users&key=%7B%22id%22:2%7D", &[user]),
            ("table=shop.users&column=name", &[user]),
            ("table=shop.users&column=points", &[undo, update]),
            ("table=shop.users&column=points&value=11", &[undo, update]),
            ("table=shop.users&column=name&value=G", &[user]),
            ("table=shop.users&column=name&value=Grace", &[user]),
            ("table=shop.users&column=name&value=nobody", &[]),
            ("table=shop.orders&column=status&value=new", &[order]),
        ] {
            assert_eq!(changes(&mut browser, query).await, expected, "{query}");
        }
        let page = browser.get("/c/shop/changes?view=transactions&table=shop.orders").await;
        assert_eq!(entries(&page), ["shop.orders + 1 inserted shop.users ~ 1 updated"]);
    });
}

#[test]
fn what_the_changes_have_in_common_narrows_the_filter() {
    on_site(async |site| {
        prepare(site).await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser.get("/c/shop/changes?table=shop.users&table=shop.orders").await;
        assert_eq!(page.texts(".facets h3"), ["Tables", "Operations", "People and programs"]);
        assert_eq!(
            page.texts(".facets .ranking li"),
            ["shop.users 3", "shop.orders 1", "UPDATE 3", "INSERT 1", "grace 2", "postgres 2"]
        );
        let most = |facet: usize| {
            let link = format!(".facets section:nth-of-type({facet}) li:first-child a");
            page.attribute(&link, "href")
        };
        let narrowed = browser.get(&most(1)).await;
        assert_eq!(entries(&narrowed), ["shop.users ~ 1 updated"; 3]);
        assert_eq!(narrowed.texts(".facets h3"), ["People and programs"]);
        let narrowed = browser.get(&most(3)).await;
        assert_eq!(entries(&narrowed), ["shop.users ~ 1 updated", "shop.orders + 1 inserted"]);
        let none = browser.get("/c/shop/changes?xid=1").await;
        assert!(!none.has(".facets"), "nothing can be narrowed");
    });
}

#[test]
fn what_cannot_be_looked_for_is_said_and_kept_in_the_form() {
    on_site(async |site| {
        prepare(site).await;
        let mut browser = site.signed_in(Role::Viewer).await;
        for (query, text) in [
            ("since=soon", "“soon” is no time"),
            ("table=users", "“users” is no table"),
            ("column=name", "in one table"),
            ("table=shop.users&column=nothing", "no such column"),
            ("table=shop.visits&column=path", "no primary key"),
        ] {
            let page = browser.get(&format!("/c/shop/changes?{query}")).await;
            assert_eq!(page.status, 200);
            assert!(page.text("[role=alert]").contains(text), "{query}: {}", page.text("main"));
            assert!(page.has(".chip"), "{query}");
        }
        let page = browser.get("/c/shop/changes?who=%3Cscript%3E").await;
        assert!(page.text(".blank").contains("No change passes this filter"));
        assert_eq!(page.attribute("input[name=who]", "value"), "<script>");
        let open = browser.follow(&page, ".blank .chip a").await;
        assert_eq!(entries(&open).len(), 5);
    });
}

#[test]
fn chips_take_filters_away_one_by_one() {
    on_site(async |site| {
        prepare(site).await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser.get("/c/shop/changes?table=shop.users&op=update&who=grace").await;
        assert_eq!(
            page.texts(".chips-row .chip span"),
            ["Table: shop.users", "Operation: update", "Who: grace"]
        );
        let page = browser.follow(&page, ".chips-row .chip:nth-child(3) a").await;
        assert_eq!(page.url, "/c/shop/changes?table=shop.users&op=update");
        assert_eq!(entries(&page).len(), 3);
    });
}

#[test]
fn both_lists_page_back_without_gaps() {
    on_site(async |site| {
        let many = "DO $$ BEGIN FOR i IN 1..130 LOOP
                      UPDATE shop.users SET points = i WHERE id = 1;
                      UPDATE shop.orders SET status = i::text WHERE id = 100; COMMIT;
                    END LOOP; END $$";
        site.client().await.batch_execute(many).await.unwrap();
        let mut browser = site.signed_in(Role::Viewer).await;
        for (query, expected) in [
            ("", 260),
            ("?view=transactions", 130),
            ("?table=shop.users", 130),
            ("?view=transactions&table=shop.users&op=update", 130),
        ] {
            let mut page = browser.get(&format!("/c/shop/changes{query}")).await;
            let mut seen = page.texts(".entry .open");
            while page.has("a[rel=next]") {
                page = browser.follow(&page, "a[rel=next]").await;
                assert!(!page.has("#feed[data-live]"), "earlier pages do not move");
                seen.extend(page.texts(".entry .open"));
            }
            assert_eq!(seen.len(), expected, "{query}");
            seen.sort();
            seen.dedup();
            assert_eq!(seen.len(), expected, "{query}");
        }
    });
}

#[test]
fn the_chart_counts_what_the_list_shows() {
    on_site(async |site| {
        prepare(site).await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let mut page = browser.get("/c/shop/changes").await;
        for _ in 0..50 {
            if page.has(".chart svg") {
                break;
            }
            page = browser.get("/c/shop/changes").await;
        }
        let numbers: Vec<String> = page.texts(".numbers tbody td");
        let sum = |place: usize| -> i64 {
            numbers.iter().skip(place).step_by(3).map(|number| number.parse::<i64>().unwrap()).sum()
        };
        assert_eq!((sum(0), sum(1), sum(2)), (1, 3, 1), "{numbers:?}");
        let part = browser.follow(&page, ".chart svg a").await;
        assert!(part.url.contains("since=") && part.url.contains("until="), "{}", part.url);
        assert!(!entries(&part).is_empty());
    });
}

#[test]
fn views_are_saved_for_their_owner() {
    on_site(async |site| {
        prepare(site).await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser.get("/c/shop/changes?who=grace&before=99").await;
        let saved = browser.submit(&page, "form.save", &[("name", "By Grace <b>")]).await;
        assert_eq!(saved.location(), "/c/shop/changes?who=grace");
        let page = browser.get("/c/shop/changes").await;
        assert_eq!(page.text(".chips[aria-label='Saved views'] a"), "By Grace <b>");
        assert!(!page.html.contains("Grace <b>"));
        let view = browser.follow(&page, ".chips[aria-label='Saved views'] a").await;
        assert_eq!(entries(&view).len(), 2);
        let mut other = site.signed_in(Role::Operator).await;
        assert!(!other.get("/c/shop/changes").await.has(".chips[aria-label='Saved views']"));
        browser.submit(&page, ".chips[aria-label='Saved views'] form", &[]).await;
        assert!(!browser.get("/c/shop/changes").await.has(".chips[aria-label='Saved views']"));
        for query in ["", "?", "who=grace", "?nonsense=1", "?who=a\r\nLocation: x"] {
            let refused = browser.post("/c/shop/views", &[("name", "x"), ("query", query)]).await;
            assert!(refused.status.is_client_error(), "{query:?}: {}", refused.status);
        }
    });
}

#[test]
fn a_search_is_taken_along_as_a_file() {
    on_site(async |site| {
        let client =
            pgtrack_testkit::connect(&(site.database.url() + "?application_name=%3D1%2B1")).await;
        run(&client, "UPDATE shop.users SET points = 0; UPDATE shop.orders SET status = 'x'").await;
        let many = "DO $$ BEGIN FOR i IN 1..1100 LOOP UPDATE shop.users SET points = i WHERE id = 1; END LOOP; END $$";
        site.client().await.batch_execute(many).await.unwrap();
        let mut browser = site.signed_in(Role::Operator).await;
        let csv = browser.get("/c/shop/changes.csv?table=shop.users").await;
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
        assert!(
            csv.header("content-disposition").starts_with("attachment; filename=\"pgtrack-shop-2")
        );
        let lines: Vec<&str> = csv.html.lines().collect();
        assert_eq!(lines.len(), 1102);
        assert!(lines[0].starts_with("change,at,transaction,table"));
        assert!(lines[1101].contains(",'=1+1,"), "{}", lines[1101]);
        let raw = browser.get("/c/shop/changes.csv?app=%3D1%2B1&raw=1").await;
        assert!(raw.html.contains(",=1+1,"), "{}", raw.html);
        let json = browser.get("/c/shop/changes.jsonl?op=update").await;
        let lines: Vec<serde_json::Value> =
            json.html.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1102);
        assert_eq!(lines[1101]["application"], "=1+1");
        let audit = "SELECT name || ' ' || action || ' ' || subject FROM pgtrack_dashboard.audit ORDER BY audit_id DESC LIMIT 1";
        assert_eq!(site.value(audit).await, "operator exported ?op=update");
        assert_eq!(site.signed_in(Role::Viewer).await.get("/c/shop/changes.csv").await.status, 403);
        assert_eq!(browser.get("/c/shop/changes.csv?since=x").await.status, 400);
    });
}

#[test]
fn a_selection_is_undone_in_one_step() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        site.run("UPDATE shop.users SET points = 2 WHERE id = 2").await;
        site.run("UPDATE shop.users SET points = 3 WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let page = browser.get("/c/shop/changes").await;
        let ids: Vec<String> = page.texts(".entry .open a:first-child");
        let id = |index: usize| ids[index].replace("Change ", "");
        let url = format!(
            "{}?act={}&statement={}&statement={}",
            page.attribute("form.select", "action"),
            page.hidden_fields("form.select")[0].1,
            id(0),
            id(2)
        );
        let plan = browser.get(&url).await;
        assert_eq!(plan.text("h1"), "Undo 2 changes");
        assert!(plan.text(".lead").contains("set 1 row back"), "{}", plan.text(".lead"));
        assert!(plan.text(".sql").replace(' ', "").contains(&format!(
            "undo_statements('{{{},{}}}')",
            id(0),
            id(2)
        )));
        let applied = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        assert_eq!(applied.status, 303, "{}", applied.text("main"));
        let state = "SELECT string_agg(points::text, ' ' ORDER BY id) FROM shop.users";
        assert_eq!(site.value(state).await, "10 2 30");

        let page = browser.get("/c/shop/changes?view=transactions").await;
        assert!(page.has(".entry .tick[name=xid]"));
        assert!(!site.signed_in(Role::Viewer).await.get("/c/shop/changes").await.has(".tick"));
    });
}
