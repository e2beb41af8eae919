//! Whatever people store, pages show it as text.

use pgtrack_dashboard::Role;
use scraper::{Html, Selector};

use crate::support::on_site;

const EVIL: &str = r#"CREATE TABLE "<img src=x onerror=alert(1)>"."t""'/?#<b>" (
        "<script>alert(2)</script>" text PRIMARY KEY, "a"" onclick=""x" text, j jsonb);"#;

/// Fails if a page holds anything but the markup that we wrote.
#[track_caller]
fn check(html: &str, what: &str) {
    let document = Html::parse_document(html);
    let all = Selector::parse("*").expect("the selector is valid");
    let mut scripts = 0;
    for element in document.select(&all) {
        let name = element.value().name();
        assert!(
            !["img", "iframe", "b", "object", "style", "base"].contains(&name),
            "{what}: <{name}>\n{html}"
        );
        scripts += usize::from(name == "script");
        for (attribute, value) in element.value().attrs() {
            assert!(!attribute.starts_with("on"), "{what}: {attribute}");
            assert!(!value.trim_start().starts_with("javascript:"), "{what}: {value}");
        }
    }
    assert!(scripts <= 1, "{what}: {scripts} scripts");
}

#[test]
fn stored_markup_stays_text() {
    on_site(async |site| {
        let client = site.client().await;
        let setup = format!(
            r#"CREATE SCHEMA "<img src=x onerror=alert(1)>"; {EVIL}
               SELECT FROM pgtrack.track('"<img src=x onerror=alert(1)>"');
               SET application_name = '"><svg onload=alert(3)>'"#
        );
        client.batch_execute(&setup).await.unwrap();
        let mut browser = site.signed_in(Role::Admin).await;
        let cursor = browser.get("/c/shop").await.attribute("#feed", "data-cursor");
        let table = r#""<img src=x onerror=alert(1)>"."t""'/?#<b>""#;
        let change = |sql: &str| {
            format!(
                "SELECT pgtrack.set_actor('<b>actor</b>', true), pgtrack.set_message('</p><script>alert(4)</script>'); {sql}"
            )
        };
        let key = r#"</textarea><script>alert("5")</script>"#;
        let insert = format!(
            "INSERT INTO {table} VALUES ('{key}', e'\\r\\n<iframe src=javascript:alert(6)>', '{{\"<b>\": \"</script>\"}}')"
        );
        let xid = crate::support::run(&client, &change(&insert)).await;
        let long =
            format!("UPDATE {table} SET j = to_jsonb(repeat('<img src=x onerror=alert(7)>', 50))");
        crate::support::run(&client, &change(&long)).await;

        let overview = browser.get("/c/shop").await;
        let table_page = browser.follow(&overview, ".effects a.table").await;
        let row = browser.follow(&table_page, ".version a.key").await;
        assert_eq!(row.text("h1"), format!("<script>alert(2)</script>={key}"));
        let plan = browser.follow(&row, "a.button.primary").await;
        let undo =
            browser.get(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        let applied =
            browser.submit(&plan, "form.confirm", &[("reason", "<script>alert(8)</script>")]).await;
        let result = browser.redirect(&applied).await;
        crate::support::run(&client, &change(&format!("DELETE FROM {table}"))).await;
        let deleted = browser.follow(&table_page, "nav.tabs a:nth-child(2)").await;
        assert_eq!(deleted.texts(".version h2").len(), 1);
        let mut pages = vec![overview, table_page, row, plan, undo, result, deleted];
        for url in [
            "/c/shop",
            "/c/shop/tables",
            "/c/shop/tables/%3Cscript%3Ealert(9)%3C%2Fscript%3E.t",
            "/c/shop/tables/shop.users/rows/%3Cscript%3Ealert(9)%3C%2Fscript%3E",
            "/c/shop/revert/plan?act=%3Cscript%3Ealert(9)%3C%2Fscript%3E",
            "/%3Cscript%3Ealert(9)%3C%2Fscript%3E",
        ] {
            pages.push(browser.get(url).await);
        }
        let mut nobody = site.browser();
        pages.push(nobody.get("/login?next=/%22%3E%3Cscript%3Ealert(9)%3C%2Fscript%3E").await);
        let name = [("name", "\"><script>alert(9)</script>"), ("password", "x")];
        pages.push(nobody.post("/login", &name).await);
        for page in &pages {
            check(&page.html, &page.url);
        }

        let mut stream = browser.listen(&cursor, None).await;
        for _ in 0..4 {
            let event = stream.next().await.unwrap();
            check(&event.data, "an event");
            assert!(event.data.contains("&lt;"), "{}", event.data);
        }
    });
}

#[test]
fn what_turns_the_text_around_is_seen() {
    on_site(async |site| {
        let client = site.client().await;
        let setup = "CREATE TABLE shop.\"exe\u{202e}gpj\" (id int PRIMARY KEY, name text);
                     SELECT FROM pgtrack.track('shop.\"exe\u{202e}gpj\"');
                     SET application_name = 'x\u{2066}y'";
        client.batch_execute(setup).await.unwrap();
        let mut browser = site.signed_in(Role::Admin).await;
        let cursor = browser.get("/c/shop").await.attribute("#feed", "data-cursor");
        let insert =
            "SELECT pgtrack.set_actor('a\u{200f}b', true), pgtrack.set_message('m\u{202d}n');
                      INSERT INTO shop.\"exe\u{202e}gpj\" VALUES (1, 'v\u{2067}w')";
        crate::support::run(&client, insert).await;
        let is_turn = |one: char| "\u{200f}\u{202d}\u{202e}\u{2066}\u{2067}".contains(one);
        let check = |html: &str, what: &str| {
            let document = Html::parse_document(html);
            let all = Selector::parse("*").expect("the selector is valid");
            let mut seen = 0;
            for element in document.select(&all) {
                let is_marked = element.value().attr("class") == Some("turn");
                seen += usize::from(is_marked);
                for text in element.children().filter_map(|child| child.value().as_text()) {
                    assert!(is_marked || !text.contains(is_turn), "{what}: {text:?}");
                }
            }
            assert!(seen > 0, "{what}");
        };
        let overview = browser.get("/c/shop").await;
        let table = browser.follow(&overview, ".effects a.table").await;
        let row = browser.follow(&table, ".version a.key").await;
        let changes = browser.get("/c/shop/changes").await;
        let plan = browser.follow(&row, "a.button.primary").await;
        for page in [overview, table, row, changes, plan, browser.get("/c/shop/tables").await] {
            assert_eq!(page.status, 200, "{}", page.url);
            check(&page.html, &page.url);
        }
        let mut stream = browser.listen(&cursor, None).await;
        check(&stream.next().await.unwrap().data, "an event");
    });
}
