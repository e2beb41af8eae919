//! What takes longer than a page goes on in the background, can be cancelled, and has its command for the shell.

use std::time::Duration;

use pgtrack_dashboard::Role;
use tokio_postgres::Client;

use crate::support::{Browser, Page, Site, on_site};

async fn spoiled(site: &Site, rows: u32) -> i64 {
    site.run(&format!(
        "CREATE TABLE shop.many (id int PRIMARY KEY, v int); SELECT pgtrack.track('shop.many');
         INSERT INTO shop.many SELECT n, 0 FROM generate_series(1, {rows}) n"
    ))
    .await;
    site.run("UPDATE shop.many SET v = 1").await
}

fn plan_url(xid: i64) -> String {
    format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")
}

/// Whoever reads the table waits, as for a table that is being rewritten.
async fn hold(site: &Site) -> Client {
    let holder = site.client().await;
    let lock = "BEGIN; LOCK TABLE shop.many IN ACCESS EXCLUSIVE MODE";
    holder.batch_execute(lock).await.expect("it can be locked");
    holder
}

/// The page, once it has what a selector names.
async fn wait_for(browser: &mut Browser, url: &str, selector: &str) -> Page {
    for _ in 0..600 {
        let page = browser.get(url).await;
        if page.has(selector) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no {selector} at {url}: {}", browser.get(url).await.text("main"));
}

async fn wait_for_no_session(site: &Site) {
    let others = "SELECT count(*)::text FROM pg_stat_activity
                  WHERE datname = current_database() AND query ~ 'plan_(outline|batches)' AND pid <> pg_backend_pid()";
    for _ in 0..600 {
        if site.value(others).await == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a session is left");
}

#[test]
fn a_plan_that_takes_long_goes_on_and_appears() {
    on_site(async |site| {
        let xid = spoiled(site, 10).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let holder = hold(site).await;
        let page = browser.get(&plan_url(xid)).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.text("h1"), format!("Undo transaction {xid}"));
        assert!(page.html.contains(r#"<noscript><meta http-equiv="refresh" content="2">"#));
        assert!(page.text(".numbers").contains("so far"), "{}", page.text(".numbers"));
        assert_eq!(page.text("pre[data-copyable]"), format!("pgtrack undo {xid}"));
        assert_eq!(page.text("#job-state"), "Waiting for a lock that another session holds");
        // Without a script the page is loaded again; with one, a part of it.
        let part = browser.get(&page.attribute("#job", "data-progress")).await;
        assert!(part.html.starts_with("<section") && part.has("[data-state=running]"));
        assert!(browser.get(&plan_url(xid)).await.has("[data-state=running]"));

        holder.batch_execute("ROLLBACK").await.unwrap();
        let progress = page.attribute("#job", "data-progress");
        let over = wait_for(&mut browser, &progress, "[data-go]").await;
        let plan = browser.follow(&over, "[data-go]").await;
        assert!(plan.text(".lead").contains("set 10 rows back"), "{}", plan.text(".lead"));
        let fields = [("reason", "a bad import")];
        assert_eq!(browser.submit(&plan, "form.confirm", &fields).await.status, 303);
        assert_eq!(site.value("SELECT sum(v)::text FROM shop.many").await, "0");
    });
}

#[test]
fn a_plan_that_is_cancelled_leaves_nothing() {
    on_site(async |site| {
        let xid = spoiled(site, 10).await;
        let mut browser = site.signed_in(Role::Viewer).await;
        let holder = hold(site).await;
        let page = browser.get(&plan_url(xid)).await;
        let cancelled = browser.submit(&page, "form.actions", &[]).await;
        assert_eq!(cancelled.location(), format!("/c/shop/tx/{xid}"));
        wait_for_no_session(site).await;
        holder.batch_execute("ROLLBACK").await.unwrap();
    });
}

/// What was filled in is there when the plan is shown again, however long that takes.
#[test]
fn a_refused_form_appears_again_after_a_long_plan() {
    on_site(async |site| {
        let xid = spoiled(site, 10).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(&plan_url(xid)).await;
        let holder = hold(site).await;
        let fields = [("look", "yes"), ("reason", "a bad import")];
        let asked = browser.submit(&plan, "form.confirm", &fields).await;
        assert_eq!((asked.status.as_u16(), asked.location()), (303, plan_url(xid)));
        assert!(browser.get(&plan_url(xid)).await.has("[data-state=running]"));
        holder.batch_execute("ROLLBACK").await.unwrap();
        let again = wait_for(&mut browser, &plan_url(xid), "form.confirm").await;
        assert_eq!(again.attribute("[name=reason]", "value"), "a bad import");
    });
}

#[test]
fn batches_are_worked_out_in_the_background_and_can_be_stopped_before_the_first() {
    on_site(async |site| {
        let xid = spoiled(site, 1100).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(&plan_url(xid)).await;
        assert!(plan.text(".head").contains("in batches"), "{}", plan.text(".head"));
        let holder = hold(site).await;
        let fields = [("reason", "a bad import"), ("batches", "on")];
        let begun = browser.submit(&plan, "form.confirm", &fields).await;
        let url = begun.location();
        let page = browser.redirect(&begun).await;
        assert_eq!(page.text("#job-state"), "Working out the batches");
        let stopped = browser.submit(&page, "form.actions", &[]).await;
        assert_eq!(stopped.location(), url);
        let page = wait_for(&mut browser, &url, ".actions .primary").await;
        assert_eq!(page.text("#job-state"), "Stopped");
        assert!(page.text("main").contains("Nothing has been changed."));
        assert_eq!(
            page.text("pre[data-copyable]"),
            format!("pgtrack undo {xid} --batch 1000 --message 'a bad import'")
        );
        wait_for_no_session(site).await;
        holder.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(site.value("SELECT sum(v)::text FROM shop.many").await, "1100");
    });
}

#[test]
fn an_error_page_of_a_revert_has_the_command_and_the_way_back() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Operator).await;
        let page = browser.get(&plan_url(1)).await;
        assert_eq!(page.status, 404);
        assert_eq!(page.text("pre[data-copyable]"), "pgtrack undo 1");
        assert_eq!(page.attribute(".actions .primary", "href"), plan_url(1));
        let fields = [("token", "t"), ("submission", "s"), ("reason", "it's a slip")];
        let url = plan_url(1).replace("/plan", "");
        let page = browser.post(&url, &fields).await;
        let command = r"pgtrack undo 1 --message 'it'\''s a slip'";
        assert_eq!(page.text("pre[data-copyable]"), command);
        assert!(!browser.get("/c/shop/tx/1").await.has("pre[data-copyable]"));
    });
}

/// Somebody who writes all the time does not make every plan out of date.
#[test]
fn rows_that_change_meanwhile_are_left_as_chosen() {
    on_site(async |site| {
        let xid = spoiled(site, 1100).await;
        site.run("UPDATE shop.many SET v = 7 WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(&plan_url(xid)).await;
        site.run("UPDATE shop.many SET v = 7 WHERE id = 2").await;
        let over = [("reason", "r"), ("on_conflict", "overwrite")];
        let stale = browser.submit(&plan, "form.confirm", &over).await;
        assert_eq!(stale.status, 409, "newer changes that nobody saw are not overwritten");
        site.run("UPDATE shop.many SET v = 7 WHERE id = 3").await;
        let fields = [("reason", "r"), ("on_conflict", "skip")];
        assert_eq!(browser.submit(&stale, "form.confirm", &fields).await.status, 303);
        let left = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM shop.many WHERE v <> 0";
        assert_eq!(site.value(left).await, "1 2 3");
    });
}
