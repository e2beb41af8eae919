//! Only our own pages may change anything.

use axum::http::Method;
use pgtrack_dashboard::Role;

use crate::support::on_site;

#[test]
fn a_change_is_accepted_from_our_own_pages_only() {
    let cases: [(&[(&str, &str)], bool); 9] = [
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "cross-site")], false),
        (&[("origin", "http://dashboard.test")], true),
        (&[("origin", "http://evil.test")], false),
        (&[("origin", "null")], false),
        (&[("sec-fetch-site", "cross-site"), ("origin", "http://dashboard.test")], false),
        // No browser sends neither; with a cookie that is not good enough.
        (&[], false),
    ];
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Admin).await;
        let body = "theme=dark&next=/";
        for (headers, is_accepted) in cases {
            let page =
                browser.send(Method::POST, "/settings/theme", headers, body.to_owned()).await;
            assert_eq!(page.status, if is_accepted { 303 } else { 403 }, "{headers:?}");
            if !is_accepted {
                assert!(page.text("main").contains("not sent by a page of this dashboard"));
                let page = browser.send(Method::POST, "/logout", headers, String::new()).await;
                assert_eq!(page.status, 403, "{headers:?}");
            }
        }
        assert_eq!(browser.get("/c/shop").await.status, 200, "the session is still there");
    });
}

#[test]
fn without_a_session_a_program_may_post() {
    on_site(async |site| {
        let body = "theme=dark&next=/".to_owned();
        let page = site.browser().send(Method::POST, "/settings/theme", &[], body).await;
        assert_eq!(page.status, 303);
    });
}

#[test]
fn reading_is_possible_from_anywhere() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser
            .send(Method::GET, "/c/shop", &[("sec-fetch-site", "cross-site")], String::new())
            .await;
        assert_eq!(page.status, 200);
    });
}
