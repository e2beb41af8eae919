//! The dashboard as a role that is no superuser, with what `pgtrack.grant_service()` gives it.

use axum::http::Method;
use pgtrack_dashboard::{Access, Role, routes};

use crate::support::{Site, example, on_site, start};

const UNDO_USER_1: &str = "/c/shop/revert/plan?act=undo-row&table=shop.users&key=%7B%22id%22:1%7D";
const POINTS: &str = "SELECT points::text FROM shop.users WHERE id = 1";

/// Gives the shop's tables to a role of their own, and opens a dashboard for a service with these rights.
/// The superuser's dashboard was there first: the service takes its tables over.
async fn with_service(site: &Site, rights: &str, body: impl AsyncFnOnce(&Site)) {
    let (owner, service) =
        (format!("owner_{}", site.database.name()), format!("service_{}", site.database.name()));
    let client = site.client().await;
    let sql = format!(
        "CREATE ROLE {owner};
         ALTER SCHEMA shop OWNER TO {owner};
         DO $$ DECLARE r record; BEGIN
           FOR r IN SELECT c.oid::regclass AS name FROM pg_class c
                    WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind IN ('r', 'p') LOOP
             EXECUTE format('ALTER TABLE %s OWNER TO {owner}', r.name);
           END LOOP;
         END $$;
         SELECT pgtrack.grant_service('{service}', {rights})",
        rights = rights.replace("OWNER", &owner)
    );
    client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{error:?}"));
    let url = site.database.url().replace("postgres@", &format!("{service}@"));
    let dashboard = start(&url, false).await;
    let own = Site { database: site.database.clone(), state: dashboard.state(), dashboard };
    body(&own).await;
    drop(own);
    let sql = format!(
        "DROP OWNED BY {service} CASCADE; DROP ROLE {service};
         REASSIGN OWNED BY {owner} TO postgres; DROP OWNED BY {owner}; DROP ROLE {owner}"
    );
    client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{error:?}"));
}

#[test]
fn every_page_works() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        with_service(site, "undo_as => '{OWNER}'", async |site| {
            let admin = site.signed_in(Role::Admin).await;
            for (pattern, access) in routes() {
                if pattern.ends_with("/live") || !matches!(access, Access::Role(_)) {
                    continue;
                }
                let mut browser = admin.clone();
                let headers = [("sec-fetch-site", "same-origin")];
                let url = example(pattern);
                let page = browser.send(Method::GET, &url, &headers, String::new()).await;
                let is_fine = !matches!(page.status.as_u16(), 403 | 500..);
                assert!(is_fine, "{url}: {} {}", page.status, page.text("main"));
            }
            let mut admin = admin;
            let history = admin.get("/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D").await;
            assert!(history.text("main").contains("points"), "{}", history.text("main"));
            let changes = admin.get("/c/shop/changes").await.text("main");
            assert!(changes.contains("UPDATE shop.users SET points = 1"), "{changes}");
        })
        .await;
    });
}

#[test]
fn changes_arrive_live_and_are_undone_as_the_tables_owner() {
    on_site(async |site| {
        with_service(site, "undo_as => '{OWNER}'", async |site| {
            let mut browser = site.signed_in(Role::Operator).await;
            let cursor = browser.get("/c/shop").await.attribute("#feed", "data-cursor");
            let mut stream = browser.listen(&cursor, None).await;
            let made = site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
            assert_eq!(stream.next().await.unwrap().xid(), made);

            let plan = browser.get(UNDO_USER_1).await;
            let applied = browser.submit(&plan, "form.confirm", &[("reason", "a mistake")]).await;
            assert_eq!(applied.status, 303, "{}", applied.text("main"));
            assert_eq!(site.value(POINTS).await, "10");
        })
        .await;
    });
}

#[test]
fn who_may_read_alone_undoes_nothing() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        with_service(site, "read => '{shop}'", async |site| {
            let mut browser = site.signed_in(Role::Operator).await;
            let plan = browser.get(UNDO_USER_1).await;
            let refused = browser.submit(&plan, "form.confirm", &[("reason", "")]).await;
            assert_eq!(refused.status, 403);
            let told = refused.text("main");
            assert!(told.contains("Permission denied for table users"), "{told}");
            assert_eq!(site.value(POINTS).await, "1");
        })
        .await;
    });
}

#[test]
fn who_may_read_and_write_all_data_has_nothing_of_the_dashboard() {
    on_site(async |site| {
        let client = site.client().await;
        let role = format!("all_{}", site.database.name());
        let tables: String = client
            .query_one(
                "SELECT string_agg(oid::regclass::text, ' ') FROM pg_class WHERE relnamespace = 'pgtrack_dashboard'::regnamespace AND relkind = 'r'",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        let sql = format!(
            "CREATE ROLE {role}; GRANT pg_read_all_data, pg_write_all_data TO {role}; SET ROLE {role}"
        );
        client.batch_execute(&sql).await.unwrap();
        for table in tables.split(' ') {
            let rows = client.query(&format!("SELECT * FROM {table}"), &[]).await.unwrap();
            assert!(rows.is_empty(), "{table}");
        }
        let error = client
            .batch_execute("INSERT INTO pgtrack_dashboard.account (name, role, password_hash) VALUES ('mallory', 'admin', '')")
            .await
            .unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501");
        client
            .batch_execute(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"))
            .await
            .unwrap();
    });
}
