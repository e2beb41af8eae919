//! Setting back some columns and leaving the others.

use pgtrack_dashboard::Role;

use crate::support::{Browser, Page, Site, on_site};

const STATE: &str =
    "SELECT string_agg(points || coalesce(note, '-'), ',' ORDER BY id) FROM shop.users";

/// The plan to undo a statement that set two columns of every row.
async fn plan(site: &Site) -> (Browser, Page) {
    let xid = site.run("UPDATE shop.users SET points = 0, note = 'oops'").await;
    let mut browser = site.signed_in(Role::Operator).await;
    let plan = browser.get(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
    (browser, plan)
}

/// Sends the form with these boxes ticked.
async fn send(browser: &mut Browser, plan: &Page, ticked: &[&str], more: &[(&str, &str)]) -> Page {
    let mut fields: Vec<(&str, &str)> = more.to_vec();
    // The boxes are outside of the form and belong to it.
    fields.extend([("offered", "points"), ("offered", "note")]);
    fields.extend(ticked.iter().map(|one| ("column", *one)));
    browser.submit(plan, "form.confirm", &fields).await
}

#[test]
fn every_column_that_would_change_has_a_box_that_is_ticked() {
    on_site(async |site| {
        let (_, plan) = plan(site).await;
        assert_eq!(plan.texts(".columns-choice label code"), ["points", "note"]);
        assert_eq!(plan.texts(".columns-choice label .note"), ["in 3 rows", "in 3 rows"]);
        assert_eq!(plan.texts("input[name=column][form=confirm][checked]").len(), 2);
        assert_eq!(plan.texts("input[name=offered][form=confirm]").len(), 2);
        let mut viewer = site.signed_in(Role::Viewer).await;
        assert!(!viewer.get(&plan.url).await.has("input[name=column]"));
    });
}

#[test]
fn only_ticked_columns_are_set_back() {
    on_site(async |site| {
        let (mut browser, plan) = plan(site).await;
        let applied =
            send(&mut browser, &plan, &["note"], &[("reason", "points were right")]).await;
        let result = browser.redirect(&applied).await;
        assert!(result.has(".badge.undo"), "{}", result.text("main"));
        assert_eq!(site.value(STATE).await, "0-,0,0x");
        let subject = "SELECT subject FROM pgtrack_dashboard.audit WHERE action = 'revert applied'";
        assert!(site.value(subject).await.ends_with("&column=note"));
        // Undone like any other change.
        let back = browser.follow(&result, ".title a.button").await;
        assert!(!back.has("input[name=column]"), "one column is no choice");
        let fields = [("reason", "and the notes, too")];
        assert_eq!(browser.submit(&back, "form.confirm", &fields).await.status, 303);
        assert_eq!(site.value(STATE).await, "0oops,0oops,0oops");
    });
}

#[test]
fn the_preview_is_shown_again_as_ticked() {
    on_site(async |site| {
        let (mut browser, plan) = plan(site).await;
        assert!(plan.has("form.confirm button[name=look][formnovalidate]"));
        let more = [("look", "yes"), ("reason", "because")];
        let shown = send(&mut browser, &plan, &["points"], &more).await;
        assert_eq!(shown.status, 200);
        assert!(shown.text(".lead").starts_with("This will set points of 3 rows back and leave"));
        assert_eq!(shown.texts(".diff tbody tr > th[scope=row]"), ["points", "points", "points"]);
        assert!(
            shown.text("details.sql code").contains("columns => ARRAY [ 'points' ]"),
            "{}",
            shown.text("details.sql")
        );
        assert_eq!(shown.texts("input[name=column]").len(), 2);
        assert_eq!(shown.attribute("input[name=column][checked]", "value"), "points");
        assert_eq!(shown.attribute("#reason", "value"), "because");
        assert_eq!(site.value(STATE).await, "0oops,0oops,0oops", "nothing was done");
        let applied = send(&mut browser, &shown, &["points"], &[("reason", "because")]).await;
        assert_eq!(applied.status, 303);
        assert_eq!(site.value(STATE).await, "10oops,20oops,30oops");
    });
}

#[test]
fn all_boxes_ticked_is_everything_and_none_is_refused() {
    on_site(async |site| {
        let (mut browser, plan) = plan(site).await;
        let refused = send(&mut browser, &plan, &[], &[("reason", "because")]).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text("[role=alert]").contains("no column is ticked"));
        let unknown = send(&mut browser, &plan, &["nonsense"], &[("reason", "because")]).await;
        assert!(unknown.status.is_client_error(), "{}", unknown.status);
        assert_eq!(site.value(STATE).await, "0oops,0oops,0oops");
        let applied = send(&mut browser, &plan, &["points", "note"], &[("reason", "all")]).await;
        assert_eq!(applied.status, 303);
        assert_eq!(site.value(STATE).await, "10-,20,30x");
    });
}

#[test]
fn a_conflict_is_overwritten_only_in_the_ticked_columns() {
    on_site(async |site| {
        let (mut browser, plan) = plan(site).await;
        site.run("UPDATE shop.users SET points = 5, note = 'newer' WHERE id = 2").await;
        let plan = browser.get(&plan.url).await;
        let more = [("reason", "because"), ("on_conflict", "overwrite")];
        assert_eq!(send(&mut browser, &plan, &["points"], &more).await.status, 303);
        assert_eq!(site.value(STATE).await, "10oops,20newer,30oops");
    });
}

#[test]
fn a_version_of_a_row_comes_back_in_part() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1, note = 'a' WHERE id = 1").await;
        site.run("UPDATE shop.users SET points = 2, note = 'b' WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let url = "/c/shop/revert/plan?act=restore-version&table=shop.users&key=%7B%22id%22:1%7D&version=0";
        let plan = browser.get(url).await;
        assert_eq!(send(&mut browser, &plan, &["note"], &[("reason", "")]).await.status, 303);
        assert_eq!(site.value(STATE).await, "2-,20,30x");
    });
}

#[test]
fn whole_rows_have_no_boxes() {
    on_site(async |site| {
        let xid = site.run("INSERT INTO shop.users VALUES (4, 'Edsger', 0, NULL)").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan =
            browser.get(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        assert!(plan.has("form.confirm") && !plan.has("input[name=column]"));
    });
}
