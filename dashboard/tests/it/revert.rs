//! What stands between a plan and its application: other people, impatience, and the database's own rules.

use pgtrack_dashboard::Role;

use crate::support::{Page, on_site};

const UNDO_USER_1: &str = "/c/shop/revert/plan?act=undo-row&table=shop.users&key=%7B%22id%22:1%7D";
const POINTS: &str = "SELECT points::text FROM shop.users WHERE id = 1";

#[test]
fn a_stale_plan_is_not_applied() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(UNDO_USER_1).await;
        let newer = site.run("UPDATE shop.users SET points = 2 WHERE id = 1").await;

        let fields = [("reason", "my reason")];
        let refused = browser.submit(&plan, "form.confirm", &fields).await;
        assert_eq!(refused.status, 409);
        assert!(
            refused.text("[role=alert]").contains("The rows have changed since the plan was made")
        );
        assert!(refused.text("[role=alert]").contains(&format!("transaction {newer}")));
        assert_eq!(site.value(POINTS).await, "2", "nothing was changed");
        assert_eq!(refused.attribute("#reason", "value"), "my reason");
        assert_eq!(refused.texts(".diff td.new .text"), ["1"], "the plan is the fresh one");

        let applied = browser.submit(&refused, "form.confirm", &fields).await;
        assert_eq!(applied.status, 303);
        assert_eq!(site.value(POINTS).await, "1");
    });
}

#[test]
fn a_form_that_is_sent_twice_is_applied_once() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(UNDO_USER_1).await;
        let first = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        let second = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        assert_eq!(first.status, 303);
        assert_eq!(second.status, 303);
        assert_eq!(first.location(), second.location(), "the second gets the result of the first");
        assert_eq!(site.value(POINTS).await, "10");

        // The same plan from another form, as after the back button, is out of date.
        let url = plan.attribute("form.confirm", "action");
        let token = plan.attribute("input[name=token]", "value");
        let fields = [("token", token.as_str()), ("submission", "another"), ("reason", "")];
        assert_eq!(browser.post(&url, &fields).await.status, 409);
        assert_eq!(site.value(POINTS).await, "10");
    });
}

#[test]
fn two_clicks_at_the_same_moment_are_one() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(UNDO_USER_1).await;
        let mut other = browser.clone();
        let (first, second): (Page, Page) = tokio::join!(
            browser.submit(&plan, "form.confirm", &[("reason", "")]),
            other.submit(&plan, "form.confirm", &[("reason", "")])
        );
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 303));
        assert_eq!(first.location(), second.location());
        assert_eq!(site.value(POINTS).await, "10");
        let applied =
            "SELECT count(*)::text FROM pgtrack_dashboard.audit WHERE action = 'revert applied'";
        assert_eq!(site.value(applied).await, "1");
    });
}

#[test]
fn two_people_with_the_same_plan_do_not_undo_each_other() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        let mut operator = site.signed_in(Role::Operator).await;
        let mut admin = site.signed_in(Role::Admin).await;
        let (mine, theirs) = (operator.get(UNDO_USER_1).await, admin.get(UNDO_USER_1).await);
        let first = operator.submit(&mine, "form.confirm", &[("reason", "")]).await;
        let second = admin.submit(&theirs, "form.confirm", &[("reason", "")]).await;
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (303, 409));
        assert_eq!(site.value(POINTS).await, "10");
    });
}

#[test]
fn a_row_that_somebody_is_changing_is_waited_for_briefly() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan = browser.get(UNDO_USER_1).await;
        let holder = site.client().await;
        holder
            .batch_execute("BEGIN; SELECT FROM shop.users WHERE id = 1 FOR UPDATE")
            .await
            .unwrap();
        let refused = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        assert_eq!(refused.status, 409);
        assert_eq!(refused.text("h1"), "Somebody else is changing these rows");
        holder.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(browser.submit(&plan, "form.confirm", &[("reason", "")]).await.status, 303);
    });
}

#[test]
fn what_the_database_refuses_is_explained_and_noted() {
    on_site(async |site| {
        let xid = site.run("INSERT INTO shop.users VALUES (4, 'Edsger', 0, NULL)").await;
        site.run("INSERT INTO shop.orders VALUES (104, 4, 'new')").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan =
            browser.get(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        let refused = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
        assert_eq!(refused.status, 409);
        assert_eq!(refused.text("h1"), "The data does not allow this");
        assert!(refused.text("main").contains("orders"), "{}", refused.text("main"));
        assert!(refused.text("main").contains(refused.header("x-request-id")));
        let note = "SELECT (outcome LIKE '%orders%')::text FROM pgtrack_dashboard.audit
                    WHERE action = 'revert refused'";
        assert_eq!(site.value(note).await, "true");
    });
}

#[test]
fn a_plan_with_nothing_to_do_has_no_button() {
    on_site(async |site| {
        let xid = site.run("INSERT INTO shop.users VALUES (4, 'Edsger', 0, NULL)").await;
        site.run("DELETE FROM shop.users WHERE id = 4").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let plan =
            browser.get(&format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}")).await;
        assert_eq!(plan.status, 200);
        assert!(plan.text(".lead").contains("nothing to do"), "{}", plan.text("main"));
        assert!(!plan.has("form.confirm"));
    });
}

#[test]
fn reverts_of_what_is_not_there_are_explained() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Operator).await;
        for (query, status, text) in [
            ("act=undo-transaction&xid=1", 404, "No change of transaction 1 is recorded"),
            ("act=undo-row&table=shop.users&key=%7B%22id%22:1%7D", 404, "has not changed since"),
            ("act=undo-row&table=shop.users&key=%7B%22id%22:%22x%22%7D", 400, "does not fit table"),
            ("act=restore-row&table=shop.users&key=%7B%22id%22:1%7D", 409, "exists"),
            ("act=undo-row&table=shop.nothing&key=%7B%22id%22:1%7D", 404, "does not exist"),
            ("act=undo-row&table=shop.visits&key=%7B%22id%22:1%7D", 409, "no primary key"),
            ("act=undo-row&table=users&key=%7B%22id%22:1%7D", 400, "does not say fully"),
            ("act=explode", 400, "does not say fully"),
            ("", 400, "does not say fully"),
        ] {
            let page = browser.get(&format!("/c/shop/revert/plan?{query}")).await;
            assert_eq!(page.status, status, "{query}: {}", page.text("main"));
            assert!(page.text("main").contains(text), "{query}: {}", page.text("main"));
            let url = format!("/c/shop/revert?{query}");
            let post = browser.post(&url, &[("token", "x"), ("submission", "y")]).await;
            assert!(post.status.is_client_error(), "{query}");
        }
    });
}

#[test]
fn what_is_too_much_for_one_step_is_not_done_in_one() {
    on_site(async |site| {
        let more = "CREATE TABLE shop.many AS SELECT i AS id, 0 AS points FROM generate_series(1, 10001) i;
                    ALTER TABLE shop.many ADD PRIMARY KEY (id); SELECT FROM pgtrack.track('shop.many')";
        site.run(more).await;
        let most = site.run("UPDATE shop.many SET points = 1 WHERE id <= 10000").await;
        let too_many = site.run("UPDATE shop.many SET points = 2").await;
        let mut browser = site.signed_in(Role::Operator).await;
        let url = |xid| format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}");
        let plan = browser.get(&url(too_many)).await;
        assert!(plan.text(".notice").contains("more than 10,000 rows"), "{}", plan.text("main"));
        assert!(plan.text("details.sql code").contains("undo_transaction"));
        assert!(plan.has("form.confirm input[name=batches][required]"));
        let fields = [("token", "x"), ("submission", "y"), ("reason", "because")];
        let refused = browser.post(&url(too_many).replace("/plan", ""), &fields).await;
        assert_eq!(refused.status, 409);
        let changed = "SELECT count(*)::text FROM shop.many WHERE points = 2";
        assert_eq!(site.value(changed).await, "10001");
        site.run("UPDATE shop.many SET points = 1 WHERE id <= 10000").await;
        let plan = browser.get(&url(most)).await;
        assert!(
            plan.text(".notice").contains("Only the first 200 of 10,000 rows"),
            "{}",
            plan.text("main")
        );
        assert!(plan.html.len() < 400_000, "{}", plan.html.len());
    });
}
