//! The first account.

use crate::support::{PASSWORD, on_site, start};

fn path(url: &str) -> String {
    format!("/{}", url.splitn(4, '/').nth(3).expect("a URL has a path"))
}

#[test]
fn the_setup_link_creates_one_admin() {
    on_site(async |site| {
        let url = site.dashboard.setup_url().unwrap();
        let address = site.dashboard.local_address();
        assert!(url.starts_with(&format!("http://{address}/setup?token=")), "{url}");
        let mut browser = site.browser();
        assert!(browser.get("/login").await.text("main").contains("setup link"));

        let form = browser.get(&path(&url)).await;
        assert_eq!(form.status, 200);
        let fields = [("name", "ada"), ("password", PASSWORD), ("again", PASSWORD)];
        let page = browser.submit(&form, "main form", &fields).await;
        let home = browser.redirect(&page).await;
        let overview = browser.redirect(&home).await;
        assert_eq!(overview.texts("details.menu .note"), ["Role: admin"]);

        assert_eq!(site.dashboard.setup_url(), None);
        assert_eq!(browser.get(&path(&url)).await.status, 404);
        assert_eq!(browser.submit(&form, "main form", &fields).await.status, 404);
        let actions =
            "SELECT string_agg(action, ', ' ORDER BY audit_id) FROM pgtrack_dashboard.audit";
        assert_eq!(site.value(actions).await, "account created, login ok");
        let again = start(&site.database.url(), false).await;
        assert_eq!(again.setup_url(), None);
    });
}

#[test]
fn without_the_token_there_is_no_setup() {
    on_site(async |site| {
        let mut browser = site.browser();
        for url in ["/setup", "/setup?token=", "/setup?token=0123"] {
            assert_eq!(browser.get(url).await.status, 403, "{url}");
        }
        let fields = [("token", "x"), ("name", "eve"), ("password", PASSWORD), ("again", PASSWORD)];
        assert_eq!(browser.post("/setup", &fields).await.status, 403);
        assert_eq!(site.value("SELECT count(*)::text FROM pgtrack_dashboard.account").await, "0");
    });
}

#[test]
fn what_cannot_be_used_is_explained_and_kept() {
    on_site(async |site| {
        let url = path(&site.dashboard.setup_url().unwrap());
        let mut browser = site.browser();
        let form = browser.get(&url).await;
        for (fields, why) in [
            (
                [("name", "ada"), ("password", "short"), ("again", "short")],
                "at least 12 characters",
            ),
            ([("name", "ada"), ("password", PASSWORD), ("again", "other")], "two passwords differ"),
            ([("name", " "), ("password", PASSWORD), ("again", PASSWORD)], "1 to 64 characters"),
        ] {
            let page = browser.submit(&form, "main form", &fields).await;
            assert_eq!(page.status, 422);
            assert!(page.text("[role=alert]").contains(why), "{}", page.text("[role=alert]"));
            if why.contains("12") {
                assert_eq!(page.attribute("#name", "value"), "ada");
            }
        }
    });
}

#[test]
fn an_account_that_was_made_otherwise_closes_the_setup() {
    on_site(async |site| {
        let url = path(&site.dashboard.setup_url().unwrap());
        let other = start(&site.database.url(), false).await;
        other.set_admin("ada", PASSWORD).await.unwrap();
        assert_eq!(site.browser().get(&url).await.status, 404);
        assert_eq!(site.dashboard.setup_url(), None);
    });
}
