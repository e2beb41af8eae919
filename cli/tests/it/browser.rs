//! The dashboard in a real browser, with JavaScript: the ways people go, what the pages look like in both themes and
//! sizes, and that nobody is kept out.

#[path = "browser/driver.rs"]
mod driver;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fantoccini::Locator;
use serde_json::Value;

use self::driver::Browser;
use crate::program::{Demo, psql};

/// Something went wrong, is found, and is put back: three clicks from the overview.
#[test]
fn a_mistake_is_found_and_undone_in_three_clicks() {
    let demo = Demo::start(&["--no-traffic"]);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        browser.log_in(&demo).await;
        assert_eq!(browser.text("h1").await, "Overview");

        // This mark is gone if the page is loaded again.
        browser.script("window.notReloaded = true").await;
        let before = browser.count("li.entry").await;
        demo.psql("UPDATE products SET price = 0 WHERE product_id < 104");
        let xid = demo.psql("SELECT xid FROM pgtrack.log(1)");
        let item = browser.text(&format!("li.entry[data-xid='{xid}']")).await;
        assert!(
            item.contains('4') && item.contains("demo.products") && item.contains("psql"),
            "{item}"
        );
        assert_eq!(browser.count("li.entry").await, before + 1);
        assert_eq!(browser.script("return window.notReloaded").await, Value::Bool(true));
        browser.pictures("overview").await;

        // One.
        browser.click(&format!("li.entry[data-xid='{xid}'] a.open")).await;
        browser.text("table").await;
        browser.pictures("transaction").await;
        // Two.
        browser.follow("Undo transaction…").await;
        browser.text("[name=reason]").await;
        browser.pictures("preview").await;
        assert_eq!(demo.psql("SELECT count(*) FROM products WHERE price = 0"), "4");
        browser.type_into("[name=reason]", "a wrong price list").await;
        // Three.
        browser.click(".confirm button.primary").await;
        browser.text(&format!("a[href$='/tx/{xid}']")).await;
        browser.pictures("result").await;
        assert!(browser.text(".title").await.contains("Undo transaction…"), "it can be undone");

        assert_eq!(demo.psql("SELECT count(*) FROM products WHERE price = 0"), "0");
        assert_eq!(
            demo.psql("SELECT who, application, message, reverts FROM pgtrack.activity ORDER BY xid DESC LIMIT 1"),
            format!("admin|pgtrack-dashboard|a wrong price list|xid:{xid}")
        );
        browser.close().await;
    });
}

/// Six columns, a trigger, a foreign key.
const NIGHT: &str = "
    CREATE TABLE clients (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE parcels (id int PRIMARY KEY, client int NOT NULL REFERENCES clients, status text NOT NULL,
                         total numeric(10, 2) NOT NULL, note text, updated_at timestamptz NOT NULL DEFAULT now());
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.updated_at := now(); RETURN new; END $$;
    INSERT INTO clients SELECT n, 'client ' || n FROM generate_series(1, 1000) n;
    INSERT INTO parcels SELECT n, 1 + n % 1000, 'paid', n, 'parcel ' || n FROM generate_series(1, 200000) n;
    CREATE TRIGGER touch BEFORE UPDATE ON parcels FOR EACH ROW EXECUTE FUNCTION touch();
    SELECT pgtrack.track('parcels');
    SELECT pgtrack.track('clients')";

/// Three in the morning: all rows of a table of ordinary size were changed, and the shop goes on working.
#[test]
fn a_mistake_of_all_rows_is_undone_while_others_write() {
    let demo = Demo::start(&["--no-traffic"]);
    demo.psql(NIGHT);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        browser.log_in(&demo).await;
        demo.psql("UPDATE parcels SET status = 'x'");
        // What the shop does all the time; it ends also if the test fails.
        let over = Over(Arc::default());
        let (is_over, proxy) = (Arc::clone(&over.0), demo.proxy.clone());
        let shop = std::thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                psql(
                    &proxy,
                    "UPDATE parcels SET note = 'a call' WHERE id = 1000 + (random() * 100)::int",
                );
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        repair(&browser, &demo).await;
        drop(over);
        shop.join().unwrap();
        assert_eq!(demo.psql("SELECT count(*) FROM parcels WHERE status <> 'paid'"), "0");
        assert_ne!(demo.psql("SELECT count(*) FROM parcels WHERE note = 'a call'"), "0");
        browser.close().await;
    });
}

struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// From the overview to the end, with nothing but clicks and a reason.
async fn repair(browser: &Browser, demo: &Demo) {
    let query =
        "SELECT xid FROM pgtrack.activity WHERE row_count > 100000 ORDER BY xid DESC LIMIT 1";
    let xid = demo.psql(query);
    browser.goto("/c/shop").await;
    browser.click(&format!("li.entry[data-xid='{xid}'] a.open")).await;
    browser.follow("Undo transaction…").await;
    browser.wait_for("form.confirm").await;
    // Others have changed some rows since, so there is a choice; batches are ticked already.
    browser.click("input[value=merge]").await;
    assert!(browser.text(".head").await.contains("In batches it takes about"));
    assert_eq!(browser.count("input[name=batches]:checked").await, 1);
    browser.pictures("night").await;
    browser.type_into("[name=reason]", "a WHERE was missing").await;
    browser.click(".confirm button.primary").await;
    browser.wait_for(".job a[data-undo]").await;
    assert_eq!(browser.text("#job-state").await, "Done");
}

/// The numbers move without the page being loaded again, and what is there stays where it is.
#[test]
fn an_undo_in_batches_shows_its_progress() {
    let demo = Demo::start(&["--no-traffic"]);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        browser.log_in(&demo).await;
        demo.psql(
            "CREATE TABLE readings (id int PRIMARY KEY, value int); SELECT pgtrack.track('readings');
             INSERT INTO readings SELECT n, 0 FROM generate_series(1, 2500) n",
        );
        demo.psql("UPDATE readings SET value = 1");
        let xid = demo.psql("SELECT xid FROM pgtrack.log(1)");
        // Slow enough to be looked at.
        demo.psql(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.004); RETURN new; END $$;
             CREATE TRIGGER slow BEFORE UPDATE ON readings FOR EACH ROW EXECUTE FUNCTION slow()",
        );
        browser.goto(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        browser.text(".totals").await;
        browser.pictures("preview-batches").await;
        browser.type_into("[name=reason]", "a sensor was upside down").await;
        browser.click("[name=batches]").await;
        browser.click(".confirm button.primary").await;
        browser.text("#job").await;
        browser
            .script("window.notReloaded = true; document.querySelector('.job button').focus()")
            .await;
        browser.pictures("batches-running").await;
        let until = |heading: &'static str| {
            let browser = &browser;
            async move {
                for _ in 0..600 {
                    if browser.text("#job-state").await == heading {
                        return;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                panic!("never {heading}");
            }
        };
        let moved = "return Number(document.querySelector('.job progress').value)";
        while browser.script(moved).await.as_f64() < Some(1000.0) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let focus = "return document.activeElement.matches('.job button')";
        assert_eq!(browser.script(focus).await, Value::Bool(true), "the focus stays");
        until("Done").await;
        assert_eq!(browser.script("return window.notReloaded").await, Value::Bool(true));
        assert_eq!(browser.text("#job-news").await, "Done: 2,500 of 2,500 rows, 3 of 3 batches");
        browser.pictures("batches-done").await;
        assert_eq!(demo.psql("SELECT count(*) FROM readings WHERE value = 1"), "0");

        // Once more, and it fails on the way.
        demo.psql("DROP TRIGGER slow ON readings; UPDATE readings SET value = 2");
        let xid = demo.psql("SELECT xid FROM pgtrack.log(1)");
        demo.psql("ALTER TABLE readings ADD CONSTRAINT sacred CHECK (id <> 1000 OR value = 2)");
        browser.goto(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        browser.type_into("[name=reason]", "once more").await;
        browser.click("[name=batches]").await;
        browser.click(".confirm button.primary").await;
        until("Failed in batch 2").await;
        browser.text("[role=alert]").await;
        browser.pictures("batches-failed").await;
        browser.close().await;
    });
}

#[test]
fn a_conflict_is_resolved_column_by_column() {
    let demo = Demo::start(&["--no-traffic"]);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        browser.log_in(&demo).await;
        let before = demo.psql("SELECT price FROM products WHERE product_id = 101");
        demo.psql("UPDATE products SET price = price * 2 WHERE product_id < 103");
        let xid = demo.psql("SELECT xid FROM pgtrack.log(1)");
        demo.psql("UPDATE products SET stock = 7 WHERE product_id = 101");
        browser.goto(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        assert!(browser.text(".conflict").await.contains("changed since"));
        browser.pictures("conflict").await;
        browser.click("input[value=merge]").await;
        browser.type_into("[name=reason]", "prices were doubled").await;
        browser.click(".confirm button.primary").await;
        browser.text(&format!("a[href$='/tx/{xid}']")).await;
        assert_eq!(
            demo.psql("SELECT price, stock FROM products WHERE product_id = 101"),
            format!("{before}|7"),
            "the price is back, the newer stock stays"
        );
        browser.close().await;
    });
}

#[test]
fn columns_are_chosen_and_rules_are_kept() {
    let demo = Demo::start(&["--no-traffic"]);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        browser.log_in(&demo).await;
        let products = "SELECT price, stock FROM products WHERE product_id = 101";
        let before = demo.psql("SELECT price FROM products WHERE product_id = 101");
        demo.psql("UPDATE products SET price = 0, stock = 7 WHERE product_id < 103");
        let xid = demo.psql("SELECT xid FROM pgtrack.log(1)");
        browser.goto(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        browser.pictures("columns").await;
        browser.click("input[name=column][value=stock]").await;
        browser.click("button[name=look]").await;
        browser.text("label:has([value=stock]:not([checked], [type=hidden]))").await;
        let lead = browser.text(".lead").await;
        assert!(lead.starts_with("This will set price of 3 rows back"), "{lead}");
        browser.pictures("columns-chosen").await;
        browser.type_into("[name=reason]", "the stock was counted").await;
        browser.click(".confirm button.primary").await;
        browser.text(&format!("a[href$='/tx/{xid}']")).await;
        assert_eq!(demo.psql(products), format!("{before}|7"));

        browser.goto("/c/shop/rules").await;
        browser.type_into("[name=ignored]", "*.stock").await;
        browser.click("button[formmethod=get]").await;
        assert!(browser.text("[role=status]").await.contains("would be left out"));
        browser.pictures("rules").await;
        browser.click("form[action$='/rules'] button.primary").await;
        browser.text(".notice.good").await;
        demo.psql("UPDATE products SET stock = 6 WHERE product_id = 101");
        demo.psql("UPDATE products SET stock = 5, price = 1 WHERE product_id = 101");
        browser.goto("/c/shop/changes?table=demo.products").await;
        assert!(browser.text(".ignored").await.starts_with("2 hidden by rules"));
        browser.pictures("ignored").await;
        browser.goto("/c/shop/tables/demo.products/rows/%7B%22product_id%22:101%7D").await;
        browser.pictures("folded").await;
        browser.close().await;
    });
}

#[test]
fn deleted_rows_come_back_and_a_table_goes_back_in_time() {
    let demo = Demo::start(&["--no-traffic"]);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        browser.log_in(&demo).await;
        demo.psql("SELECT pgtrack.tag('before')");
        let payment = demo.psql("SELECT payment_id FROM payments ORDER BY paid_at LIMIT 1");
        demo.psql(&format!("DELETE FROM payments WHERE payment_id = '{payment}'"));
        browser.goto("/c/shop/tables").await;
        browser.follow("demo.payments").await;
        browser.follow("Deleted rows").await;
        browser.pictures("deleted").await;
        browser.click(".version a.button").await;
        browser.click(".confirm button.primary").await;
        browser.text(".badge.undo").await;
        let back = format!("SELECT count(*) FROM payments WHERE payment_id = '{payment}'");
        assert_eq!(demo.psql(&back), "1");

        demo.psql("UPDATE payments SET amount = 1");
        browser.goto("/c/shop/tables/demo.payments/as-of").await;
        browser.type_into("[name=point]", "before").await;
        browser.click("form.row-form button.primary").await;
        browser.pictures("time-travel").await;
        browser.follow("Revert table to this point…").await;
        browser.type_into("[name=reason]", "all amounts were overwritten").await;
        browser.click(".confirm button.primary").await;
        browser.text(".badge.undo").await;
        assert_eq!(demo.psql("SELECT count(*) FROM payments WHERE amount = 1"), "0");
        browser.close().await;
    });
}

/// Another database of the demo's own server.
#[test]
fn a_connection_is_tested_added_and_prepared() {
    let demo = Demo::start(&["--no-traffic"]);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        browser.log_in(&demo).await;
        let server = demo.psql("SELECT inet_server_port()");
        browser.goto("/connections/new").await;
        for (name, text) in [
            ("label", "The other one"),
            ("slug", "other"),
            ("host", "127.0.0.1"),
            ("database", "postgres"),
            ("role", "postgres"),
            ("password", "not asked for"),
        ] {
            browser.type_into(&format!("[name={name}]"), text).await;
        }
        browser.script(&format!("document.querySelector('[name=port]').value = '{server}'")).await;
        browser.click("[name=environment][value=staging]").await;
        browser.click("#tls option[value=disable]").await;
        browser.click("button[value=test]").await;
        assert!(browser.text(".stages").await.contains("not installed yet"));
        browser.pictures("connection").await;
        browser.type_into("[name=password]", "not asked for").await;
        browser.click("button[value=save]").await;
        browser.type_into("[name=password]", "not asked for").await;
        browser.click("main form button.primary").await;
        browser.text("details.sql").await;
        browser.pictures("install").await;
        browser.click("main form button.primary").await;
        assert!(browser.text(".blank").await.contains("No table is tracked yet"));
        browser.pictures("empty").await;
        browser.close().await;
    });
}

/// One that works, one that is given up, one that has not been sent yet. The demo has no key to open them with.
const DIGESTS: &str = "
    INSERT INTO pgtrack_dashboard.digest (digest_id, connection, name, format, sealed_url, shown_url, sealed_secret, every, hour,
      zone, query, sends_empty, is_paused, pause_reason, bookmark, covered_until, due_at, failures, last_at, last_worked, last_outcome)
    VALUES
      ('1', 'shop', 'Deletes', 'slack', 'v1.a.b.c', 'https://hooks.slack.com/…', NULL, '5 minutes', 0,
       'UTC', '?table=demo.customers&op=delete', false, false, NULL, '1/1/3:3:', now(), now() + interval '1 day', 0,
       now() - interval '3 minutes', true, 'status 200'),
      ('2', 'shop', 'Everything, for the ticket system', 'json', 'v1.a.b.c', 'https://tickets.example.com:8443/…', 'v1.a.b.c', 'day', 8,
       'Europe/Berlin', '', true, true, 'the server answered with status 500', '1/1/3:3:', now(), now() + interval '1 day', 8,
       now() - interval '2 hours', false, 'the server answered with status 500'),
      ('3', 'shop', 'Undone', 'slack', 'v1.a.b.c', 'https://chat.example.com/…', NULL, 'hour', 0,
       'UTC', '?who=support&reverts=on', false, false, NULL, '1/1/3:3:', now(), now() + interval '1 day', 0, NULL, NULL, NULL)";

#[test]
fn every_page_is_open_to_everybody_in_both_themes_and_sizes() {
    let demo = Demo::start(&["--no-traffic"]);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        browser.goto_url(&demo.dashboard).await;
        browser.pictures("login").await;
        browser.log_in(&demo).await;
        demo.psql("UPDATE customers SET address = address || '{\"city\": \"Oslo\"}' WHERE customer_id = 1");
        demo.psql(
            "UPDATE customers SET name = 'A much longer name than before' WHERE customer_id = 1",
        );
        let xid = demo.psql("SELECT xid FROM pgtrack.log(1)");
        let change = demo.psql("SELECT max(statement_id) FROM pgtrack.activity");
        let row = "/c/shop/tables/demo.customers/rows/%7B%22customer_id%22:1%7D";
        browser.goto("/c/shop/digests").await;
        browser.pictures("no-digests").await;
        demo.psql(DIGESTS);
        for (name, url) in [
            ("activity", "/c/shop/changes".to_owned()),
            ("filtered", "/c/shop/changes?table=demo.customers&op=update&who=postgres".to_owned()),
            ("nothing-found", "/c/shop/changes?q=nothing+like+this".to_owned()),
            ("bad-filter", "/c/shop/changes?since=soon".to_owned()),
            ("transactions", "/c/shop/changes?view=transactions".to_owned()),
            ("change", format!("/c/shop/changes/{change}")),
            ("tx", format!("/c/shop/tx/{xid}")),
            ("tables", "/c/shop/tables".to_owned()),
            ("table", "/c/shop/tables/demo.customers".to_owned()),
            ("row", row.to_owned()),
            ("compare", format!("{row}?from=v0&to=current")),
            ("cell", format!("{row}?column=name")),
            ("rows-then", "/c/shop/tables/demo.customers/as-of?point=now&show=rows".to_owned()),
            ("storage", "/c/shop/storage".to_owned()),
            ("purge", "/c/shop/storage?keep=1".to_owned()),
            ("health", "/c/shop/health".to_owned()),
            ("digests", "/c/shop/digests".to_owned()),
            ("digest", "/c/shop/digests/1".to_owned()),
            ("connections", "/connections".to_owned()),
            ("users", "/users".to_owned()),
            ("audit", "/audit".to_owned()),
            ("account", "/account".to_owned()),
            ("settings", "/settings".to_owned()),
            ("not-found", "/c/shop/tx/1".to_owned()),
        ] {
            browser.goto(&url).await;
            if name == "users" {
                browser.script("document.querySelector('td details').open = true").await;
            }
            if name == "digests" {
                // That there is no key; people with digests do not see it.
                browser.script("document.querySelector('.notice').remove()").await;
            }
            browser.pictures(name).await;
        }
        browser.close().await;
    });
}

#[test]
fn the_keyboard_is_enough() {
    let demo = Demo::start(&["--no-traffic"]);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        browser.log_in(&demo).await;
        browser.press("ga").await;
        browser.wait_for_title("Activity").await;
        browser.press("j").await;
        let focused = "return document.activeElement.closest('.entry') !== null";
        assert_eq!(browser.script(focused).await, Value::Bool(true));
        browser.press("/").await;
        assert_eq!(browser.script("return document.activeElement.id").await, Value::from("search"));
        // Typing is typing.
        browser.press("gt").await;
        assert_eq!(browser.script("return document.activeElement.value").await, Value::from("gt"));
        let client = browser.client();
        assert!(client.find(Locator::Css("h1")).await.unwrap().text().await.unwrap() == "Activity");
        // On the overview, too, Enter opens the entry, and `u` undoes it.
        demo.psql("UPDATE products SET price = 1 WHERE product_id = 101");
        let xid = demo.psql("SELECT xid FROM pgtrack.log(1)");
        browser.goto("/c/shop").await;
        browser.press("j").await;
        browser.press("\u{e007}").await;
        browser.wait_for_title(&format!("Transaction {xid}")).await;
        browser.goto("/c/shop").await;
        browser.press("ju").await;
        browser.wait_for_title(&format!("Undo transaction {xid}")).await;
        browser.goto("/c/shop/changes?since=1h").await;
        browser.press("ta").await;
        let frozen = Locator::Css("input[name=query][value*='since=20']");
        client.wait().for_element(frozen).await.unwrap();
        browser.close().await;
    });
}
