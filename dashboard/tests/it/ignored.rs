//! Changes of ignored columns alone are left out of lists, visibly, and nowhere else.

use pgtrack_dashboard::Role;

use crate::support::{Browser, Page, Site, on_site};

async fn ignore(site: &Site, patterns: &str) {
    let sql = "INSERT INTO pgtrack_dashboard.column_rule SELECT 'shop', 'ignore', unnest(string_to_array($1, ' '))";
    site.client().await.execute(sql, &[&patterns]).await.expect("the rules can be written");
}

/// The numbers of the statements that a page lists, newest first.
fn listed(page: &Page) -> Vec<String> {
    page.texts(".entry .open > a:first-child")
        .iter()
        .map(|text| text.replace("Change ", ""))
        .collect()
}

async fn changes(browser: &mut Browser, query: &str) -> Page {
    let page = browser.get(&format!("/c/shop/changes{query}")).await;
    assert_eq!(page.status, 200, "{}", page.text("main"));
    page
}

#[test]
fn updates_of_ignored_columns_alone_are_left_out_and_counted() {
    on_site(async |site| {
        for sql in [
            "UPDATE shop.users SET points = points + 1 WHERE id = 1",
            "UPDATE shop.users SET points = points + 1, note = 'b' WHERE id = 1",
            "UPDATE shop.users SET points = points + 1 WHERE id = 1",
            "UPDATE shop.users SET points = points + 1 WHERE id <> 1",
            "UPDATE shop.users SET points = 0, name = name || CASE id WHEN 3 THEN '!' ELSE '' END",
            "UPDATE shop.orders SET status = 'sent' WHERE id = 100",
            "DELETE FROM shop.order_items WHERE order_id = 101",
            "UPDATE shop.users SET points = 7 WHERE id = 1",
        ] {
            site.run(sql).await;
        }
        ignore(site, "*.points").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let page = changes(&mut browser, "").await;
        assert_eq!(listed(&page), ["7", "6", "5", "2"]);
        assert!(
            page.text(".ignored").starts_with("4 hidden by rules"),
            "{}",
            page.text(".ignored")
        );
        let all = browser.follow(&page, ".ignored a").await;
        assert_eq!(listed(&all).len(), 8);
        assert!(all.text(".ignored").contains("All changes are shown"));
        assert_eq!(listed(&browser.follow(&all, ".ignored a").await).len(), 4);
        // With a filter, as transactions, from a point on, on the overview, on the table's page, and in files.
        assert_eq!(listed(&changes(&mut browser, "?table=shop.users").await), ["5", "2"]);
        assert_eq!(listed(&changes(&mut browser, "?before=5").await), ["2"]);
        assert_eq!(changes(&mut browser, "?view=transactions").await.texts(".entry").len(), 4);
        let overview = browser.get("/c/shop").await;
        assert_eq!(overview.texts(".entry").len(), 4);
        assert!(overview.text(".ignored").starts_with("4 hidden"));
        let table = browser.get("/c/shop/tables/shop.users").await;
        assert_eq!(table.texts(".version").len(), 2, "rows, not statements");
        assert_eq!(browser.follow(&table, ".ignored a").await.texts(".version").len(), 9);
        let csv = browser.get("/c/shop/changes.csv").await.html;
        assert_eq!(csv.lines().count(), 5, "{csv}");
        assert_eq!(browser.get("/c/shop/changes.csv?ignored=show").await.html.lines().count(), 9);
        // What is named is shown: a change, a transaction, a row.
        assert_eq!(browser.get("/c/shop/changes/1").await.status, 200);
        let row = browser.get("/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D").await;
        assert_eq!(row.texts(".timeline .version:not(.origin)").len(), 5);
        assert!(row.text(".timeline").contains("Show 1 ignored column"));
        assert_eq!(row.texts(".timeline .diff tbody > tr > th[scope=row]"), ["note"]);
    });
}

#[test]
fn what_cannot_be_told_is_shown() {
    on_site(async |site| {
        site.run("CREATE TABLE shop.many AS SELECT i AS id, 0 AS points FROM generate_series(1, 30) i;
                  ALTER TABLE shop.many ADD PRIMARY KEY (id); SELECT FROM pgtrack.track('shop.many')").await;
        for sql in [
            // Many rows; another key; nobody to ask; a column that was added since; one that was retyped.
            "UPDATE shop.many SET points = 1",
            "UPDATE shop.many SET id = 100, points = 2 WHERE id = 1",
            "INSERT INTO shop.visits VALUES ('/'); UPDATE shop.visits SET path = '/x'",
            "UPDATE shop.users SET points = 1 WHERE id = 1",
            "ALTER TABLE shop.users ADD COLUMN more text; ALTER TABLE shop.many ALTER COLUMN points TYPE bigint",
            "UPDATE shop.users SET more = 'x' WHERE id = 1",
        ] {
            site.run(sql).await;
        }
        ignore(site, "points path").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let page = changes(&mut browser, "?op=update").await;
        assert_eq!(page.texts(".entry").len(), 5, "{}", page.text(".feed"));
        assert!(!page.has(".ignored"));
        site.run("UPDATE shop.users SET points = 2 WHERE id = 1").await;
        assert_eq!(changes(&mut browser, "?op=update").await.texts(".entry").len(), 5);
    });
}

#[test]
fn a_page_goes_on_where_it_ended() {
    on_site(async |site| {
        site.client()
            .await
            .batch_execute(
                "DO $$ BEGIN FOR i IN 1..260 LOOP
                   UPDATE shop.users SET points = i, note = CASE WHEN i % 4 = 0 THEN i::text ELSE note END WHERE id = 1; COMMIT;
                 END LOOP; END $$",
            )
            .await
            .unwrap();
        ignore(site, "points").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let mut page = changes(&mut browser, "").await;
        let (mut all, mut hidden) = (Vec::new(), 0);
        loop {
            all.extend(listed(&page));
            let text = page.text(".ignored");
            hidden +=
                text.split(' ').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
            if !page.has(".pager a[rel=next]") {
                break;
            }
            page = browser.follow(&page, ".pager a[rel=next]").await;
        }
        let expected: Vec<String> = (1..=65).rev().map(|n| (4 * n).to_string()).collect();
        assert_eq!(all, expected, "every one once");
        assert_eq!(hidden, 195);
    });
}

#[test]
fn the_live_feed_leaves_out_what_the_list_leaves_out() {
    on_site(async |site| {
        ignore(site, "points").await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let cursor = browser.get("/c/shop").await.attribute("#feed", "data-cursor");
        let mut stream = browser.listen(&cursor, None).await;
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        let told = site.run("UPDATE shop.users SET points = 2, note = 'x' WHERE id = 1").await;
        assert_eq!(stream.next().await.unwrap().xid(), told);
    });
}

#[test]
fn rules_are_tried_before_they_are_saved() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        site.run("UPDATE shop.users SET points = 2 WHERE id = 1").await;
        site.run("UPDATE shop.users SET note = 'x' WHERE id = 1").await;
        let mut admin = site.signed_in(Role::Admin).await;
        let tried = admin.get("/c/shop/rules?ignored=*.points").await;
        assert!(
            tried.text("[role=status]").contains("Of the latest 3 changes, 2 would be left out.")
        );
        assert_eq!(tried.text("textarea[name=ignored]"), "*.points");
        assert_eq!(listed(&changes(&mut admin, "").await).len(), 3, "nothing is saved");
        let bad = admin.get("/c/shop/rules?ignored=a%20b").await;
        assert_eq!(bad.status, 422);
        assert!(bad.text("[role=alert]").contains("“a b” is no rule"), "{}", bad.text("main"));
        let form = "form[action$='/rules']";
        let saved = admin.submit(&tried, form, &[("ignored", "*.points")]).await;
        assert_eq!(saved.status, 303);
        assert_eq!(listed(&changes(&mut admin, "").await).len(), 1);
        // An undo of what is left out is an undo like any other.
        let url = "/c/shop/revert/plan?act=undo-statements&statement=2";
        let plan = admin.get(url).await;
        assert_eq!(plan.texts(".diff td.new .text"), ["1"]);
    });
}
