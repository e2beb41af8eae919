//! One change, one row, one column: now, then, and what differs.

use pgtrack_dashboard::Role;

use crate::support::on_site;

const USER_1: &str = "/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D";

#[test]
fn a_change_shows_its_statement_and_its_rows() {
    on_site(async |site| {
        site.run(
            "UPDATE shop.orders SET status = 'lost'; UPDATE shop.users SET points = 0 WHERE id < 3",
        )
        .await;
        let mut browser = site.signed_in(Role::Operator).await;
        let list = browser.get("/c/shop/changes").await;
        let page = browser.follow(&list, ".entry .open a").await;
        assert!(page.text("h1").starts_with("Change "));
        assert_eq!(
            page.texts(".diff .row-head"),
            ["~ updated id=1 version 1", "~ updated id=2 version 1"]
        );
        assert!(page.texts("pre.query .kw").contains(&"UPDATE".to_owned()));
        let plan = browser.follow(&page, "a.button.primary").await;
        assert!(plan.text(".lead").contains("set 2 rows back"));
        browser.submit(&plan, "form.confirm", &[("reason", "only these")]).await;
        let state = "SELECT string_agg(status, ' ') FROM shop.orders";
        assert_eq!(site.value(state).await, "lost lost", "the transaction's other change stays");
        assert_eq!(site.value("SELECT sum(points)::text FROM shop.users").await, "60");
        assert_eq!(browser.get("/c/shop/changes/999999").await.status, 404);
    });
}

#[test]
fn any_two_versions_are_compared() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET name = 'B' WHERE id = 1").await;
        site.run("UPDATE shop.users SET name = 'C', points = 5 WHERE id = 1").await;
        site.run("UPDATE shop.users SET note = 'n' WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser.get(&format!("{USER_1}?from=v1&to=v2")).await;
        assert_eq!(page.text("h2#compared"), "version 1 compared with version 2");
        assert_eq!(
            page.texts("section[aria-labelledby=compared] td"),
            ["− B", "+ C", "− 10", "+ 5", "Show 2 unchanged columns id 1 note NULL"]
        );
        let page = browser.get(&format!("{USER_1}?from=v0&to=current")).await;
        assert_eq!(page.texts("section[aria-labelledby=compared] td.new"), ["+ C", "+ 5", "+ n"]);
        let page = browser.get(&format!("{USER_1}?from=current&to=current")).await;
        assert!(page.text("section[aria-labelledby=compared]").contains("do not differ"));
        for bad in ["from=v9", "from=x", "to=v-1"] {
            assert_eq!(browser.get(&format!("{USER_1}?{bad}")).await.status, 404, "{bad}");
        }
    });
}

#[test]
fn a_column_has_a_history_and_an_author() {
    on_site(async |site| {
        site.run("SELECT pgtrack.set_actor('grace', true); UPDATE shop.users SET name = 'B' WHERE id = 1").await;
        site.run("UPDATE shop.users SET points = 5 WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser.get(USER_1).await;
        assert_eq!(
            page.texts(".image .blame").first_chunk::<4>().unwrap(),
            &["since before tracking", "v1 grace", "v2 postgres", "since before tracking"]
        );
        let cell = browser.follow(&page, ".card .image div:nth-child(2) a").await;
        assert_eq!(cell.texts("section[aria-labelledby=cell] td[data-head=Value]"), ["B", "Ada"]);
        assert_eq!(
            cell.texts("section[aria-labelledby=cell] td[data-head=Who]"),
            ["grace", "not recorded"]
        );
    });
}

#[test]
fn a_row_is_shown_as_it_was() {
    on_site(async |site| {
        let now = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
        let before = site.value(now).await;
        site.run("UPDATE shop.users SET name = 'B' WHERE id = 1").await;
        let between = site.value(now).await;
        site.run("DELETE FROM shop.order_items; DELETE FROM shop.orders; DELETE FROM shop.users WHERE id = 1").await;
        let after = site.value(now).await;
        let mut browser = site.signed_in(Role::Viewer).await;
        for (at, text) in [
            (&*before, "Ada"),
            (&between, "B"),
            (&after, "There was no such row."),
            ("2001-01-01", "That is not known"),
            ("soon", "is no time"),
        ] {
            let page = browser.get(&format!("{USER_1}?at={at}")).await;
            assert!(
                page.text("section[aria-labelledby=past]").contains(text),
                "{at}: {}",
                page.text("main")
            );
        }
    });
}

#[test]
fn values_show_what_differs_inside() {
    on_site(async |site| {
        let sql = "CREATE TABLE shop.things (id int PRIMARY KEY, doc jsonb, body text, data bytea, tags int[]);
                   INSERT INTO shop.things VALUES (1, '{\"a\": {\"b\": 1}, \"c\": true}',
                     'The quick brown fox jumps over the lazy dog', '\\x0102', '{1,2}');
                   SELECT FROM pgtrack.track('shop.things')";
        site.client().await.batch_execute(sql).await.unwrap();
        let sql =
            "UPDATE shop.things SET doc = '{\"a\": {\"b\": 2}, \"c\": true}', data = '\\x010203',
                     body = 'The quick red fox jumps over the lazy dog', tags = '{1,3}'";
        let xid = site.run(sql).await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser.get(&format!("/c/shop/tx/{xid}")).await;
        assert_eq!(page.texts("td.old .paths dt"), ["a.b", "[1]"]);
        assert_eq!(page.texts("td.new .paths dd"), ["2", "3"]);
        assert_eq!(page.texts("td.old del"), ["brown"]);
        assert_eq!(page.texts("td.new ins"), ["red"]);
        assert_eq!(page.texts("td.new .note"), ["3 bytes"]);
        assert_eq!(page.attribute(".diff th[scope=row]", "title"), "jsonb");
    });
}
