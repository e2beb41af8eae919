//! Values that a role does not see do not come out anywhere, and cannot be guessed either.

use axum::http::Method;
use pgtrack_dashboard::{Access, Role, routes};

use crate::headers::example;
use crate::support::{Browser, Site, on_site};

/// What must not be seen: each part of the values that are planted.
const SECRETS: [&str; 3] = ["xyzzy", "plugh", "hunter2"];

/// Values in a column that is hidden: before, now, in a deleted row, in the texts of statements.
async fn plant(site: &Site, purpose: &str) -> [i64; 3] {
    let first = site.run("UPDATE shop.users SET note = 'xyzzy', points = 11 WHERE id = 1").await;
    let second = site.run("UPDATE shop.users SET note = 'plugh' WHERE id IN (1, 3)").await;
    site.run("UPDATE shop.users SET note = 'hunter2' WHERE id = 2").await;
    let third = site.run("DELETE FROM shop.order_items; DELETE FROM shop.orders").await;
    site.run("DELETE FROM shop.users WHERE id = 2").await;
    rule(site, purpose, "shop.users.note").await;
    [first, second, third]
}

async fn rule(site: &Site, purpose: &str, pattern: &str) {
    let sql = "INSERT INTO pgtrack_dashboard.column_rule VALUES ('shop', $1, $2)";
    site.client().await.execute(sql, &[&purpose, &pattern]).await.expect("the rule can be written");
}

/// Every address that is read: an example of each route, and those that hold something here.
fn addresses([first, second, third]: [i64; 3]) -> Vec<String> {
    let mut all: Vec<String> = routes()
        .into_iter()
        .filter(|(pattern, access)| {
            matches!(access, Access::Role(_)) && !pattern.ends_with("/live")
        })
        .map(|(pattern, _)| example(pattern))
        .collect();
    let key = |id: i64| format!("%7B%22id%22:{id}%7D");
    all.extend((1..=8).map(|id| format!("/c/shop/changes/{id}")));
    all.extend([first, second, third].map(|xid| format!("/c/shop/tx/{xid}")));
    for query in
        ["", "?view=transactions", "?table=shop.users&column=note", "?op=update", "?ignored=show"]
    {
        all.push(format!("/c/shop/changes{query}"));
        all.push(format!("/c/shop/changes.csv{query}"));
        all.push(format!("/c/shop/changes.jsonl{query}"));
    }
    for id in 1..=3 {
        let row = format!("/c/shop/tables/shop.users/rows/{}", key(id));
        for query in ["", "?from=v0&to=current", "?from=v1&to=v2", "?column=note", "?at=2100-01-01"]
        {
            all.push(format!("{row}{query}"));
        }
        for act in
            ["undo-row", "restore-row", "restore-version&version=0", "restore-version&version=1"]
        {
            all.push(format!("/c/shop/revert/plan?act={act}&table=shop.users&key={}", key(id)));
        }
    }
    for point in [format!("xid:{}", first - 1), format!("xid:{first}"), "now".to_owned()] {
        for show in ["rows", "differences"] {
            all.push(format!("/c/shop/tables/shop.users/as-of?point={point}&show={show}"));
        }
        all.push(format!("/c/shop/revert/plan?act=revert-table&table=shop.users&point={point}"));
        all.push(format!("/c/shop/revert/plan?act=revert-schema&schema=shop&point={point}"));
    }
    for xid in [first, second, third] {
        all.push(format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}"));
    }
    all.push(
        "/c/shop/revert/plan?act=undo-statements&statement=1&statement=2&statement=3".to_owned(),
    );
    all.push("/c/shop/revert/plan?act=undo-cause&user=postgres".to_owned());
    all
}

/// The addresses whose answer holds a secret.
async fn revealing(browser: &mut Browser, addresses: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for address in addresses {
        let page = browser.get(address).await;
        assert_ne!(page.status, 500, "{address}: {}", page.text("main"));
        if SECRETS.iter().any(|secret| page.html.contains(secret)) {
            found.push(address.clone());
        }
    }
    found
}

#[test]
fn no_page_shows_what_is_hidden_to_those_from_whom_it_is() {
    on_site(async |site| {
        let addresses = addresses(plant(site, "hide from operators").await);
        for role in [Role::Viewer, Role::Operator] {
            let mut browser = site.signed_in(role).await;
            let found = revealing(&mut browser, &addresses).await;
            assert!(found.is_empty(), "{} sees it at {found:?}", role.word());
        }
        let mut admin = site.signed_in(Role::Admin).await;
        let found = revealing(&mut admin, &addresses).await;
        for part in [
            "/changes/1",
            "/changes.csv",
            "/changes.jsonl",
            "/changes?view=transactions",
            "/tx/",
            "/deleted",
            "show=rows",
            "show=differences",
            "/rows/",
            "column=note",
            "at=2100",
            "from=v0",
            "act=undo-row",
            "act=restore-row",
            "act=restore-version",
            "act=undo-transaction",
            "act=undo-statements",
            "act=undo-cause",
            "act=revert-table",
            "act=revert-schema",
        ] {
            assert!(
                found.iter().any(|address| address.contains(part)),
                "nothing to hide at {part}"
            );
        }
        // The overview shows the texts of statements.
        assert!(found.iter().any(|address| address == "/c/shop"));
    });
}

#[test]
fn a_rule_for_viewers_is_not_for_operators() {
    on_site(async |site| {
        let addresses = addresses(plant(site, "hide from viewers").await);
        assert!(revealing(&mut site.signed_in(Role::Viewer).await, &addresses).await.is_empty());
        assert!(!revealing(&mut site.signed_in(Role::Operator).await, &addresses).await.is_empty());
    });
}

#[test]
fn a_change_of_a_hidden_value_is_seen_as_a_change() {
    on_site(async |site| {
        plant(site, "hide from viewers").await;
        let mut viewer = site.signed_in(Role::Viewer).await;
        let row = "/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D";
        let page = viewer.get(row).await;
        assert_eq!(page.texts(".timeline .diff tbody tr > th"), ["note", "points", "note"]);
        assert_eq!(page.texts(".timeline .diff td.new")[0], "+ (hidden)");
        assert_eq!(page.texts(".timeline .diff td.new")[1], "+ 11");
        // Equal values are equal, different ones are not, in whatever versions.
        let compared = viewer.get(&format!("{row}?from=v1&to=current")).await;
        assert_eq!(compared.texts("section[aria-labelledby=compared] tbody tr > th"), ["note"]);
        site.run("UPDATE shop.users SET note = 'xyzzy' WHERE id = 1").await;
        let compared = viewer.get(&format!("{row}?from=v1&to=current")).await;
        assert!(compared.text("main").contains("They do not differ."));
    });
}

#[test]
fn what_is_hidden_cannot_be_guessed_by_searching() {
    on_site(async |site| {
        plant(site, "hide from viewers").await;
        let mut viewer = site.signed_in(Role::Viewer).await;
        for path in ["/c/shop/changes", "/c/shop/changes/live"] {
            for query in ["table=shop.users&column=note&value=", "q="] {
                let mut answers = Vec::new();
                for guess in ["xyzzy", "wrong"] {
                    let page = viewer.get(&format!("{path}?{query}{guess}&after=1:1:")).await;
                    assert!(page.text("main").contains("hidden from your role"), "{path} {query}");
                    assert!(!page.has(".entry"));
                    let said = page.text("main").replace(guess, "");
                    answers.push(said.split("Request id").next().unwrap_or_default().to_owned());
                }
                assert_eq!(answers[0], answers[1]);
            }
        }
        // What is not hidden can be looked for.
        let page = viewer.get("/c/shop/changes?table=shop.users&column=points&value=11").await;
        assert_eq!(page.texts(".entry").len(), 2, "one made it so, one left it");
        let mut admin = site.signed_in(Role::Admin).await;
        assert!(admin.get("/c/shop/changes?q=xyzzy").await.has(".entry"));
    });
}

#[test]
fn a_hidden_key_names_nothing() {
    on_site(async |site| {
        site.run("CREATE TABLE shop.logins (email text PRIMARY KEY, tries int); SELECT FROM pgtrack.track('shop.logins');
                  INSERT INTO shop.logins VALUES ('xyzzy', 1), ('plugh', 1)").await;
        let xid = site
            .run("UPDATE shop.logins SET tries = 2; DELETE FROM shop.logins WHERE email = 'plugh'")
            .await;
        rule(site, "hide from operators", "*.email").await;
        let mut operator = site.signed_in(Role::Operator).await;
        let mut addresses: Vec<String> = ["", "/deleted", "/as-of?point=now&show=rows"]
            .map(|path| format!("/c/shop/tables/shop.logins{path}"))
            .to_vec();
        addresses.push(format!("/c/shop/tx/{xid}"));
        addresses.push(format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}"));
        assert_eq!(revealing(&mut operator, &addresses).await, Vec::<String>::new());
        assert!(operator.get(&addresses[0]).await.text(".versions").contains("email=(hidden)"));
        // Whether a row is there is not told either.
        for guess in ["xyzzy", "wrong"] {
            let key = format!("%7B%22email%22:%22{guess}%22%7D");
            let plan = format!("/c/shop/revert/plan?act=undo-row&table=shop.logins&key={key}");
            for url in [format!("/c/shop/tables/shop.logins/rows/{key}"), plan.clone()] {
                let page = operator.get(&url).await;
                assert_eq!(page.status, 403, "{url}");
                assert!(page.text("main").contains("key of this table is hidden"), "{url}");
            }
            let fields = [("token", "x"), ("submission", "y")];
            assert_eq!(operator.post(&plan.replace("/plan", ""), &fields).await.status, 403);
            let search =
                operator.get(&format!("/c/shop/changes?table=shop.logins&key={key}")).await;
            assert!(search.text("[role=alert]").contains("key of this table is hidden"));
        }
        // What they do not see they can put back all the same, with others.
        let plan = operator.get(&addresses[4]).await;
        let done = operator.submit(&plan, "form.confirm", &[("reason", "wrong rows")]).await;
        assert_eq!(done.status, 303, "{}", done.text("main"));
        assert_eq!(
            site.value("SELECT string_agg(email, ' ' ORDER BY email) FROM shop.logins").await,
            "plugh xyzzy"
        );
    });
}

#[test]
fn the_database_s_own_words_are_hidden_too() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET note = 'xyzzy' WHERE id = 1").await;
        site.run("UPDATE shop.users SET note = NULL WHERE id = 1").await;
        // Its report quotes the value.
        site.run("UPDATE shop.users SET note = 'xyzzy' WHERE id = 2; CREATE UNIQUE INDEX ON shop.users (note)").await;
        rule(site, "hide from operators", "note").await;
        let url = "/c/shop/revert/plan?act=undo-row&table=shop.users&key=%7B%22id%22:1%7D";
        for (role, is_hidden) in [(Role::Operator, true), (Role::Admin, false)] {
            let mut browser = site.signed_in(role).await;
            let plan = browser.get(url).await;
            assert_eq!(plan.html.contains("xyzzy"), !is_hidden);
            assert!(plan.text(".notice.bad").contains("As things are, this cannot be done"));
            assert_eq!(plan.text(".notice.bad").contains("already exists"), !is_hidden);
            let refused = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
            assert_eq!(refused.status, 409);
            assert_eq!(refused.html.contains("xyzzy"), !is_hidden, "{}", refused.text("main"));
            assert_eq!(refused.text("main").contains("hidden from your role"), is_hidden);
        }
    });
}

#[test]
fn the_token_of_a_plan_is_no_digest_of_its_values() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET note = 'xyzzy' WHERE id = 1").await;
        let mut operator = site.signed_in(Role::Operator).await;
        let url = "/c/shop/revert/plan?act=undo-row&table=shop.users&key=%7B%22id%22:1%7D";
        let shown = operator.get(url).await.attribute("[name=token]", "value");
        let key = pgtrack_tracker::RowKey::from_json("{\"id\":1}").unwrap();
        let name =
            pgtrack_tracker::TableName { schema: "shop".to_owned(), name: "users".to_owned() };
        let target = pgtrack_tracker::revert::Target::LastChange(name, key);
        let plan = pgtrack_tracker::revert::plan(
            &site.client().await,
            &target,
            pgtrack_tracker::revert::OnConflict::Error,
        )
        .await
        .unwrap();
        assert_ne!(shown, plan.token);
        // Another dashboard of the same database recognises it.
        let other = crate::support::start(&site.database.url(), false).await;
        let mut elsewhere = Browser::new(other.state());
        elsewhere.cookies.clone_from(&operator.cookies);
        assert_eq!(elsewhere.get(url).await.attribute("[name=token]", "value"), shown);
    });
}

#[test]
fn the_live_feed_hides_too_and_begins_anew_with_other_rules() {
    on_site(async |site| {
        rule(site, "hide from viewers", "shop.users.note").await;
        let mut viewer = site.signed_in(Role::Viewer).await;
        let admin = site.signed_in(Role::Admin).await;
        let cursor = viewer.get("/c/shop").await.attribute("#feed", "data-cursor");
        let (mut hidden, mut seen) =
            (viewer.listen(&cursor, None).await, admin.listen(&cursor, None).await);
        site.run("UPDATE shop.users SET note = 'xyzzy' WHERE id = 1").await;
        let (for_viewer, for_admin) = (hidden.next().await.unwrap(), seen.next().await.unwrap());
        assert_eq!(for_viewer.xid(), for_admin.xid());
        assert!(for_admin.data.contains("xyzzy") && !for_viewer.data.contains("xyzzy"));
        let changes = format!("/c/shop/changes/live?after={cursor}");
        let headers = [("accept", "text/event-stream")];
        let mut stream = viewer.stream(Method::GET, &changes, &headers).await;
        assert!(!stream.next().await.unwrap().data.contains("xyzzy"));
        let fields = [("from_viewers", ""), ("from_operators", "note")];
        let saved = admin.clone().post("/c/shop/rules/hidden", &fields).await;
        assert_eq!(saved.status, 303);
        assert!(stream.ended().await && hidden.ended().await && seen.ended().await);
    });
}

#[test]
fn only_admins_write_rules_and_it_is_noted() {
    on_site(async |site| {
        let mut admin = site.signed_in(Role::Admin).await;
        let page = admin.get("/c/shop/rules").await;
        assert!(page.has("textarea[name=from_viewers]"), "{}", page.text("main"));
        let form = "form[action$='/rules/hidden']";
        let fields = [("from_viewers", " shop.users.note \n\nemail"), ("from_operators", "pin")];
        let saved = admin.submit(&page, form, &fields).await;
        let page = admin.redirect(&saved).await;
        assert!(page.text("[role=status]").contains("Saved."));
        assert_eq!(page.text("textarea[name=from_viewers]"), "email shop.users.note");
        assert_eq!(page.text("textarea[name=from_operators]"), "pin");
        let note =
            "SELECT subject FROM pgtrack_dashboard.audit WHERE action = 'column rules changed'";
        assert_eq!(
            site.value(note).await,
            "hide from viewers: shop.users.note, hide from viewers: email, hide from operators: pin"
        );
        let bad =
            admin.submit(&page, form, &[("from_viewers", "a b"), ("from_operators", "")]).await;
        assert_eq!(bad.status, 400);
        assert!(bad.text("main").contains("“a b” is no rule"), "{}", bad.text("main"));
        let kept = "SELECT count(*)::text FROM pgtrack_dashboard.column_rule";
        assert_eq!(site.value(kept).await, "3");
        admin.submit(&page, form, &[("from_viewers", ""), ("from_operators", "id")]).await;
        assert_eq!(site.value(kept).await, "1");
        assert!(
            admin
                .get("/c/shop/rules")
                .await
                .text("main")
                .contains("The key is hidden of: shop.orders")
        );
    });
}
