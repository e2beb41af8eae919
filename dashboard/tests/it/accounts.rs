//! Users, their roles and passwords, and the log of what they did.

use pgtrack_dashboard::Role;

use crate::support::{PASSWORD, on_site};

const OTHER: &str = "an entirely different sentence";

#[test]
fn an_admin_adds_changes_and_removes_users() {
    on_site(async |site| {
        let mut admin = site.signed_in(Role::Admin).await;
        let fields = [("name", " Grace "), ("password", PASSWORD), ("role", "viewer")];
        assert_eq!(admin.post("/users", &fields).await.location(), "/users");
        let page = admin.get("/users").await;
        assert_eq!(page.texts("tbody th"), ["admin you", "Grace"]);
        let mut grace = site.browser();
        grace.log_in("grace").await;
        assert_eq!(grace.get("/users").await.status, 403);

        // Another role begins with another session.
        let form = "tr:nth-child(2) form[method=post]";
        let changed = admin.submit(&page, form, &[("role", "operator"), ("password", "")]).await;
        assert_eq!(changed.status, 303, "{}", changed.text("main"));
        assert_eq!(grace.get("/c/shop").await.status, 303, "the session has ended");
        grace.log_in("grace").await;
        assert_eq!(grace.get("/c/shop/changes.csv").await.status, 200);

        admin.submit(&page, form, &[("role", "operator"), ("password", OTHER)]).await;
        let refused = grace.post("/login", &[("name", "grace"), ("password", PASSWORD)]).await;
        assert_eq!(refused.status, 401);
        let accepted = grace.post("/login", &[("name", "grace"), ("password", OTHER)]).await;
        assert_eq!(accepted.status, 303);

        admin.submit(&page, "tr:nth-child(2) form[action$=remove]", &[]).await;
        assert_eq!(grace.get("/c/shop").await.status, 303);
        assert_eq!(admin.get("/users").await.texts("tbody th"), ["admin you"]);
        let log = admin.get("/audit?name=admin").await;
        assert_eq!(
            log.texts("tbody td[data-head=What]"),
            [
                "account removed",
                "account changed",
                "account changed",
                "account created",
                "login ok"
            ]
        );
        assert!(log.text("tbody").contains("Grace as operator, with a new password"));
        assert!(!log.html.contains(OTHER) && !log.html.contains(PASSWORD));
    });
}

#[test]
fn bad_names_roles_and_passwords_are_refused() {
    on_site(async |site| {
        let mut admin = site.signed_in(Role::Admin).await;
        for (name, password, role, status, text) in [
            ("admin", PASSWORD, "viewer", 422, "the name is taken"),
            ("ADMIN", PASSWORD, "viewer", 422, "the name is taken"),
            ("", PASSWORD, "viewer", 422, "a name has"),
            ("bob", "short", "viewer", 422, "at least 12"),
            ("bob", "Password1234!", "viewer", 422, "too easy to guess"),
            ("bobbybrownjr", "BobbyBrownJr1", "viewer", 422, "too easy to guess"),
            ("bob", PASSWORD, "owner", 400, "no such role"),
        ] {
            let fields = [("name", name), ("password", password), ("role", role)];
            let page = admin.post("/users", &fields).await;
            assert_eq!(page.status, status, "{name} {password}");
            assert!(page.text("main").contains(text), "{}", page.text("main"));
        }
        assert_eq!(admin.get("/users").await.texts("tbody tr").len(), 1);
        let own = site.value("SELECT account_id::text FROM pgtrack_dashboard.account").await;
        let fields = [("role", "viewer"), ("password", "")];
        assert_eq!(admin.post(&format!("/users/{own}"), &fields).await.status, 409);
        assert_eq!(admin.post(&format!("/users/{own}/remove"), &[]).await.status, 409);
        assert_eq!(admin.post("/users/999", &fields).await.status, 404);
    });
}

#[test]
fn people_change_their_own_password() {
    on_site(async |site| {
        let mut here = site.signed_in(Role::Viewer).await;
        let mut elsewhere = site.browser();
        elsewhere.log_in("viewer").await;
        let form = |current, password, again| {
            [("current", current), ("password", password), ("again", again)]
        };
        for (fields, text) in [
            (form("wrong wrong wrong", OTHER, OTHER), "current password"),
            (form(PASSWORD, OTHER, "something else"), "differ"),
            (form(PASSWORD, "short", "short"), "at least 12"),
        ] {
            let page = here.post("/account", &fields).await;
            assert_eq!(page.status, 422);
            assert!(page.text("[role=alert]").contains(text), "{}", page.text("main"));
        }
        assert!(here.get("/account").await.text("main").contains("2 browsers"));
        let before = here.cookies.clone();
        let page = here.post("/account", &form(PASSWORD, OTHER, OTHER)).await;
        assert_eq!(page.status, 303);
        assert_ne!(here.cookies, before, "the session has a new id");
        assert_eq!(here.get("/c/shop").await.status, 200);
        assert_eq!(elsewhere.get("/c/shop").await.status, 303, "other sessions have ended");
    });
}

#[test]
fn signing_out_everywhere_ends_every_session() {
    on_site(async |site| {
        let mut here = site.signed_in(Role::Viewer).await;
        let mut elsewhere = site.browser();
        elsewhere.log_in("viewer").await;
        assert_eq!(here.post("/account/sign-out-everywhere", &[]).await.location(), "/login");
        assert_eq!(here.get("/c/shop").await.status, 303);
        assert_eq!(elsewhere.get("/c/shop").await.status, 303);
    });
}

#[test]
fn the_current_password_cannot_be_guessed_without_limit() {
    on_site(async |site| {
        let mut here = site.signed_in(Role::Viewer).await;
        let fields = [("current", "wrong wrong wrong"), ("password", OTHER), ("again", OTHER)];
        let mut texts = Vec::new();
        for _ in 0..7 {
            texts.push(here.post("/account", &fields).await.text("[role=alert]"));
        }
        assert!(texts[0].contains("another one") && texts[6].contains("Too many"), "{texts:?}");
    });
}

#[test]
fn the_log_is_read_by_admins_and_pages_back() {
    on_site(async |site| {
        let many = "INSERT INTO pgtrack_dashboard.audit (action, name, subject)
                    SELECT 'login failed', '<b>x' || i, 'n' || i FROM generate_series(1, 250) i";
        let mut admin = site.signed_in(Role::Admin).await;
        site.client().await.batch_execute(many).await.unwrap();
        let mut page = admin.get("/audit?action=login+failed").await;
        assert!(!page.html.contains("<b>x"));
        let mut seen = page.texts("tbody th");
        while page.has("a[rel=next]") {
            page = admin.follow(&page, "a[rel=next]").await;
            seen.extend(page.texts("tbody th"));
        }
        assert_eq!(seen.len(), 250);
        let file = admin.get("/audit.jsonl?action=login+failed").await;
        assert_eq!(file.html.lines().count(), 250);
        let line: serde_json::Value =
            serde_json::from_str(file.html.lines().next().unwrap()).unwrap();
        assert_eq!(line["name"], "<b>x250");
        assert!(
            admin.get("/audit?name=nobody").await.text(".blank").contains("nothing of the kind")
        );
        for role in [Role::Viewer, Role::Operator] {
            assert_eq!(site.signed_in(role).await.get("/audit").await.status, 403);
        }
    });
}
