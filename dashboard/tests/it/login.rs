//! Signing in and out, and what is done against guessing and stealing.

use pgtrack_dashboard::{AccountError, Error, Role};

use crate::support::{Browser, PASSWORD, on_site, start};

const COOKIE: &str = "pgtrack";

#[test]
fn the_right_password_signs_in() {
    on_site(async |site| {
        site.dashboard.set_admin("Ada", PASSWORD).await.unwrap();
        let mut browser = site.browser();
        let page = browser.post("/login", &[("name", " ada "), ("password", PASSWORD)]).await;
        assert_eq!(page.status, 303);
        let cookie = page.header("set-cookie");
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
        let overview = browser.get("/c/shop").await;
        assert_eq!(overview.texts("details.menu summary .name"), ["Ada"]);
        let kept = site.value("SELECT count(*)::text FROM pgtrack_dashboard.session").await;
        assert_eq!(kept, "1");
        let token = &browser.cookies[COOKIE];
        let raw =
            format!("SELECT (token_hash = sha256('{token}'))::text FROM pgtrack_dashboard.session");
        assert_eq!(site.value(&raw).await, "true");
    });
}

#[test]
fn on_https_the_cookie_is_bound_to_the_host() {
    on_site(async |site| {
        let dashboard = start(&site.database.url(), true).await;
        dashboard.set_admin("ada", PASSWORD).await.unwrap();
        let mut browser = Browser::new(dashboard.state());
        let page = browser.post("/login", &[("name", "ada"), ("password", PASSWORD)]).await;
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with("__Host-pgtrack="), "{cookie}");
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
        assert_eq!(browser.get("/c/shop").await.status, 200);
    });
}

#[test]
fn wrong_names_and_wrong_passwords_look_the_same() {
    on_site(async |site| {
        site.dashboard.set_admin("ada", PASSWORD).await.unwrap();
        let mut texts = Vec::new();
        for (name, password) in [("ada", "wrong wrong wrong"), ("nobody", PASSWORD), ("", "")] {
            let page =
                site.browser().post("/login", &[("name", name), ("password", password)]).await;
            assert_eq!(page.status, 401);
            assert!(!page.headers.contains_key("set-cookie"));
            texts.push(page.text("[role=alert]"));
        }
        assert_eq!(texts, ["Wrong user name or password."; 3]);
        let failed = "SELECT string_agg(name, ',' ORDER BY audit_id) FROM pgtrack_dashboard.audit
                      WHERE action = 'login failed' AND client_addr = '127.0.0.1'";
        assert_eq!(site.value(failed).await, "ada,nobody,");
    });
}

#[test]
fn guessing_a_password_is_slowed_down_for_one_address() {
    on_site(async |site| {
        site.dashboard.set_admin("ada", PASSWORD).await.unwrap();
        let mut guesser = site.browser();
        for _ in 0..5 {
            let page = guesser.post("/login", &[("name", "ADA"), ("password", "x")]).await;
            assert_eq!(page.status, 401);
        }
        // Also with the right password.
        let page = guesser.post("/login", &[("name", "ada"), ("password", PASSWORD)]).await;
        assert_eq!(page.status, 429);
        assert!(page.text("[role=alert]").starts_with("Too many attempts. Try again in"));
        let wait: u64 = page.header("retry-after").parse().unwrap();
        assert!((1..=12).contains(&wait), "{wait}");
        // Its owner is elsewhere, and is not locked out.
        let mut owner = site.browser();
        owner.address.set_ip([10, 0, 0, 1].into());
        owner.log_in("ada").await;
    });
}

#[test]
fn guessing_from_many_addresses_is_slowed_down_but_locks_nobody_out_where_they_have_been() {
    on_site(async |site| {
        site.dashboard.set_admin("ada", PASSWORD).await.unwrap();
        let mut owner = site.browser();
        owner.address.set_ip([10, 0, 0, 1].into());
        owner.log_in("ada").await;
        let mut refused = None;
        'guessing: for last in 0..=255 {
            let mut guesser = site.browser();
            guesser.address.set_ip([10, 1, 0, last].into());
            for _ in 0..5 {
                let page = guesser.post("/login", &[("name", "ada"), ("password", "x")]).await;
                if page.status == 429 {
                    refused = Some(guesser);
                    break 'guessing;
                }
            }
        }
        let mut guesser = refused.expect("there is an end of it");
        let page = guesser.post("/login", &[("name", "ada"), ("password", PASSWORD)]).await;
        assert_eq!(page.status, 429, "the right password does not help there");
        let mut again = site.browser();
        again.address.set_ip([10, 0, 0, 1].into());
        again.log_in("ada").await;
    });
}

#[test]
fn guessing_names_is_slowed_down_for_one_address() {
    on_site(async |site| {
        let mut guesser = site.browser();
        let mut statuses = Vec::new();
        for number in 0..21 {
            let name = format!("user{number}");
            let page = guesser.post("/login", &[("name", &name), ("password", "x")]).await;
            statuses.push(page.status.as_u16());
        }
        assert_eq!(statuses[..20], [401; 20]);
        assert_eq!(statuses[20], 429);
    });
}

#[test]
fn a_planted_session_is_worth_nothing() {
    on_site(async |site| {
        site.dashboard.set_admin("ada", PASSWORD).await.unwrap();
        let mut victim = site.browser();
        victim.cookies.insert(COOKIE.to_owned(), "0".repeat(64));
        victim.log_in("ada").await;
        let first = victim.cookies[COOKIE].clone();
        assert_ne!(first, "0".repeat(64));

        // Signing in again gives another session, and ends the one before.
        let mut thief = victim.clone();
        victim.log_in("ada").await;
        assert_ne!(victim.cookies[COOKIE], first);
        assert_eq!(thief.get("/c/shop").await.status, 303);
        assert_eq!(victim.get("/c/shop").await.status, 200);
    });
}

#[test]
fn signing_out_ends_the_session_everywhere() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let mut copy = browser.clone();
        let page = browser.get("/c/shop").await;
        let page = browser.submit(&page, "form[action='/logout']", &[]).await;
        assert_eq!(page.location(), "/login");
        assert!(!browser.cookies.contains_key(COOKIE));
        assert_eq!(copy.get("/c/shop").await.status, 303);
    });
}

#[test]
fn sessions_end_when_they_are_idle_or_old() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let age = async |seen: &str, created: &str| {
            let sql = format!(
                "UPDATE pgtrack_dashboard.session
                 SET seen_at = now() - interval '{seen}', created_at = now() - interval '{created}'"
            );
            site.client().await.batch_execute(&sql).await.unwrap();
        };
        age("7 hours 59 minutes", "6 days 23 hours").await;
        assert_eq!(browser.get("/c/shop").await.status, 200);
        let is_noted =
            "SELECT (seen_at > now() - interval '1 minute')::text FROM pgtrack_dashboard.session";
        assert_eq!(site.value(is_noted).await, "true");
        age("8 hours 1 minute", "1 day").await;
        assert_eq!(browser.get("/c/shop").await.status, 303);
        age("1 minute", "7 days 1 minute").await;
        assert_eq!(browser.get("/c/shop").await.status, 303);
    });
}

#[test]
fn accounts_need_a_free_name_and_a_long_password() {
    on_site(async |site| {
        let create = async |name, password| match site
            .dashboard
            .create_account(name, password, Role::Viewer)
            .await
        {
            Err(Error::Account(error)) => Some(error),
            other => {
                other.unwrap();
                None
            }
        };
        assert_eq!(create("ada", PASSWORD).await, None);
        assert_eq!(create("ADA", PASSWORD).await, Some(AccountError::NameTaken));
        assert_eq!(create(" ", PASSWORD).await, Some(AccountError::Name));
        assert_eq!(create("grace", "too short").await, Some(AccountError::PasswordTooShort));
    });
}

#[test]
fn setting_an_admin_again_changes_the_password_and_ends_the_sessions() {
    on_site(async |site| {
        site.dashboard.set_admin("ada", PASSWORD).await.unwrap();
        let mut browser = site.browser();
        browser.log_in("ada").await;
        assert_eq!(browser.get("/c/shop").await.status, 200);
        site.dashboard.set_admin("Ada", "quite another password").await.unwrap();
        assert_eq!(browser.get("/c/shop").await.status, 303);
        let page = browser.post("/login", &[("name", "ada"), ("password", PASSWORD)]).await;
        assert_ne!(page.status, 303);
        let fields = [("name", "ada"), ("password", "quite another password")];
        assert_eq!(browser.post("/login", &fields).await.status, 303);
    });
}

#[test]
fn a_huge_form_is_refused() {
    on_site(async |site| {
        let page = site.browser().post("/login", &[("name", &"x".repeat(100_000))]).await;
        assert_eq!(page.status, 400);
        assert!(page.has("main h1"));
    });
}
