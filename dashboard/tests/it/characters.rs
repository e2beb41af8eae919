//! Whatever is in an address or a form, the answer is never that something is wrong with us.

use pgtrack_dashboard::{Role, routes};

use crate::support::{encode, example, on_site};

/// As they stand in a URL.
const NASTY: &[&str] = &[
    "%00",
    "a%00b",
    "%FF",
    "%ED%A0%80",
    "%22",
    "'",
    "%5C",
    "%25",
    "%E2%80%AE",
    "0",
    "-1",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999",
    "infinity",
    "-infinity",
    "294277-01-01",
    "4714-01-01%20BC",
    "1e400",
    "{}",
    "[]",
    "%7B%22id%22:null%7D",
    "%7B%22id%22:%22x%22%7D",
    "%7B%22id%22:%22%5Cu0000%22%7D",
    "%7B%22%5Cu0000%22:1%7D",
    "%7B%22id%22:1e999999%7D",
    "%7B%22id%22:1e-999999%7D",
    "%7B%22id%22:99999999999999999999999%7D",
    "%7B%22id%22:%5B1e999999%5D%7D",
    "%7B%22nosuch%22:1%7D",
];

/// Before the value that is nasty.
const QUESTIONS: &[&str] = &[
    "/c/shop?before=",
    "/c/shop/changes?q=",
    "/c/shop/changes?who=",
    "/c/shop/changes?app=",
    "/c/shop/changes?table=",
    "/c/shop/changes?op=",
    "/c/shop/changes?xid=",
    "/c/shop/changes?since=",
    "/c/shop/changes?until=",
    "/c/shop/changes?before=",
    "/c/shop/changes?view=transactions&who=",
    "/c/shop/changes?table=shop.users&key=",
    "/c/shop/changes?table=shop.users&column=",
    "/c/shop/changes?table=shop.users&column=id&value=",
    "/c/shop/changes?table=shop.users&column=name&value=",
    "/c/shop/changes.csv?table=shop.users&key=",
    "/c/shop/changes.jsonl?since=",
    "/c/shop/tables/shop.users?before=",
    "/c/shop/tables/shop.users/deleted?before=",
    "/c/shop/tables/shop.users/as-of?show=rows&point=",
    "/c/shop/tables/shop.users/as-of?point=now&to=",
    "/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D?at=",
    "/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D?column=",
    "/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D?from=",
    "/c/shop/storage?keep=",
    "/c/shop/tables/shop.users?max=",
    "/c/shop/tables/shop.users/as-of?show=rows&point=now&skip=",
    "/c/shop/rules?ignored=",
    "/c/shop/revert/plan?act=undo-transaction&xid=",
    "/c/shop/revert/plan?act=undo-transactions&xid=1&xid=",
    "/c/shop/revert/plan?act=undo-statements&statement=",
    "/c/shop/revert/plan?act=undo-row&table=shop.users&key=",
    "/c/shop/revert/plan?act=undo-row&key=%7B%22id%22:1%7D&table=",
    "/c/shop/revert/plan?act=restore-row&table=shop.users&key=",
    "/c/shop/revert/plan?act=restore-version&table=shop.users&key=%7B%22id%22:1%7D&version=",
    "/c/shop/revert/plan?act=revert-table&table=shop.users&point=",
    "/c/shop/revert/plan?act=revert-schema&schema=shop&point=",
    "/c/shop/revert/plan?act=undo-cause&actor=",
    "/c/shop/revert/plan?act=undo-cause&actor=x&from=",
    "/c/shop/revert/plan?act=undo-cause&user=",
    "/audit?before=",
    "/audit?name=",
    "/audit.jsonl?before=",
    "/login?next=",
    "/setup?token=",
];

#[test]
fn no_address_is_a_defect() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = points + 1").await;
        let mut admin = site.signed_in(Role::Admin).await;
        let mut nobody = site.browser();
        let mut failures = Vec::new();
        for (pattern, _) in routes() {
            let parts: Vec<_> = pattern.split('/').collect();
            for (place, _) in parts.iter().enumerate().filter(|(_, part)| part.starts_with('{')) {
                for nasty in NASTY {
                    let mut parts: Vec<_> = parts.iter().map(|part| example(part)).collect();
                    (*nasty).clone_into(&mut parts[place]);
                    let url = parts.join("/");
                    for browser in [&mut admin, &mut nobody] {
                        let page = browser.get(&url).await;
                        if page.status.is_server_error() {
                            failures.push(format!("{url}: {}", page.text("main")));
                        }
                        if ["%00", "%FF"].iter().any(|bad| nasty.contains(bad)) {
                            assert_eq!(page.status, 404, "{url}");
                        }
                    }
                }
            }
        }
        for question in QUESTIONS {
            for nasty in NASTY {
                let url = format!("{question}{nasty}");
                let page = admin.get(&url).await;
                if page.status.is_server_error() {
                    failures.push(format!("{url}: {}", page.text("main")));
                }
                if ["%00", "%FF"].iter().any(|bad| nasty.contains(bad)) {
                    assert_eq!(page.status, 400, "{url}");
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

#[test]
fn no_form_is_a_defect() {
    on_site(async |site| {
        let admin = site.signed_in(Role::Admin).await;
        let fields = [
            "name",
            "password",
            "again",
            "current",
            "token",
            "next",
            "theme",
            "zone",
            "role",
            "access",
            "slug",
            "label",
            "host",
            "database",
            "role_name",
            "table",
            "tracking",
            "days",
            "query",
            "ignored",
            "from_viewers",
            "url",
            "secret",
            "reason",
            "plan",
            "act",
            "xid",
            "submission",
            "connection",
        ];
        let text: Vec<_> = fields.iter().map(|name| (*name, "a\0b")).collect();
        for body in [encode(&text), "name=%FF&password=%FF".to_owned(), "name=\0".to_owned()] {
            for (pattern, _) in routes() {
                let url = example(pattern);
                let mut browser = admin.clone();
                let headers = [("sec-fetch-site", "same-origin")];
                let page =
                    browser.send(axum::http::Method::POST, &url, &headers, body.clone()).await;
                assert!(!page.status.is_server_error(), "{url}: {}", page.text("main"));
            }
        }
    });
}
