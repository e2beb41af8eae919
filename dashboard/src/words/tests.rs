//! A language for tests: whatever is said stands between marks, so that what does not come from the table stands out.

#[expect(dead_code, unused_imports, reason = "this needs less of it than the tests of the pages")]
#[path = "../../tests/it/support.rs"]
mod support;

use std::borrow::Cow;

use maud::{Markup, PreEscaped};
use scraper::{ElementRef, Html, Node};

use self::support::{Browser, PASSWORD, Page, Site, example, on_site};
use super::{Counted, Dates, Language, Numbers, Words};
use crate::{Access, Role, routes};

const BEGIN: char = '⟦';
const END: char = '⟧';

/// What can be put between marks.
pub(super) trait Said: Sized {
    fn between_marks(self) -> Self;
}

impl Said for Cow<'static, str> {
    fn between_marks(self) -> Self {
        format!("{BEGIN}{self}{END}").into()
    }
}

impl Said for Markup {
    fn between_marks(self) -> Self {
        PreEscaped(format!("{BEGIN}{}{END}", self.0))
    }
}

impl Said for &'static [(&'static str, &'static str)] {
    fn between_marks(self) -> Self {
        let marked = |text| &*Box::leak(format!("{BEGIN}{text}{END}").into_boxed_str());
        let forms = self.iter().map(|(category, text)| (*category, marked(text)));
        Box::leak(forms.collect::<Vec<_>>().into_boxed_slice())
    }
}

pub(super) fn between_marks<T: Said>(said: T) -> T {
    said.between_marks()
}

/// What stands in elements like these comes from the database, or is code.
const DATA: &str = "code, pre, time, kbd, q, svg.icon, datalist, textarea, .chip strong, .text, .key, .table, .message, .brand";
/// The names and values of this test, the product, and what SQL calls things. Texts must be exactly this.
const NAMES: [&str; 41] = [
    "The shop",
    "The bank",
    "pg_track",
    "NULL",
    "shop",
    "shop.users",
    "shop.orders",
    "shop.order_items",
    "shop.visits",
    "shop.untracked",
    "users",
    "order_items",
    "orders",
    "visits",
    "id",
    "name",
    "points",
    "note",
    "user_id",
    "status",
    "order_id",
    "product_id",
    "quantity",
    "path",
    "admin",
    "viewer",
    "postgres",
    "Mine",
    "psql",
    "text",
    "bigint",
    "integer",
    "English",
    "delete",
    "table=public.users&op=delete",
    "https://hooks.slack.com/services",
    "status 500",
    "INSERT",
    "UPDATE",
    "DELETE",
    "id\": 1",
];
/// Attributes that people read, or that the script shows.
const SHOWN: [&str; 19] = [
    "title",
    "aria-label",
    "placeholder",
    "alt",
    "data-head",
    "data-more",
    "data-less",
    "data-copy",
    "data-copied",
    "data-zone",
    "data-just-now",
    "data-live-word",
    "data-paused",
    "data-pause",
    "data-resume",
    "data-interrupted",
    "data-many",
    "data-new",
    "data-days",
];

/// What is not between marks and is no name of this test.
fn left_behind(page: &Page) -> Vec<String> {
    let document = Html::parse_document(&page.html);
    let mut found = Vec::new();
    let mut depth = 0;
    walk(document.root_element(), false, &mut depth, &mut found);
    assert_eq!(depth, 0, "{}: marks are not in pairs", page.url);
    found
}

fn walk(element: ElementRef<'_>, is_data: bool, depth: &mut usize, found: &mut Vec<String>) {
    let data = scraper::Selector::parse(DATA).unwrap();
    let is_data = is_data || data.matches(&element);
    for name in SHOWN {
        if let Some(text) = element.attr(name).filter(|_| !is_data) {
            look_at(text, &mut 0, found);
        }
    }
    for child in element.children() {
        match child.value() {
            Node::Text(text) if is_data => count(text, depth),
            Node::Text(text) => look_at(text, depth, found),
            Node::Element(_) => {
                walk(ElementRef::wrap(child).unwrap(), is_data, depth, found);
            }
            _ => {}
        }
    }
}

fn count(text: &str, depth: &mut usize) {
    *depth += text.matches(BEGIN).count();
    *depth -= text.matches(END).count();
}

/// Looks at the parts of a text that are not between marks.
fn look_at(text: &str, depth: &mut usize, found: &mut Vec<String>) {
    for part in text.split_inclusive([BEGIN, END, '·']) {
        let plain = part.trim_end_matches([BEGIN, END]);
        let is_sign = |one: char| !one.is_alphabetic() && !one.is_numeric();
        let plain = plain.trim_matches(is_sign);
        let has_letters = plain.chars().any(char::is_alphabetic);
        if *depth == 0 && has_letters && !NAMES.contains(&plain) && !is_made_of_names(plain) {
            found.push(plain.to_owned());
        }
        count(part, depth);
    }
}

/// Whether a text is a row's key, or in what the script reads the name of a form's category.
fn is_made_of_names(text: &str) -> bool {
    let key = text.strip_prefix("shop.users (").unwrap_or(text);
    matches!(text, "one" | "other")
        || key.split(", ").all(|one| {
            one.split_once('=')
                .is_some_and(|(name, value)| NAMES.contains(&name) && value.parse::<i64>().is_ok())
        })
}

/// A browser whose pages are between marks, with numbers and dates that are not the usual ones.
fn in_marks(mut browser: Browser) -> Browser {
    for (name, value) in [
        ("pgtrack-language", Language::Marks.tag()),
        ("pgtrack-numbers", Numbers::Space.word()),
        ("pgtrack-dates", Dates::DayFirst.word()),
    ] {
        browser.cookies.insert(name.to_owned(), value.to_owned());
    }
    browser
}

/// Something of everything that a page can show.
async fn fill(site: &Site) -> [i64; 4] {
    let long = "lorem ipsum ".repeat(1000);
    let first =
        site.run(&format!("UPDATE shop.users SET note = '{long}', points = 11 WHERE id = 1")).await;
    let second = site.run("UPDATE shop.users SET note = '' WHERE id IN (1, 3)").await;
    site.run("INSERT INTO shop.visits VALUES ('/'); UPDATE shop.visits SET path = '/a'").await;
    let third = site.run("DELETE FROM shop.order_items; DELETE FROM shop.orders").await;
    site.run("DELETE FROM shop.users WHERE id = 2").await;
    site.run(&format!("SELECT FROM pgtrack.undo_transaction({second})")).await;
    let many = site
        .run("INSERT INTO shop.users SELECT i, 'x', 0 FROM generate_series(1001, 2500) i")
        .await;
    site.client().await.batch_execute("SELECT pgtrack.tag('before')").await.unwrap();
    add_jobs(site, [first, second], many).await;
    [first, second, third, many]
}

/// Undoes in batches that have ended, each in its way.
async fn add_jobs(site: &Site, xids: [i64; 2], many: i64) {
    let sql = "INSERT INTO pgtrack_dashboard.job (connection, name, subject, submission, state, row_count, batches,
                                                  batches_done, xids, reason, problem, ended_at)
               SELECT 'shop', 'admin', $1, state, state, 5000, 5, done, $2, 'x', '{\"text\": \"x\"}', now()
               FROM unnest(ARRAY['running', 'done', 'stopped', 'failed', 'interrupted'], ARRAY[1, 5, 2, 1, 0]) AS one (state, done)";
    let subject = format!("act=undo-transaction&xid={many}");
    site.client().await.execute(sql, &[&subject, &xids.as_slice()]).await.unwrap();
}

/// One digest that does not arrive, and one that is sent every day.
async fn add_digests(site: &Site, browser: &mut Browser) {
    let hook = ("url", "https://93.184.216.34/hook");
    let slack =
        [("name", "Mine"), hook, ("format", "slack"), ("every", "hour"), ("changes", "?op=delete")];
    browser.post("/c/shop/digests/new", &slack).await;
    let failed =
        "UPDATE pgtrack_dashboard.digest SET is_paused = true, pause_reason = 'x', failures = 8,
                  last_at = now(), last_worked = false, last_outcome = 'status 500'";
    site.client().await.batch_execute(failed).await.unwrap();
    let json = [
        ("name", "Mine"),
        hook,
        ("format", "json"),
        ("secret", "a secret of digests"),
        ("every", "day"),
        ("hour", "8"),
        ("zone", "UTC"),
        ("empty", "on"),
    ];
    browser.post("/c/shop/digests/new", &json).await;
    assert_eq!(browser.get("/c/shop/digests").await.texts("tbody tr").len(), 2);
}

/// Every address that is read by people, by example, and those that hold something here.
fn addresses([first, second, third, many]: [i64; 4]) -> Vec<String> {
    let mut all: Vec<String> = routes()
        .into_iter()
        .filter(|(_, access)| matches!(access, Access::Role(_)))
        .map(|(pattern, _)| example(pattern))
        .filter(|url| !url.ends_with("/live") && !url.contains(".csv") && !url.contains(".jsonl"))
        .collect();
    for query in [
        "view=transactions",
        "table=shop.users&column=note",
        "op=update&q=a&since=1h",
        "op=merge",
        "since=soon",
        "table=users",
        "xid=x",
        "key=1&table=shop.users",
        "column=a",
        "before=1",
        "value=1&table=shop.users",
        "who=nobody",
        "ignored=show",
        "column=nosuch&table=shop.users",
        "app=psql&until=2100-01-01&reverts=on",
        "since=2h",
    ] {
        all.push(format!("/c/shop/changes?{query}"));
    }
    all.extend((1..=10).map(|id| format!("/c/shop/changes/{id}")));
    all.extend((1..=5).map(|id| format!("/c/shop/revert/jobs/{id}")));
    all.extend([first, second, third, third + 2].map(|xid| format!("/c/shop/tx/{xid}")));
    for id in 1..=3 {
        let row = format!("/c/shop/tables/shop.users/rows/%7B%22id%22:{id}%7D");
        for query in [
            "",
            "?from=v0&to=current",
            "?from=v1&to=v9",
            "?column=note",
            "?at=soon",
            "?at=2100-01-01",
            "?at=2000-01-01",
        ] {
            all.push(format!("{row}{query}"));
        }
        for act in
            ["undo-row", "restore-row", "restore-version&version=0", "restore-version&version=1"]
        {
            let key = format!("table=shop.users&key=%7B%22id%22:{id}%7D");
            all.push(format!("/c/shop/revert/plan?act={act}&{key}"));
        }
    }
    for table in ["shop.orders", "shop.order_items", "shop.visits", "shop.nosuch"] {
        for part in ["", "/deleted", "/as-of"] {
            all.push(format!("/c/shop/tables/{table}{part}"));
        }
    }
    for point in [
        format!("xid:{}", first - 1),
        format!("xid:{third}"),
        "now".to_owned(),
        "nonsense".to_owned(),
    ] {
        for show in ["rows", "differences"] {
            all.push(format!("/c/shop/tables/shop.users/as-of?point={point}&show={show}"));
        }
        all.push(format!("/c/shop/revert/plan?act=revert-table&table=shop.users&point={point}"));
        all.push(format!("/c/shop/revert/plan?act=revert-schema&schema=shop&point={point}"));
    }
    for xid in [first, second, third, many] {
        all.push(format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}"));
    }
    for rest in [
        "undo-transactions&xid=1&xid=2",
        "undo-statements&statement=1&statement=2&statement=3",
        "undo-statements&statement=1",
        "undo-cause&user=postgres",
        "undo-cause&application=psql",
        "nonsense",
    ] {
        all.push(format!("/c/shop/revert/plan?act={rest}"));
    }
    for address in [
        "/nowhere",
        "/c/nowhere",
        "/settings?saved=yes",
        "/c/shop/storage?keep=1",
        "/c/shop/storage?keep=x",
        "/c/shop/rules?ignored=note",
        "/c/shop/rules?ignored=a.b.c.d.e",
        "/c/shop/rules?saved=yes",
        "/assets/nothing",
        "/setup?token=x",
        "/audit?name=nobody",
        "/audit?action=login+ok",
        "/connections/new",
    ] {
        all.push(address.to_owned());
    }
    all
}

/// Forms that are refused, each with why.
async fn refusals(browser: &mut Browser, xid: i64) -> Vec<Page> {
    let mut connection = vec![
        ("slug", "bank"),
        ("label", "The bank"),
        ("environment", "production"),
        ("host", "127.0.0.1"),
        ("port", "1"),
        ("database", "bank"),
        ("role", "bank"),
        ("tls", "disable"),
        ("password", "x"),
        ("password_is", "ask"),
        ("action", "test"),
    ];
    let mut pages = vec![browser.post("/connections/new", &connection).await];
    connection.retain(|field| field.0 != "slug");
    connection.push(("slug", "A B"));
    pages.push(browser.post("/connections/new", &connection).await);
    let undo = format!("/c/shop/revert?act=undo-transaction&xid={xid}");
    let plan =
        [("token", "x"), ("submission", "y"), ("reason", "why"), ("on_conflict", "overwrite")];
    for (url, fields) in [
        (&*undo, &plan as &[(&str, &str)]),
        (&undo, &[("token", "x")]),
        ("/account", &[("current", "x"), ("password", "y"), ("again", "z")]),
        ("/account", &[("current", PASSWORD), ("password", "y"), ("again", "z")]),
        ("/account", &[("current", PASSWORD), ("password", "y"), ("again", "y")]),
        ("/users", &[("name", "x"), ("password", "y"), ("role", "viewer")]),
        ("/users", &[("name", "admin"), ("password", "a good one, I think"), ("role", "viewer")]),
        ("/users/1", &[("role", "viewer")]),
        ("/users/1/remove", &[]),
        ("/c/shop/rules", &[("ignored", "a b")]),
        ("/c/shop/views", &[("name", "Mine"), ("query", "?")]),
        ("/c/shop/digests/new", &[("name", "x"), ("format", "json"), ("every", "day")]),
        (
            "/c/shop/digests/new",
            &[("name", "x"), ("url", "ftp:"), ("format", "slack"), ("every", "hour")],
        ),
        ("/settings", &[("theme", "pink")]),
        ("/settings/theme", &[("theme", "pink"), ("next", "/")]),
        ("/audit", &[]),
    ] {
        pages.push(browser.post(url, fields).await);
    }
    pages
}

#[test]
fn nothing_is_said_that_is_not_in_the_table() {
    on_site(async |site| {
        let xids = fill(site).await;
        let mut browser = in_marks(site.signed_in(Role::Admin).await);
        browser.post("/c/shop/views", &[("name", "Mine"), ("query", "?op=update")]).await;
        add_digests(site, &mut browser).await;
        let digests = browser.get("/c/shop/digests").await;
        let digest = digests.attribute("tbody tr:last-child a.button", "href");
        assert_eq!(browser.get("/c/shop/revert/jobs/5").await.status, 200);
        let mut pages = vec![browser.get(&digest).await];
        for address in addresses(xids) {
            pages.push(browser.get(&address).await);
        }
        pages.extend(refusals(&mut browser, xids[0]).await);
        let mut stranger = in_marks(site.browser());
        pages.push(stranger.get("/login").await);
        pages.push(stranger.post("/login", &[("name", "x"), ("password", "y")]).await);
        let mut viewer = in_marks(site.signed_in(Role::Viewer).await);
        for address in ["/c/shop", "/users", "/c/shop/revert/plan?act=undo-statements&statement=1"]
        {
            pages.push(viewer.get(address).await);
        }
        let mut found = Vec::new();
        for page in pages.iter().filter(|page| page.html.starts_with("<!DOCTYPE")) {
            assert_ne!(page.status, 500, "{}: {}", page.url, page.text("main"));
            assert_eq!(page.attribute("html", "lang"), "en-XA");
            found.extend(left_behind(page).into_iter().map(|text| format!("{}: {text}", page.url)));
        }
        assert!(found.is_empty(), "these do not come from the table:\n{}", found.join("\n"));
    });
}

#[test]
fn what_the_script_counts_has_all_forms_of_the_language() {
    let words = Words { numbers: Numbers::Point, ..Words::default() };
    assert_eq!(Counted::DaysAgo.forms(words), "one=# day ago|other=# days ago");
    assert_eq!(Counted::DaysAgo.of(1, words), "1 day ago");
    assert_eq!(Counted::DaysAgo.of(1200, words), "1.200 days ago");
}
