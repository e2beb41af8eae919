//! Undoes in batches: how they are begun, shown, stopped, how they fail, and how they go on.

use std::time::Duration;

use pgtrack_dashboard::Role;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use crate::connections::{bank, fields as bank_fields, port};
use crate::support::{Browser, Page, Site, on_site, run, start};

const SPOILED: &str = "SELECT count(*)::text FROM shop.many WHERE v = 1";
const AUDIT: &str = "SELECT string_agg(action, ', ' ORDER BY audit_id) FROM pgtrack_dashboard.audit
                     WHERE action LIKE 'batches %' OR action LIKE 'revert %'";

/// A table all of whose rows one transaction spoiled. Batches begin at the highest id.
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

/// Holds a row, so that whoever wants to change it waits.
async fn hold(site: &Site, id: u32) -> Client {
    let holder = site.client().await;
    let lock = format!("BEGIN; SELECT FROM shop.many WHERE id = {id} FOR UPDATE");
    holder.batch_execute(&lock).await.expect("the row is there");
    holder
}

const FIELDS: [(&str, &str); 2] = [("reason", "a bad import"), ("batches", "on")];

/// Confirms a plan in batches, and goes to the job's page.
async fn begin(browser: &mut Browser, xid: i64) -> Page {
    let plan = browser.get(&plan_url(xid)).await;
    let begun = browser.submit(&plan, "form.confirm", &FIELDS).await;
    browser.redirect(&begun).await
}

/// The job's page, once its heading says so.
async fn wait_for(browser: &mut Browser, url: &str, heading: &str, numbers: &str) -> Page {
    for _ in 0..600 {
        let page = browser.get(url).await;
        if page.text("#job-state") == heading && page.text(".numbers").starts_with(numbers) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let page = browser.get(url).await;
    panic!("not {heading}, {numbers}: {}", page.text("main"));
}

#[test]
fn a_large_undo_is_done_in_batches_if_one_likes_and_its_progress_is_seen() {
    on_site(async |site| {
        let xid = spoiled(site, 2500).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(&plan_url(xid)).await;
        assert!(plan.has("input[name=batches]") && !plan.has("input[name=batches][checked]"));
        assert!(!plan.has("input[name=batches][required]"));
        assert_eq!(plan.texts(".totals tbody tr"), ["shop.many ~ set back 2,500 0"]);

        let holder = hold(site, 1000).await;
        let begun = browser.submit(&plan, "form.confirm", &FIELDS).await;
        let url = begun.location();
        let running = wait_for(&mut browser, &url, "Under way", "1,000 of 2,500 rows").await;
        assert_eq!(running.text(".numbers"), "1,000 of 2,500 rows , batch 2 of 3");
        assert_eq!(running.attribute("progress", "value"), "1000");
        assert_eq!(running.attribute("progress", "max"), "2500");
        assert!(running.html.contains(r#"<noscript><meta http-equiv="refresh" content="2">"#));
        assert_eq!(site.value(SPOILED).await, "1500", "the first batch is done");
        let part = browser.get(&running.attribute("#job", "data-progress")).await;
        assert!(part.html.starts_with("<section"), "{}", part.html);

        holder.batch_execute("ROLLBACK").await.unwrap();
        let done = wait_for(&mut browser, &url, "Done", "2,500 of 2,500 rows").await;
        assert!(done.text(".numbers").ends_with("3 of 3 batches"));
        assert!(!done.html.contains("http-equiv=\"refresh\"") && !done.has("[data-progress]"));
        assert_eq!(site.value(SPOILED).await, "0");
        let who = "SELECT DISTINCT format('%s %s %s', who, message, reverts) FROM pgtrack.activity WHERE message IS NOT NULL";
        assert_eq!(site.value(who).await, format!("operator a bad import xid:{xid}"));
        assert_eq!(site.value(AUDIT).await, "batches started, batches finished");

        // All of them together are undone in one step.
        assert_eq!(done.texts(".meta a").len(), 3);
        let plan = browser.follow(&done, "[data-undo]").await;
        assert_eq!(plan.text("h1"), "Undo 3 transactions");
        let fields = [("reason", "it was right")];
        assert_eq!(browser.submit(&plan, "form.confirm", &fields).await.status, 303);
        assert_eq!(site.value(SPOILED).await, "2500");
    });
}

#[test]
fn it_is_stopped_after_the_present_batch_and_goes_on_later() {
    on_site(async |site| {
        let xid = spoiled(site, 2500).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let holder = hold(site, 1000).await;
        let url = begin(&mut browser, xid).await.url;
        let running = wait_for(&mut browser, &url, "Under way", "1,000 of 2,500 rows").await;
        let asked = browser.submit(&running, "form.actions", &[]).await;
        let stopping = browser.redirect(&asked).await;
        assert_eq!(stopping.text("#job-state"), "Stopping after this batch");
        assert!(!stopping.has("form.actions"));
        holder.batch_execute("ROLLBACK").await.unwrap();
        let stopped = wait_for(&mut browser, &url, "Stopped", "2,000 of 2,500 rows").await;
        assert_eq!(site.value(SPOILED).await, "500");
        assert_eq!(site.value(AUDIT).await, "batches started, batches stopped");
        assert!(stopped.text("main").contains("What is done stays done"));

        // The rest is small enough for one step.
        let plan = browser.follow(&stopped, ".actions .primary").await;
        assert!(plan.text(".lead").contains("500 rows"), "{}", plan.text(".lead"));
        assert!(!plan.has("input[name=batches]") && !plan.has(".conflict"));
        let fields = [("reason", "the rest")];
        assert_eq!(browser.submit(&plan, "form.confirm", &fields).await.status, 303);
        assert_eq!(site.value(SPOILED).await, "0");
    });
}

#[test]
fn what_was_done_of_one_that_failed_stays_and_it_goes_on_or_is_taken_back() {
    on_site(async |site| {
        let xid = spoiled(site, 2500).await;
        site.run(
            "CREATE FUNCTION shop.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF new.id = 1000 THEN RAISE EXCEPTION 'row 1000 is sacred' USING HINT = 'Ask the priest.'; END IF; RETURN new; END $$;
             CREATE TRIGGER refuse BEFORE UPDATE ON shop.many FOR EACH ROW EXECUTE FUNCTION shop.refuse()",
        )
        .await;
        let mut browser = site.signed_in(Role::Operator).await;
        let url = begin(&mut browser, xid).await.url;
        let failed = wait_for(&mut browser, &url, "Failed in batch 2", "1,000 of 2,500 rows").await;
        let alert = failed.text("[role=alert]");
        assert!(
            alert.contains("ow 1000 is sacred") && alert.contains("Ask the priest."),
            "{alert}"
        );
        assert!(failed.text("main").contains("Of the batch that failed, nothing was done."));
        assert_eq!(site.value(SPOILED).await, "1500");
        assert_eq!(site.value(AUDIT).await, "batches started, batches failed");

        let plan = browser.follow(&failed, "[data-undo]").await;
        assert_eq!(plan.text("form.confirm button.primary"), "Undo 1,000 changes");

        site.run("DROP TRIGGER refuse ON shop.many").await;
        let plan = browser.follow(&failed, ".actions .primary").await;
        let begun = browser.submit(&plan, "form.confirm", &FIELDS).await;
        let url = begun.location();
        wait_for(&mut browser, &url, "Done", "1,500 of 1,500 rows").await;
        assert_eq!(site.value(SPOILED).await, "0");
    });
}

#[test]
fn rows_that_change_between_batches_are_not_overwritten() {
    on_site(async |site| {
        let xid = spoiled(site, 2500).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let holder = hold(site, 1000).await;
        let url = begin(&mut browser, xid).await.url;
        wait_for(&mut browser, &url, "Under way", "1,000 of 2,500 rows").await;
        site.run("UPDATE shop.many SET v = 7 WHERE id = 3").await;
        holder.batch_execute("ROLLBACK").await.unwrap();
        let failed = wait_for(&mut browser, &url, "Failed in batch 3", "2,000 of 2,500 rows").await;
        assert!(failed.text("[role=alert]").contains("1 of its rows in shop.many changed since"));
        assert_eq!(site.value("SELECT v::text FROM shop.many WHERE id = 3").await, "7");

        // Going on means to say what shall be done with it.
        let plan = browser.follow(&failed, ".actions .primary").await;
        assert!(plan.text(".notice").contains("1 row changed since."));
        let fields = [("reason", "the rest"), ("on_conflict", "skip")];
        assert_eq!(browser.submit(&plan, "form.confirm", &fields).await.status, 303);
        assert_eq!(site.value(SPOILED).await, "0");
        assert_eq!(site.value("SELECT v::text FROM shop.many WHERE id = 3").await, "7");
    });
}

#[test]
fn a_form_that_is_sent_twice_begins_one_job_and_there_is_one_at_a_time() {
    on_site(async |site| {
        let xid = spoiled(site, 2500).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let mut admin = site.signed_in(Role::Admin).await;
        let plan = browser.get(&plan_url(xid)).await;
        let other_plan = admin.get(&plan_url(xid)).await;
        let holder = hold(site, 2400).await;
        let mut other = browser.clone();
        let (first, second) = tokio::join!(
            browser.submit(&plan, "form.confirm", &FIELDS),
            other.submit(&plan, "form.confirm", &FIELDS)
        );
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 303));
        assert_eq!(first.location(), second.location());
        let busy = admin.submit(&other_plan, "form.confirm", &FIELDS).await;
        assert_eq!(busy.status, 409);
        assert_eq!(busy.attribute("[role=alert] a", "href"), first.location());
        holder.batch_execute("ROLLBACK").await.unwrap();
        let url = first.location();
        wait_for(&mut browser, &url, "Done", "2,500 of 2,500 rows").await;
        let third = browser.submit(&plan, "form.confirm", &FIELDS).await;
        assert_eq!(third.location(), first.location());
        // Somebody else's form is out of date by now.
        let late = admin.submit(&other_plan, "form.confirm", &FIELDS).await;
        assert_eq!(late.status, 409);
        assert!(
            late.text("[role=alert]").contains("The rows have changed since the plan was made")
        );
        let jobs = "SELECT count(*)::text FROM pgtrack_dashboard.job";
        assert_eq!(site.value(jobs).await, "1");
    });
}

#[test]
fn what_is_too_much_for_one_step_is_counted_and_done_in_batches_only() {
    on_site(async |site| {
        let xid = spoiled(site, 12_000).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(&plan_url(xid)).await;
        assert!(plan.text(".notice").contains("more than 10,000 rows"));
        assert!(plan.text(".lead").contains("set 12,000 rows back"), "{}", plan.text(".lead"));
        assert_eq!(plan.texts(".totals tbody tr"), ["shop.many ~ set back 12,000 0"]);
        assert_eq!(plan.texts(".diff .row-head").len(), 200);
        assert!(plan.has("input[name=batches][required]"));
        assert!(plan.html.len() < 400_000, "{} bytes", plan.html.len());

        let refused = browser.submit(&plan, "form.confirm", &FIELDS[..1]).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text("[role=alert]").contains("too much for one step"));
        assert_eq!(site.value(SPOILED).await, "12000");

        // Also what is not shown is compared.
        site.run("UPDATE shop.many SET v = 2 WHERE id = 11999").await;
        let stale = browser.submit(&plan, "form.confirm", &FIELDS).await;
        assert_eq!(stale.status, 409);
        assert!(stale.text("[role=alert]").contains("The rows have changed"));
        let unclear = browser.submit(&stale, "form.confirm", &FIELDS).await;
        assert_eq!(unclear.status, 409, "nothing was chosen for the row that changed");
        let fields = [FIELDS[0], FIELDS[1], ("on_conflict", "overwrite")];
        let begun = browser.submit(&unclear, "form.confirm", &fields).await;
        let url = begun.location();
        let done = wait_for(&mut browser, &url, "Done", "12,000 of 12,000 rows").await;
        assert!(done.text(".numbers").ends_with("12 of 12 batches"));
        assert_eq!(site.value("SELECT count(*)::text FROM shop.many WHERE v <> 0").await, "0");
    });
}

#[test]
fn what_cannot_be_split_is_not_offered_in_batches() {
    on_site(async |site| {
        let xid = spoiled(site, 1100).await;
        let mut browser = site.signed_in(Role::Operator).await;
        assert!(browser.get(&plan_url(xid)).await.has("input[name=batches]"));
        site.run("UPDATE shop.many SET id = -id WHERE id < 3").await;
        let plan = browser.get(&plan_url(xid)).await;
        assert!(plan.has("form.confirm") && !plan.has("input[name=batches]"));
        // Nor to people who could not confirm it.
        let mut viewer = site.signed_in(Role::Viewer).await;
        let plan = viewer.get(&plan_url(xid)).await;
        assert!(plan.status == 200 && !plan.has("form.confirm") && !plan.has(".notice.bad"));
    });
}

#[test]
fn a_dashboard_that_stops_finishes_the_batch_and_the_next_one_says_so() {
    on_site(async |site| {
        let xid = spoiled(site, 2500).await;
        site.signed_in(Role::Operator).await;
        let first = start(&site.database.url(), false).await;
        let mut browser = Browser::new(first.state());
        browser.log_in("operator").await;
        let shutdown = CancellationToken::new();
        let serving = tokio::spawn(first.run(shutdown.clone()));
        let holder = hold(site, 1000).await;
        let url = begin(&mut browser, xid).await.url;
        wait_for(&mut browser, &url, "Under way", "1,000 of 2,500 rows").await;
        shutdown.cancel();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!serving.is_finished(), "it waits for the batch");
        holder.batch_execute("ROLLBACK").await.unwrap();
        serving.await.unwrap();
        assert_eq!(site.value(SPOILED).await, "500");
        assert_eq!(site.value(AUDIT).await, "batches started, batches interrupted");

        let mut browser = site.browser();
        browser.log_in("operator").await;
        let page = browser.get(&url).await;
        assert_eq!(page.text("#job-state"), "Interrupted");
        let plan = browser.follow(&page, ".actions .primary").await;
        assert!(plan.text(".lead").contains("500 rows"));
    });
}

#[test]
fn a_dashboard_that_crashed_leaves_an_interrupted_job_and_nothing_goes_on_by_itself() {
    on_site(async |site| {
        let xid = spoiled(site, 2500).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let holder = hold(site, 1000).await;
        let url = begin(&mut browser, xid).await.url;
        wait_for(&mut browser, &url, "Under way", "1,000 of 2,500 rows").await;
        // Both sessions of the job end, as they do with its process. The one that would note why goes first.
        for which in [
            "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')",
            "wait_event_type = 'Lock'",
        ] {
            let end = format!(
                "SELECT count(pg_terminate_backend(pid, 10000))::text FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND {which}"
            );
            assert_eq!(site.value(&end).await, "1");
        }
        let page = wait_for(&mut browser, &url, "Interrupted", "1,000 of 2,500 rows").await;
        assert!(page.text("main").contains("going on leaves it out"));
        assert_eq!(page.texts(".actions a"), ["Continue…", "Undo what was done…"]);
        holder.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(site.value(SPOILED).await, "1500");

        let plan = browser.follow(&page, ".actions .primary").await;
        let begun = browser.submit(&plan, "form.confirm", &FIELDS).await;
        let next = begun.location();
        wait_for(&mut browser, &next, "Done", "1,500 of 1,500 rows").await;
        assert_eq!(browser.get(&url).await.text("#job-state"), "Interrupted");
    });
}

#[test]
fn it_ends_when_the_person_may_not_revert_any_more() {
    on_site(async |site| {
        let xid = spoiled(site, 2500).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let mut admin = site.signed_in(Role::Admin).await;
        let holder = hold(site, 1000).await;
        let url = begin(&mut browser, xid).await.url;
        wait_for(&mut browser, &url, "Under way", "1,000 of 2,500 rows").await;
        site.run("UPDATE pgtrack_dashboard.account SET role = 'viewer' WHERE name = 'operator'")
            .await;
        holder.batch_execute("ROLLBACK").await.unwrap();
        let failed = wait_for(&mut admin, &url, "Failed in batch 3", "2,000 of 2,500 rows").await;
        assert!(failed.text("[role=alert]").contains("may not revert here any more"));
        assert_eq!(site.value(SPOILED).await, "500");
    });
}

#[test]
fn it_ends_with_the_session_whose_password_opened_the_connection() {
    on_site(async |site| {
        let (database, port) = (bank().await, port());
        let mut admin = site.signed_in(Role::Admin).await;
        let mut fields = bank_fields(&database, &port);
        fields.extend([("password_is", "ask")]);
        fields.retain(|field| *field != ("password_is", "keep") && field.0 != "environment");
        fields.push(("environment", "none"));
        admin.post("/connections/new", &fields).await;
        let form = admin.get("/connections/bank/unlock").await;
        let password = fields.iter().find(|field| field.0 == "password").unwrap().1;
        admin.submit(&form, "main form", &[("password", password)]).await;
        let install_page = admin.get("/c/bank/install").await;
        admin.submit(&install_page, "main form", &[]).await;
        let client = database.connect().await;
        let create = "CREATE TABLE many (id int PRIMARY KEY, v int); SELECT pgtrack.track('many');
                      INSERT INTO many SELECT n, 0 FROM generate_series(1, 2500) n";
        client.batch_execute(create).await.unwrap();
        let xid = run(&client, "UPDATE many SET v = 1").await;
        client.batch_execute("BEGIN; SELECT FROM many WHERE id = 1000 FOR UPDATE").await.unwrap();
        let plan = admin.get(&plan_url(xid).replace("shop", "bank")).await;
        let begun = admin.submit(&plan, "form.confirm", &FIELDS).await;
        let url = begun.location();
        wait_for(&mut admin, &url, "Under way", "1,000 of 2,500 rows").await;
        admin.post("/logout", &[]).await;
        client.batch_execute("ROLLBACK").await.unwrap();
        admin.log_in("admin").await;
        let form = admin.get("/connections/bank/unlock").await;
        admin.submit(&form, "main form", &[("password", password)]).await;
        let failed = wait_for(&mut admin, &url, "Failed in batch 3", "2,000 of 2,500 rows").await;
        let alert = failed.text("[role=alert]");
        assert!(
            alert.contains("the session whose password it was opened with has ended"),
            "{alert}"
        );
        database.remove().await;
    });
}

#[test]
fn columns_are_not_chosen_in_batches_and_production_is_named() {
    on_site(async |site| {
        let xid = spoiled(site, 1500).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(&plan_url(xid)).await;
        let fields = [FIELDS[0], FIELDS[1], ("offered", "v"), ("offered", "w"), ("column", "v")];
        let refused = browser.submit(&plan, "form.confirm", &fields).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text("[role=alert]").contains("rows are set back whole"));
        let unsaid = browser.submit(&plan, "form.confirm", &[("batches", "on")]).await;
        assert_eq!(unsaid.status, 422);
        assert!(unsaid.text("[role=alert]").contains("say why"));
        assert!(unsaid.has("input[name=batches][checked]"), "what was ticked stays ticked");
        assert_eq!(site.value(SPOILED).await, "1500");
    });
}
