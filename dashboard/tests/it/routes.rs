//! The whole URL table: every role, every method, every kind of sender.

use axum::http::Method;
use pgtrack_dashboard::{Access, Role, routes};

use crate::headers::example;
use crate::support::on_site;

const ROLES: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

#[test]
fn a_role_reaches_what_its_routes_say_and_nothing_else() {
    on_site(async |site| {
        for role in ROLES {
            let mut session = site.signed_in(role).await;
            for (pattern, access) in routes() {
                let Access::Role(needed) = access else { continue };
                // A stream does not end by itself.
                if pattern.ends_with("/live") {
                    continue;
                }
                for method in [Method::GET, Method::POST] {
                    let mut browser = session.clone();
                    let headers = [("sec-fetch-site", "same-origin")];
                    let url = example(pattern);
                    let page = browser.send(method.clone(), &url, &headers, String::new()).await;
                    if page.status == 405 {
                        continue;
                    }
                    if role >= needed {
                        assert_ne!(page.status, 403, "{method} {url} as {}", role.word());
                        assert_ne!(
                            page.status,
                            500,
                            "{method} {url} as {}: {}",
                            role.word(),
                            page.text("main")
                        );
                    } else {
                        assert_eq!(page.status, 403, "{method} {url} as {}", role.word());
                    }
                    // Some routes end the session.
                    if pattern == "/logout" || pattern.contains("sign-out") {
                        session.log_in(role.word()).await;
                    }
                }
            }
        }
    });
}

#[test]
fn nothing_is_changed_for_another_site() {
    on_site(async |site| {
        let admin = site.signed_in(Role::Admin).await;
        let senders: [&[(&str, &str)]; 6] = [
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("origin", "http://evil.test")],
            &[("origin", "null")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://dashboard.test")],
            &[],
        ];
        for (pattern, _) in routes() {
            if pattern.ends_with("/live") {
                continue;
            }
            let url = example(pattern);
            for headers in senders {
                for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                    let mut browser = admin.clone();
                    let page = browser.send(method.clone(), &url, headers, String::new()).await;
                    assert_eq!(page.status, 403, "{method} {url} {headers:?}");
                    assert!(
                        page.text("main").contains("not sent by a page of this dashboard"),
                        "{url}"
                    );
                }
            }
        }
    });
}

#[test]
fn a_session_id_that_somebody_planted_is_worth_nothing() {
    on_site(async |site| {
        site.dashboard.set_admin("ada", crate::support::PASSWORD).await.unwrap();
        let mut browser = site.browser();
        let planted = "0".repeat(64);
        browser.cookies.insert("pgtrack".to_owned(), planted.clone());
        browser.log_in("ada").await;
        assert_ne!(browser.cookies["pgtrack"], planted);
        let mut attacker = site.browser();
        attacker.cookies.insert("pgtrack".to_owned(), planted);
        assert_eq!(attacker.get("/c/shop").await.status, 303);
    });
}

#[test]
fn no_page_is_heavy() {
    on_site(async |site| {
        let many = "DO $$ BEGIN FOR i IN 1..60 LOOP
                      UPDATE shop.users SET points = i; UPDATE shop.orders SET status = i::text; COMMIT;
                    END LOOP; END $$";
        site.client().await.batch_execute(many).await.unwrap();
        let mut admin = site.signed_in(Role::Admin).await;
        let mut assets = 0;
        let page = admin.get("/c/shop").await;
        for (selector, name) in
            [("link[rel=stylesheet]", "href"), ("script", "src"), ("link[rel=icon]", "href")]
        {
            assets += admin.weight(&page.attribute(selector, name)).await;
        }
        for url in [
            "/c/shop",
            "/c/shop/changes",
            "/c/shop/changes?view=transactions",
            "/c/shop/tables",
            "/c/shop/tables/shop.users/as-of?point=now&show=rows",
            "/c/shop/storage",
            "/c/shop/health",
            "/c/shop/rules",
            "/c/shop/digests",
            "/c/shop/digests/new",
            "/users",
            "/audit",
            "/connections",
            "/settings",
        ] {
            let page = admin.get(url).await;
            assert_eq!(page.status, 200, "{url}");
            // Nothing is loaded from elsewhere.
            for attribute in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
                assert!(!page.html.contains(attribute), "{url}");
            }
            let weight = admin.weight(url).await + assets;
            assert!(weight < 30_000, "{url}: {weight} bytes");
            assert!(page.html.len() < 100_000, "{url}: {} bytes of HTML", page.html.len());
        }
    });
}
