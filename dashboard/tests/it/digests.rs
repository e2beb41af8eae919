//! Digests: what is told elsewhere, once, to nobody but the address that was given, and without any value.

use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use pgtrack_dashboard::{Config, Dashboard, KeyRing, Role, rekey};
use serde_json::Value;
use sha2::Sha256;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::connections::{bank, fields as bank_fields, install, port};
use crate::support::{Browser, Hook, Log, Page, Site, config, on_site};

/// Parts of addresses and of what is signed with, which nobody may see.
const TOKEN: &str = "T0K3NxQ";
const SIGNATURE: &str = "s1gn1ng-s3cret-of-digests";

/// A dashboard that runs, and sends.
struct Running {
    browser: Browser,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// One that may send to these ports here.
    async fn start(site: &Site, ports: &[u16]) -> Self {
        let hosts =
            ports.iter().map(|port| format!("127.0.0.1:{port}").parse().expect("it is a host"));
        let config = Config {
            webhook_hosts: hosts.collect(),
            public_url: Some("https://pgtrack.example.com/".parse().expect("it is a URL")),
            host_names: vec!["dashboard.test".to_owned()],
            ..config(&site.database.url())
        };
        let dashboard = Dashboard::start(config).await.expect("it starts");
        let browser = Browser::new(dashboard.state());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(dashboard.run(shutdown.clone()));
        Self { browser, shutdown, task }
    }

    /// The same with an admin in front of it.
    async fn with_admin(site: &Site, ports: &[u16]) -> Self {
        let mut running = Self::start(site, ports).await;
        let set = site.dashboard.set_admin("ada", crate::support::PASSWORD).await;
        set.expect("there can be an admin");
        running.browser.log_in("ada").await;
        running
    }

    async fn stop(self) -> Duration {
        let start = Instant::now();
        self.shutdown.cancel();
        self.task.await.expect("it does not panic");
        start.elapsed()
    }
}

fn fields<'a>(url: &'a str, format: &'a str, changes: &'a str) -> Vec<(&'a str, &'a str)> {
    let secret = if format == "json" { SIGNATURE } else { "" };
    vec![
        ("name", "what happened"),
        ("url", url),
        ("format", format),
        ("secret", secret),
        ("every", "hour"),
        ("hour", "8"),
        ("zone", "UTC"),
        ("changes", changes),
    ]
}

/// Adds a digest and returns where it is managed.
async fn add(browser: &mut Browser, fields: &[(&str, &str)]) -> String {
    let saved = browser.post("/c/shop/digests/new", fields).await;
    let page = browser.redirect(&saved).await;
    assert!(page.text("[role=status]").contains("Saved."), "{}", page.text("main"));
    page.attribute("tbody tr:last-child a.button", "href")
}

/// All of them are due.
async fn hurry(site: &Site) {
    let sql = "UPDATE pgtrack_dashboard.digest SET due_at = now() - interval '1 second'";
    site.client().await.batch_execute(sql).await.expect("they can be changed");
}

/// Waits until nothing is due.
async fn settled(site: &Site) {
    let query = "SELECT bool_and(is_paused OR due_at > now() AND claimed_until IS NULL)::text FROM pgtrack_dashboard.digest";
    let start = Instant::now();
    while site.value(query).await != "true" {
        assert!(start.elapsed() < Duration::from_secs(30), "the courier comes around");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn latest(page: &Page) -> String {
    page.text("td[data-head='Latest attempt']")
}

#[test]
fn a_digest_tells_how_much_was_changed_and_no_value() {
    on_site(async |site| {
        let mut hook = Hook::start().await;
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        let browser = &mut running.browser;
        let page = browser.get("/c/shop/health").await;
        let page = browser.follow(&page, "a[href$='/digests']").await;
        assert!(page.text(".blank").contains("There is no digest yet."));
        add(browser, &fields(&hook.url("/in/7"), "json", "")).await;
        let sql =
            "SELECT pgtrack.set_actor('grace'); UPDATE shop.users SET note = 'xyzzy' WHERE id = 1;
                   UPDATE shop.users SET points = 5; DELETE FROM shop.order_items";
        let xid = site.run(sql).await;
        site.run(&format!("SELECT FROM pgtrack.undo_transaction({xid})")).await;
        hurry(site).await;
        let told = hook.next().await;
        assert_eq!(told.path, "/in/7");
        assert_eq!(told.header("content-type"), "application/json");
        assert_eq!(told.header("x-pgtrack-event"), "digest");
        let mut mac = Hmac::<Sha256>::new_from_slice(SIGNATURE.as_bytes()).unwrap();
        mac.update(told.body.as_bytes());
        let digits = mac
            .finalize()
            .into_bytes()
            .iter()
            .fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
        assert_eq!(told.header("x-pgtrack-signature-256"), format!("sha256={digits}"));
        for word in ["xyzzy", "UPDATE", "DELETE FROM", "note"] {
            assert!(!told.body.contains(word), "{word}: {}", told.body);
        }
        let json = told.json();
        assert_eq!(json["id"].as_str().unwrap(), told.header("x-pgtrack-delivery"));
        assert_eq!(json["kind"], "digest");
        assert_eq!(json["digest"], "what happened");
        assert_eq!(json["connection"]["name"], "shop");
        assert_eq!(json["connection"]["label"], "The shop");
        assert_eq!(json["connection"]["environment"], "none");
        let recorded = async |sum: &str, operation: &str| -> i64 {
            let query = format!(
                "SELECT coalesce({sum}, 0)::bigint::text FROM pgtrack.activity
                 WHERE xid >= {xid} AND operation LIKE '{operation}'"
            );
            site.value(&query).await.parse().unwrap()
        };
        assert_eq!(json["statements"], recorded("count(*)", "%").await);
        for (name, operation) in [("insert", "INSERT"), ("update", "UPDATE"), ("delete", "DELETE")]
        {
            assert_eq!(json["rows"][name], recorded("sum(row_count)", operation).await, "{name}");
        }
        assert!(json["reverts"].as_i64().unwrap() > 0);
        assert_eq!(json["table_count"], 2);
        assert_eq!(json["tables"][0]["name"], "shop.users");
        assert_eq!(json["actors"][0]["name"], "grace");
        let link = json["link"].as_str().unwrap();
        let path = link.strip_prefix("https://pgtrack.example.com").unwrap();
        let page = browser.get(path).await;
        let entries = i64::try_from(page.texts(".entry").len()).unwrap();
        assert_eq!(entries, recorded("count(*)", "%").await, "the link leads to what is told");
        settled(site).await;
        assert!(latest(&browser.get("/c/shop/digests").await).contains("✓ delivered status 200"));
        assert!(!hook.has_more());
        running.stop().await;
    });
}

#[test]
fn nothing_is_left_out_or_told_twice_when_the_dashboard_is_started_again() {
    on_site(async |site| {
        let mut hook = Hook::start().await;
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        add(&mut running.browser, &fields(&hook.url("/"), "json", "?table=shop.users&op=update"))
            .await;
        // Runs all the time, older than everything that is told before it has committed.
        let slow = site.client().await;
        slow.batch_execute("BEGIN; UPDATE shop.users SET points = 100 WHERE id = 3").await.unwrap();
        let (mut rows, mut ids) = (0, Vec::new());
        for round in 0..3 {
            site.run(&format!("UPDATE shop.users SET points = {round} WHERE id IN (1, 2)")).await;
            if round == 1 {
                slow.batch_execute("COMMIT").await.unwrap();
            }
            hurry(site).await;
            let told = hook.next().await.json();
            rows += told["rows"]["update"].as_i64().unwrap();
            ids.push(told["id"].as_str().unwrap().to_owned());
            settled(site).await;
            running.stop().await;
            // Also while none runs.
            site.run("UPDATE shop.users SET points = points + 1 WHERE id = 1").await;
            running = Running::start(site, &[hook.port()]).await;
        }
        hurry(site).await;
        rows += hook.next().await.json()["rows"]["update"].as_i64().unwrap();
        assert_eq!(rows, 3 * 2 + 1 + 3);
        ids.dedup();
        assert_eq!(ids.len(), 3);
        hurry(site).await;
        settled(site).await;
        assert!(!hook.has_more(), "there is nothing more to tell");
        running.stop().await;
    });
}

#[test]
fn what_was_cut_off_is_delivered_again_with_the_same_id() {
    on_site(async |site| {
        let mut hook = Hook::start().await;
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        add(&mut running.browser, &fields(&hook.url("/"), "json", "")).await;
        site.run("UPDATE shop.users SET points = 1").await;
        hook.answer_with(1, "");
        hurry(site).await;
        let first = hook.next().await;
        let took = running.stop().await;
        assert!(took < Duration::from_secs(6), "{took:?}");
        site.run("UPDATE shop.users SET points = 2").await;
        // As if two minutes had passed since the other one died.
        let sql = "UPDATE pgtrack_dashboard.digest SET claimed_until = now() - interval '1 second', due_at = now()";
        site.client().await.batch_execute(sql).await.unwrap();
        let running = Running::start(site, &[hook.port()]).await;
        let second = hook.next().await;
        assert_eq!(second.body, first.body);
        assert_eq!(second.header("x-pgtrack-delivery"), first.header("x-pgtrack-delivery"));
        settled(site).await;
        hurry(site).await;
        let third = hook.next().await.json();
        assert_ne!(third["id"], first.json()["id"]);
        assert_eq!(third["statements"], 1);
        assert_eq!(third["period"]["from"], first.json()["period"]["to"]);
        running.stop().await;
    });
}

#[test]
fn two_dashboards_of_one_database_send_a_digest_once() {
    on_site(async |site| {
        let mut hook = Hook::start().await;
        let mut one = Running::with_admin(site, &[hook.port()]).await;
        let other = Running::start(site, &[hook.port()]).await;
        add(&mut one.browser, &fields(&hook.url("/"), "json", "")).await;
        for _ in 0..4 {
            site.run("UPDATE shop.users SET points = points + 1").await;
            hurry(site).await;
            assert_eq!(hook.next().await.json()["statements"], 1);
            settled(site).await;
            assert!(!hook.has_more());
        }
        one.stop().await;
        other.stop().await;
    });
}

#[test]
fn only_what_passes_the_filter_is_told_and_nothing_only_if_asked() {
    on_site(async |site| {
        let mut hook = Hook::start().await;
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        let browser = &mut running.browser;
        // From the activity, where people filter.
        let page = browser.get("/c/shop/changes?table=shop.order_items&op=delete&since=1h").await;
        let form = browser.follow(&page, "a[href*='/digests/new']").await;
        let changes = form.attribute("[name=changes]", "value");
        assert_eq!(changes, "?table=shop.order_items&op=delete");
        let place = add(browser, &fields(&hook.url("/"), "slack", &changes)).await;
        site.run("UPDATE shop.users SET points = 3").await;
        hurry(site).await;
        settled(site).await;
        assert!(!hook.has_more(), "nothing of the kind was changed");
        assert!(latest(&browser.get("/c/shop/digests").await).contains("none yet"));

        site.run("DELETE FROM shop.order_items; UPDATE shop.users SET points = 4").await;
        hurry(site).await;
        let told = hook.next().await;
        assert_eq!(
            told.header("x-pgtrack-signature-256"),
            "",
            "there is nothing to verify it with"
        );
        let Value::Object(json) = told.json() else { panic!("{}", told.body) };
        assert_eq!(json.keys().collect::<Vec<_>>(), ["text"]);
        let text = json["text"].as_str().unwrap();
        assert!(text.starts_with("*The shop*: 1 statement changed "), "{text}");
        assert!(text.contains("• Tables: `shop.order_items` ") && !text.contains("shop.users"));
        assert!(text.contains("<https://pgtrack.example.com/c/shop/changes?table=shop.order_items&amp;op=delete&amp;since="));
        settled(site).await;

        // Now also when nothing was changed; the address stays.
        let form = browser.get(&place).await;
        assert!(
            !form.html.contains(&hook.url("/x"))
                && form.attribute("#url", "placeholder").contains("as it is")
        );
        let mut others = fields("", "slack", "?op=truncate");
        others.push(("empty", "on"));
        assert_eq!(browser.post(&place, &others).await.status, 303);
        hurry(site).await;
        let told = hook.next().await.json();
        assert!(told["text"].as_str().unwrap().starts_with("*The shop*: no changes\n"), "{told}");
        running.stop().await;
    });
}

#[test]
fn what_does_not_arrive_is_sent_again_and_given_up_after_a_while() {
    on_site(async |site| {
        let mut hook = Hook::start().await;
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        let place = add(&mut running.browser, &fields(&hook.url("/"), "json", "")).await;
        site.run("UPDATE shop.users SET points = 1").await;
        hook.answer(8, "500 Oh No");
        let mut bodies = Vec::new();
        for failures in 1..=8 {
            hurry(site).await;
            bodies.push(hook.next().await.body);
            settled(site).await;
            let page = running.browser.get("/c/shop/digests").await;
            let said = latest(&page);
            assert!(said.contains("the server answered with status 500"), "{said}");
            assert!(!said.contains("Oh No"), "what it says is not shown");
            assert_eq!(
                said.contains("paused after 8 attempts that did not work"),
                failures == 8,
                "{said}"
            );
            let wait = "SELECT (due_at > now() + make_interval(secs => 30 * 2 ^ (failures - 1) - 20))::text FROM pgtrack_dashboard.digest";
            assert!(failures == 8 || site.value(wait).await == "true", "it waits longer each time");
        }
        bodies.dedup();
        assert_eq!(bodies.len(), 1, "the same digest in every attempt");
        let log = running.browser.get("/audit?action=digest+paused").await;
        assert!(log.text("tbody").contains("(the dashboard)"), "{}", log.text("main"));
        assert!(log.text("tbody").contains("the server answered with status 500"));
        hurry(site).await;
        settled(site).await;
        assert!(!hook.has_more(), "it is paused");

        site.run("UPDATE shop.users SET points = 2").await;
        let resumed = running.browser.post(&format!("{place}/pause"), &[("paused", "off")]).await;
        assert_eq!(resumed.location(), "/c/shop/digests");
        assert_eq!(hook.next().await.body, bodies[0]);
        settled(site).await;
        hurry(site).await;
        assert_eq!(hook.next().await.json()["statements"], 1, "what came in the meantime");
        settled(site).await;

        // A person pauses it, too.
        running.browser.post(&format!("{place}/pause"), &[("paused", "on")]).await;
        site.run("UPDATE shop.users SET points = 3").await;
        hurry(site).await;
        settled(site).await;
        assert!(!hook.has_more());
        assert!(latest(&running.browser.get("/c/shop/digests").await).contains("paused"));
        running.browser.post(&format!("{place}/remove"), &[]).await;
        assert!(running.browser.get("/c/shop/digests").await.has(".blank"));
        let log = running.browser.get("/audit").await.text("tbody");
        for word in ["digest added", "digest resumed", "digest paused", "digest removed"] {
            assert!(log.contains(word), "{word}");
        }
        running.stop().await;
    });
}

#[test]
fn no_other_place_is_written_to() {
    on_site(async |site| {
        let (mut hook, mut other) = (Hook::start().await, Hook::start().await);
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        let unlisted = other.url("/");
        let named = format!("http://localhost:{}/", other.port());
        for (url, word) in [
            ("ftp://127.0.0.1/", "begins with https://"),
            ("https://ada:pw@example.com/", "holds a user name"),
            (unlisted.as_str(), "this port is not allowed"),
            (named.as_str(), "is not allowed"),
            ("https://127.0.0.2/", "this address is not allowed"),
            ("https://127.1.1.1/", "this address is not allowed"),
            ("https://2130706434/", "this address is not allowed"),
            ("https://10.0.0.1/", "this address is not allowed"),
            ("https://[::1]/", "this address is not allowed"),
            ("https://[::ffff:10.0.0.1]/", "this address is not allowed"),
            ("https://169.254.169.254/latest/meta-data/", "this address is not allowed"),
            ("https://93.184.216.34:22/", "this port is not allowed"),
            ("http://93.184.216.34/", "use https"),
            ("https://no-such-host.invalid/", "no address is known"),
        ] {
            let page = running.browser.post("/c/shop/digests/new", &fields(url, "slack", "")).await;
            assert_eq!(page.status, 422, "{url}");
            assert!(
                page.text("[role=alert]").contains(word),
                "{url}: {}",
                page.text("[role=alert]")
            );
            assert!(!page.html.contains("pw@"), "what was typed is not shown again");
        }

        // Redirects lead nowhere.
        let place = add(&mut running.browser, &fields(&hook.url("/"), "slack", "")).await;
        let elsewhere = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {unlisted}\r\ncontent-length: 0\r\n\r\n"
        );
        hook.answer_with(1, &elsewhere);
        site.run("UPDATE shop.users SET points = 1").await;
        hurry(site).await;
        hook.next().await;
        settled(site).await;
        let said = latest(&running.browser.get("/c/shop/digests").await);
        assert!(
            said.contains("status 307 and sends us elsewhere, which is not followed"),
            "{said}"
        );
        assert!(!other.has_more());
        // Of an answer without an end, no more than its beginning is read.
        hook.answer_with(1, &format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(1 << 20)));
        let tested = running.browser.post(&format!("{place}/test"), &[]).await;
        hook.next().await;
        assert!(
            tested.text("[role=alert]").contains("did not answer as a web server does"),
            "{}",
            tested.text("main")
        );
        hook.answer_with(1, "220 mail.example.com ESMTP\r\n");
        let tested = running.browser.post(&format!("{place}/test"), &[]).await;
        hook.next().await;
        assert!(tested.text("[role=alert]").contains("did not answer as a web server does"));
        assert!(!tested.html.contains("ESMTP"));
        running.stop().await;

        // It is looked at each time, not only when it is entered.
        let mut stricter = Running::start(site, &[]).await;
        stricter.browser.log_in("ada").await;
        hurry(site).await;
        settled(site).await;
        let said = latest(&stricter.browser.get("/c/shop/digests").await);
        assert!(said.contains("is not allowed; list"), "{said}");
        assert!(!hook.has_more());
        stricter.stop().await;
    });
}

#[test]
fn what_cannot_be_a_digest_is_refused() {
    on_site(async |site| {
        let hook = Hook::start().await;
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        let url = hook.url("/");
        let long = format!("?who={}", "a".repeat(2000));
        for (name, value, word) in [
            ("changes", long.as_str(), "longer than 2,000"),
            ("name", "", "a name has"),
            ("url", "", "the address is missing"),
            ("format", "xml", "choose a format"),
            ("secret", "short", "at least 16 characters"),
            ("every", "century", "choose how often"),
            ("zone", "Mars/Phobos", "no time zone"),
            ("changes", "shop.users", "no address of the activity"),
            ("changes", "?q=xyzzy", "holds no values"),
            ("changes", "?table=shop.users&column=note&value=xyzzy", "holds no values"),
            ("changes", "?table=shop.users&column=nothing", "no such column"),
            ("changes", "?since=1h", "times of its own"),
        ] {
            let mut fields = fields(&url, "json", "");
            fields.retain(|field| field.0 != name);
            fields.push((name, value));
            let page = running.browser.post("/c/shop/digests/new", &fields).await;
            assert_eq!(page.status, 422, "{name}={value}");
            let said = page.text("[role=alert]");
            assert!(said.contains(word), "{name}={value}: {said}");
            assert!(!page.html.contains(SIGNATURE));
        }
        assert_eq!(site.value("SELECT count(*)::text FROM pgtrack_dashboard.digest").await, "0");
        for path in ["", "/test", "/pause", "/remove"] {
            let page = running
                .browser
                .post(&format!("/c/shop/digests/1{path}"), &fields(&url, "json", ""))
                .await;
            assert!([400, 404].contains(&page.status.as_u16()), "{path}: {}", page.status);
        }
        running.stop().await;
    });
}

#[test]
fn addresses_and_secrets_are_nowhere_to_be_read() {
    let log = Log::default();
    // Where all tests share a process, another one may have been first.
    let is_ours = tracing::subscriber::set_global_default(log.subscriber()).is_ok();
    on_site(async |site| {
        let mut hook = Hook::start().await;
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        let url = hook.url(&format!("/services/{TOKEN}?key={TOKEN}"));
        let place = add(&mut running.browser, &fields(&url, "json", "")).await;
        // Whoever answers knows it, and may say it.
        let echo =
            format!("HTTP/1.1 403 {TOKEN}\r\nx-echo: {TOKEN}\r\ncontent-length: 7\r\n\r\n{TOKEN}");
        hook.answer_with(3, &echo);
        site.run("UPDATE shop.users SET points = 1").await;
        hurry(site).await;
        assert!(hook.next().await.path.contains(TOKEN));
        settled(site).await;
        let mut pages = vec![running.browser.post(&format!("{place}/test"), &[]).await];
        assert_eq!(hook.next().await.json()["kind"], "test");
        assert!(
            pages[0]
                .text("[role=alert]")
                .contains("was not delivered: the server answered with status 403")
        );
        hook.answer(1, "204 No Content");
        let mut mistaken = fields(&url, "json", "?q=x");
        mistaken.push(("empty", "on"));
        pages.push(running.browser.post(&place, &mistaken).await);
        pages.push(running.browser.post("/c/shop/digests/new", &mistaken).await);
        for address in ["/c/shop/digests", &place, "/audit", "/audit.jsonl", "/c/shop/health"] {
            pages.push(running.browser.get(address).await);
        }
        assert!(pages[3].text("tbody").contains(&hook.url("/…")), "{}", pages[3].text("tbody"));
        for page in pages {
            for secret in [TOKEN, SIGNATURE] {
                assert!(!page.html.contains(secret), "{}", page.url);
            }
        }
        let stored = "SELECT coalesce(string_agg(t.line, ' '), '') FROM (
                        SELECT d::text AS line FROM pgtrack_dashboard.digest d UNION ALL
                        SELECT a::text FROM pgtrack_dashboard.audit a) t";
        let stored = site.value(stored).await;
        assert!(stored.contains("v1.") && !stored.contains(TOKEN) && !stored.contains(SIGNATURE));
        running.stop().await;
    });
    let text = log.text();
    assert!(!is_ours || text.contains("a digest was not delivered"), "{text}");
    assert!(!text.contains(TOKEN) && !text.contains(SIGNATURE), "{text}");
}

#[test]
fn what_is_sealed_belongs_to_one_digest_and_gets_another_key() {
    on_site(async |site| {
        let mut hook = Hook::start().await;
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        let place = add(&mut running.browser, &fields(&hook.url("/a"), "json", "")).await;
        let url = site.database.url().parse().unwrap();
        let both = KeyRing::new([[8; 32], [7; 32]]);
        assert_eq!(rekey(&url, &both).await.unwrap(), 1);
        assert_eq!(rekey(&url, &both).await.unwrap(), 0);
        let error = rekey(&url, &KeyRing::new([[9; 32]])).await.unwrap_err().to_string();
        assert!(error.contains("digest what happened of shop"), "{error}");
        let tested = running.browser.post(&format!("{place}/test"), &[]).await;
        assert!(
            tested
                .text("[role=alert]")
                .contains("the key that its address was sealed with is not there")
        );
        assert_eq!(rekey(&url, &KeyRing::new([[7; 32], [8; 32]])).await.unwrap(), 1);
        let tested = running.browser.post(&format!("{place}/test"), &[]).await;
        assert!(
            tested.text("[role=status]").contains("was delivered, with status 200"),
            "{}",
            tested.text("main")
        );
        assert_eq!(hook.next().await.path, "/a");
        // Neither an address nor a secret works in another's place.
        for swap in ["sealed_url = sealed_secret", "digest_id = 'another'"] {
            let sql = format!("UPDATE pgtrack_dashboard.digest SET {swap}");
            site.client().await.batch_execute(&sql).await.unwrap();
            let place = if swap.starts_with("digest") { "/c/shop/digests/another" } else { &place };
            let tested = running.browser.post(&format!("{place}/test"), &[]).await;
            assert!(tested.text("[role=alert]").contains("is not there"), "{swap}");
        }
        assert!(!hook.has_more());
        running.stop().await;
    });
}

#[test]
fn digests_are_for_admins_with_a_key_of_connections_that_can_be_read() {
    on_site(async |site| {
        let mut operator = site.signed_in(Role::Operator).await;
        assert!(!operator.get("/c/shop/health").await.has("a[href$='/digests']"));
        assert!(!operator.get("/c/shop/changes").await.has("a[href*='/digests']"));
        let keyless = Config { keys: KeyRing::default(), ..config(&site.database.url()) };
        let keyless = Dashboard::start(keyless).await.unwrap();
        site.signed_in(Role::Admin).await;
        let mut admin = Browser::new(keyless.state());
        admin.log_in("admin").await;
        for url in ["/c/shop/digests", "/c/shop/digests/new"] {
            let page = admin.get(url).await;
            assert!(page.text(".notice").contains("set key_file"), "{}", page.text("main"));
            assert!(!page.has("main form"));
        }

        let hook = Hook::start().await;
        let mut running = Running::start(site, &[hook.port()]).await;
        running.browser.log_in("admin").await;
        let (database, port) = (bank().await, port());
        let browser = &mut running.browser;
        let mut asked = bank_fields(&database, &port);
        browser.post("/connections/new", &asked).await;
        install(browser).await;
        let url = hook.url("/");
        let fields = fields(&url, "slack", "");
        let added = browser.post("/c/bank/digests/new", &fields).await;
        assert_eq!(added.location(), "/c/bank/digests?saved=yes");
        assert_eq!(browser.get("/c/shop/digests").await.texts("tbody tr").len(), 0);
        asked.push(("password_is", "ask"));
        asked.retain(|field| *field != ("password_is", "keep"));
        browser.post("/connections/bank", &asked).await;
        let form = browser.get("/connections/bank/unlock").await;
        let password = asked.iter().find(|field| field.0 == "password").unwrap().1;
        browser.submit(&form, "main form", &[("password", password)]).await;
        let page = browser.get("/c/bank/digests").await;
        assert!(
            page.text(".notice").contains("nobody can give it when a digest is due"),
            "{}",
            page.text("main")
        );
        hurry(site).await;
        settled(site).await;
        let said = latest(&browser.get("/c/bank/digests").await);
        assert!(said.contains("cannot be read in the background"), "{said}");
        browser.post("/connections/bank/remove", &[]).await;
        assert_eq!(site.value("SELECT count(*)::text FROM pgtrack_dashboard.digest").await, "0");
        running.stop().await;
        database.remove().await;
    });
}

#[test]
fn another_database_is_begun_anew() {
    on_site(async |site| {
        let mut hook = Hook::start().await;
        let mut running = Running::with_admin(site, &[hook.port()]).await;
        add(&mut running.browser, &fields(&hook.url("/"), "json", "")).await;
        site.run("UPDATE shop.users SET points = 1").await;
        let sql = "UPDATE pgtrack_dashboard.digest SET bookmark = '1/1/3:3:'";
        site.client().await.batch_execute(sql).await.unwrap();
        hurry(site).await;
        settled(site).await;
        let said = latest(&running.browser.get("/c/shop/digests").await);
        assert!(said.contains("begins anew here"), "{said}");
        assert!(!hook.has_more());
        site.run("UPDATE shop.users SET points = 2").await;
        hurry(site).await;
        assert_eq!(hook.next().await.json()["statements"], 1);
        running.stop().await;
    });
}
