//! Rows that somebody changed since: a person has to say what shall become of them.

use pgtrack_dashboard::Role;

use crate::support::{Browser, Page, Site, on_site};

const STATE: &str =
    "SELECT string_agg(points || coalesce(note, '-'), ',' ORDER BY id) FROM shop.users";

/// One transaction sets two columns of every row; then somebody changes one of them in one row.
async fn conflict(site: &Site) -> (Browser, Page) {
    let xid = site.run("UPDATE shop.users SET points = 0, note = 'oops'").await;
    site.run("UPDATE shop.users SET points = 5 WHERE id = 2").await;
    let mut browser = site.signed_in(Role::Operator).await;
    let plan = browser.get(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
    (browser, plan)
}

#[track_caller]
fn check(choice: &'static str, expected: &'static str) {
    on_site(async |site| {
        let (mut browser, plan) = conflict(site).await;
        let fields = [("on_conflict", choice), ("reason", "a reason")];
        let applied = browser.submit(&plan, "form.confirm", &fields).await;
        let result = browser.redirect(&applied).await;
        assert!(result.has(".badge.undo"));
        assert_eq!(site.value(STATE).await, expected);
    });
}

#[test]
fn conflicts_are_shown_with_who_and_what() {
    on_site(async |site| {
        let (_, plan) = conflict(site).await;
        assert!(plan.text(".notice").contains("1 row changed since."));
        let conflicts = plan.texts(".conflict");
        assert_eq!(conflicts.len(), 1);
        assert!(conflicts[0].contains("changed since by postgres"), "{conflicts:?}");
        assert_eq!(plan.texts("fieldset strong"), ["Skip", "Merge", "Difference", "Overwrite"]);
        assert!(!plan.has("input[type=radio][checked]"), "nothing is chosen beforehand");
    });
}

#[test]
fn without_a_choice_nothing_is_done() {
    on_site(async |site| {
        let (mut browser, plan) = conflict(site).await;
        let refused = browser.submit(&plan, "form.confirm", &[("reason", "a reason")]).await;
        assert_eq!(refused.status, 409);
        assert!(refused.text("[role=alert]").contains("Choose below"), "{}", refused.text("main"));
        assert_eq!(site.value(STATE).await, "0oops,5oops,0oops");
        let bad = browser.submit(&plan, "form.confirm", &[("on_conflict", "explode")]).await;
        assert_eq!(bad.status, 400);
    });
}

#[test]
fn skip_leaves_the_row_alone() {
    check("skip", "10-,5oops,30x");
}

#[test]
fn merge_keeps_the_newer_column() {
    check("merge", "10-,5,30x");
}

#[test]
fn what_a_choice_would_do_is_shown_before_it_is_done() {
    on_site(async |site| {
        let (mut browser, plan) = conflict(site).await;
        let look = [("on_conflict", "merge"), ("reason", "a reason"), ("look", "yes")];
        let shown = browser.submit(&plan, "form.confirm", &look).await;
        assert_eq!(shown.status, 200);
        assert!(
            shown.text(".conflict").contains("stays as it is: points"),
            "{}",
            shown.text("main")
        );
        assert!(shown.text(".notice").contains("What is shown for them is what you have chosen."));
        assert_eq!(shown.attribute("input[type=radio][checked]", "value"), "merge");
        let look = [("on_conflict", "skip"), ("reason", "a reason"), ("look", "yes")];
        let shown = browser.submit(&shown, "form.confirm", &look).await;
        assert!(
            shown.text(".lead").starts_with("This will set 2 rows back"),
            "{}",
            shown.text(".lead")
        );
        assert_eq!(site.value(STATE).await, "0oops,5oops,0oops", "nothing was done");
        // What is confirmed need not be what was looked at.
        let fields = [("on_conflict", "merge"), ("reason", "a reason")];
        let applied = browser.submit(&shown, "form.confirm", &fields).await;
        assert!(browser.redirect(&applied).await.has(".badge.undo"));
        assert_eq!(site.value(STATE).await, "10-,5,30x");
    });
}

#[test]
fn what_a_row_becomes_by_the_difference_is_seen_before_it_is_done() {
    on_site(async |site| {
        let (mut browser, plan) = conflict(site).await;
        let fields = [("on_conflict", "delta"), ("reason", "a reason")];
        let seen = browser.submit(&plan, "form.confirm", &fields).await;
        assert_eq!(seen.status, 200);
        assert!(seen.text("[role=alert]").contains("look at the numbers first"));
        assert!(seen.text(".conflict").contains("by the difference: points"));
        assert!(seen.text("main").contains("25"), "{}", seen.text("main"));
        assert_eq!(seen.attribute("input[type=radio][checked]", "value"), "delta");
        assert_eq!(site.value(STATE).await, "0oops,5oops,0oops", "nothing was done");
        // Who comes in between is seen.
        site.run("UPDATE shop.users SET points = 6 WHERE id = 2").await;
        let stale = browser.submit(&seen, "form.confirm", &fields).await;
        assert_eq!(stale.status, 409);
        let applied = browser.submit(&stale, "form.confirm", &fields).await;
        assert!(browser.redirect(&applied).await.has(".badge.undo"));
        assert_eq!(site.value(STATE).await, "10-,26,30x");
    });
}

#[test]
fn rows_of_which_nothing_is_left_can_still_be_overwritten() {
    on_site(async |site| {
        let xid = site.run("UPDATE shop.users SET points = 0 WHERE id = 2").await;
        site.run("UPDATE shop.users SET points = 5 WHERE id = 2").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let url = format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}");
        let plan = browser.get(&url).await;
        let look = [("on_conflict", "merge"), ("look", "yes")];
        let shown = browser.submit(&plan, "form.confirm", &look).await;
        assert!(
            shown.text(".lead").starts_with("Nothing would be changed"),
            "{}",
            shown.text(".lead")
        );
        assert!(shown.text(".conflict").contains("nothing is left to set back"));
        let applied = browser.submit(&shown, "form.confirm", &[("on_conflict", "overwrite")]).await;
        assert_eq!(applied.status, 303);
        assert_eq!(site.value("SELECT points::text FROM shop.users WHERE id = 2").await, "20");
    });
}

#[test]
fn overwrite_sets_everything_back() {
    check("overwrite", "10-,20,30x");
}

#[test]
fn skipping_everything_changes_nothing_and_says_so() {
    on_site(async |site| {
        let xid = site.run("UPDATE shop.users SET points = 0 WHERE id = 2").await;
        site.run("UPDATE shop.users SET points = 5 WHERE id = 2").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan =
            browser.get(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        let page =
            browser.submit(&plan, "form.confirm", &[("on_conflict", "skip"), ("reason", "")]).await;
        assert_eq!(page.status, 200);
        assert!(
            page.text("[role=alert]").contains("Nothing was changed."),
            "{}",
            page.text("main")
        );
        assert_eq!(site.value("SELECT points::text FROM shop.users WHERE id = 2").await, "5");
    });
}

#[test]
fn a_row_that_was_changed_while_nobody_recorded_offers_no_merge() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 0 WHERE id = 3").await;
        let unseen = "SET session_replication_role = replica; DELETE FROM shop.users WHERE id = 3";
        site.client().await.batch_execute(unseen).await.unwrap();
        let mut browser = site.signed_in(Role::Operator).await;
        let url = "/c/shop/revert/plan?act=undo-row&table=shop.users&key=%7B%22id%22:3%7D";
        let plan = browser.get(url).await;
        assert!(
            plan.text(".conflict").contains("deletion is not recorded"),
            "{}",
            plan.text("main")
        );
        assert_eq!(plan.texts("fieldset strong"), ["Skip", "Overwrite"]);
        let fields = [("on_conflict", "overwrite"), ("reason", "")];
        assert_eq!(browser.submit(&plan, "form.confirm", &fields).await.status, 303);
        assert_eq!(site.value("SELECT points::text FROM shop.users WHERE id = 3").await, "30");
    });
}
