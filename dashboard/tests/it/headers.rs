//! Every route answers with every security header, whatever its answer is.

use axum::http::Method;
use pgtrack_dashboard::{Config, Dashboard, Role, routes};

pub(crate) use crate::support::example;
use crate::support::{Browser, Page, config, on_site, start};

#[track_caller]
fn check(page: &Page) {
    let policy = page.header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
        "{policy}"
    );
    for directive in [
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types pgtrack",
    ] {
        assert!(policy.contains(directive), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
    assert_eq!(page.header("cross-origin-resource-policy"), "same-origin");
    assert!(page.header("permissions-policy").contains("camera=()"));
    assert_eq!(page.header("x-request-id").len(), 16);
    let caching = page.header("cache-control");
    let is_asset = page.url.starts_with("/assets/") && page.status.is_success();
    assert_eq!(caching.contains("immutable"), is_asset, "{}: {caching}", page.url);
    assert_eq!(caching.contains("no-store"), !is_asset, "{}: {caching}", page.url);
}

async fn check_all(browser: &mut Browser) {
    for (pattern, _) in routes() {
        // A stream does not end by itself; the tests of the live feed look at its headers.
        if pattern.ends_with("/live") {
            continue;
        }
        let url = example(pattern);
        check(&browser.get(&url).await);
        check(&browser.post(&url, &[]).await);
        check(
            &browser
                .send(Method::DELETE, &url, &[("sec-fetch-site", "cross-site")], String::new())
                .await,
        );
    }
    check(&browser.get("/no/such/page").await);
}

#[test]
fn every_response_has_the_headers() {
    on_site(async |site| {
        check_all(&mut site.browser()).await;
        check_all(&mut site.signed_in(Role::Admin).await).await;
    });
}

#[test]
fn transport_security_is_asked_for_on_https_only() {
    on_site(async |site| {
        let page = site.browser().get("/login").await;
        assert!(!page.headers.contains_key("strict-transport-security"));
        let secure = start(&site.database.url(), true).await;
        let page = Browser::new(secure.state()).get("/login").await;
        assert!(page.header("strict-transport-security").starts_with("max-age=63072000"));
    });
}

#[test]
fn pages_load_nothing_from_elsewhere_and_hold_no_inline_code() {
    on_site(async |site| {
        let page = site.signed_in(Role::Admin).await.get("/c/shop").await;
        for selector in ["link", "script", "img", "iframe"] {
            let attribute = if selector == "link" { "href" } else { "src" };
            for tag in page.html.split(&format!("<{selector} ")).skip(1) {
                let tag = tag.split('>').next().unwrap();
                assert!(tag.contains(&format!("{attribute}=\"/assets/")), "{tag}");
            }
        }
        assert!(!page.html.contains("<style") && !page.html.contains(" style="), "{}", page.html);
        assert!(!page.html.contains(" onclick="));
    });
}

#[test]
fn assets_are_named_by_their_content_and_kept_for_ever() {
    on_site(async |site| {
        let mut browser = site.browser();
        let page = browser.get("/login").await;
        for (selector, name, content_type) in [
            ("link[rel=stylesheet]", "href", "text/css; charset=utf-8"),
            ("script", "src", "text/javascript; charset=utf-8"),
            ("link[rel=icon]", "href", "image/svg+xml"),
        ] {
            let asset = browser.get(&page.attribute(selector, name)).await;
            assert_eq!(asset.status, 200);
            assert_eq!(asset.header("content-type"), content_type);
            assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
        }
        assert_eq!(browser.get("/assets/app.css").await.status, 404);
    });
}

#[test]
fn where_the_name_is_known_others_are_refused() {
    on_site(async |site| {
        let anybody = site.browser().get("/login").await;
        assert_eq!(anybody.status, 200, "without a name, every one is answered");
        let config = Config {
            public_url: Some("https://pgtrack.example.com".parse().unwrap()),
            host_names: vec!["dashboard.test".to_owned()],
            ..config(&site.database.url())
        };
        let dashboard = Dashboard::start(config).await.unwrap();
        let mut browser = Browser::new(dashboard.state());
        // The browser of the tests sends `dashboard.test`; this is besides that.
        for (host, status) in [
            ("pgtrack.example.com", 200),
            ("10.0.0.1:8080", 200),
            ("[::1]:8080", 200),
            ("localhost:8080", 200),
            ("evil.test", 421),
            ("pgtrack.example.com.evil.test:8080", 421),
        ] {
            let headers = [("host", host)];
            let page = browser.send(Method::GET, "/login", &headers, String::new()).await;
            assert_eq!(page.status, status, "{host}");
            check(&page);
            let alive = browser.send(Method::GET, "/healthz", &headers, String::new());
            assert_eq!(alive.await.status, 200, "{host}");
        }
        let page =
            browser.send(Method::GET, "/c/shop", &[("host", "evil.test")], String::new()).await;
        assert_eq!(page.status, 421);
        assert!(page.text("main").contains("host_names"), "{}", page.text("main"));
    });
}
