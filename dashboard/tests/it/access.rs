//! Who may reach what: every route, signed out and with each role.

use axum::http::Method;
use pgtrack_dashboard::{Access, Role, routes};

use crate::headers::example;
use crate::support::on_site;

#[test]
fn only_these_routes_are_open_to_anybody() {
    let open: Vec<_> = routes()
        .into_iter()
        .filter(|(_, access)| *access == Access::Anybody)
        .map(|(pattern, _)| pattern)
        .collect();
    assert_eq!(
        open,
        ["/healthz", "/readyz", "/assets/{file}", "/setup", "/login", "/settings/theme"]
    );
}

#[test]
fn every_other_route_leads_to_the_sign_in_page() {
    on_site(async |site| {
        for (pattern, access) in routes() {
            if access == Access::Anybody {
                continue;
            }
            for method in [Method::GET, Method::POST] {
                let mut browser = site.browser();
                let url = example(pattern);
                let page = browser.send(method.clone(), &url, &[], String::new()).await;
                if page.status == 405 {
                    continue;
                }
                assert_eq!(page.status, 303, "{method} {url}");
                assert!(page.location().starts_with("/login"), "{method} {url}");
                assert!(!page.html.contains("shop.users"), "{method} {url}");
            }
        }
    });
}

#[test]
fn after_signing_in_one_is_where_one_wanted_to_be() {
    on_site(async |site| {
        site.dashboard.set_admin("ada", crate::support::PASSWORD).await.unwrap();
        let mut browser = site.browser();
        let refused = browser.get("/c/shop/tables/shop.users?max=200").await;
        let form = browser.redirect(&refused).await;
        let fields = [("name", "ada"), ("password", crate::support::PASSWORD)];
        let page = browser.submit(&form, "main form", &fields).await;
        assert_eq!(page.location(), "/c/shop/tables/shop.users?max=200");
        for elsewhere in ["https://evil.example/", "//evil.example/", "/\\evil.example"] {
            let fields = [fields[0], fields[1], ("next", elsewhere)];
            let page = browser.post("/login", &fields).await;
            assert_eq!(page.location(), "/", "{elsewhere}");
        }
    });
}

#[test]
fn an_event_source_is_told_and_not_led_away() {
    on_site(async |site| {
        let stream = site.browser().listen("1:1:", None).await;
        assert_eq!(stream.status, 401);
    });
}

#[test]
fn another_connection_is_not_found() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Admin).await;
        assert_eq!(browser.get("/c/bank").await.status, 404);
        assert_eq!(browser.get("/c/bank/tables").await.status, 404);
    });
}

#[test]
fn a_viewer_reads_but_does_not_revert() {
    on_site(async |site| {
        let xid = site.run("UPDATE shop.users SET points = 0 WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let page = browser.get(&format!("/c/shop/tx/{xid}")).await;
        assert_eq!(page.status, 200);
        assert!(!page.html.contains("Undo transaction"));
        let row = browser.get("/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D").await;
        assert!(
            !row.html.contains("Undo") && !row.html.contains("Restore"),
            "{}",
            row.text("main")
        );

        let plan_url = format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}");
        let plan = browser.get(&plan_url).await;
        assert_eq!(plan.status, 200);
        assert!(!plan.has("form.confirm"));

        let fields = [("token", "x"), ("submission", "y")];
        let url = format!("/c/shop/revert?act=undo-transaction&xid={xid}");
        let refused = browser.post(&url, &fields).await;
        assert_eq!(refused.status, 403);
        assert!(refused.text("main").contains("Your role may read, but not revert"));
        assert_eq!(site.value("SELECT points::text FROM shop.users WHERE id = 1").await, "0");
        let audit = "SELECT action || ': ' || name || ': ' || subject FROM pgtrack_dashboard.audit
                     ORDER BY audit_id DESC LIMIT 1";
        let expected = format!("access refused: viewer: act=undo-transaction&xid={xid}");
        assert_eq!(site.value(audit).await, expected);
    });
}

#[test]
fn operators_and_admins_revert() {
    on_site(async |site| {
        for role in [Role::Operator, Role::Admin] {
            let xid = site.run("UPDATE shop.users SET points = 0 WHERE id = 1").await;
            let mut browser = site.signed_in(role).await;
            let url = format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}");
            let plan = browser.get(&url).await;
            let applied = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
            assert_eq!(applied.status, 303, "{}", applied.text("main"));
            assert_eq!(site.value("SELECT points::text FROM shop.users WHERE id = 1").await, "10");
        }
    });
}
