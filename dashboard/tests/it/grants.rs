//! Roles in single connections.

use axum::http::Method;
use pgtrack_dashboard::{Access, Role, routes};

use crate::connections::{bank, fields, install, port};
use crate::headers::example;
use crate::support::on_site;

#[test]
fn a_role_in_one_connection_is_not_one_elsewhere() {
    on_site(async |site| {
        let (database, port) = (bank().await, port());
        let mut admin = site.signed_in(Role::Admin).await;
        admin.post("/connections/new", &fields(&database, &port)).await;
        install(&mut admin).await;
        let mut viewer = site.signed_in(Role::Viewer).await;
        assert_eq!(viewer.get("/c/bank/changes.csv").await.status, 403);

        let page = admin.get("/users").await;
        let form = "tr:nth-child(2) form[action$=connections]";
        let given = [("shop", "none"), ("bank", "operator")];
        assert_eq!(admin.submit(&page, form, &given).await.location(), "/users");
        assert_eq!(viewer.get("/c/bank").await.location(), "/login?next=%2Fc%2Fbank");
        viewer.log_in("viewer").await;
        assert_eq!(viewer.get("/").await.location(), "/c/bank");
        assert_eq!(viewer.get("/c/bank/changes.csv").await.status, 200);
        assert_eq!(viewer.post("/c/bank/storage/purge", &[("keep", "1")]).await.status, 403);
        for url in ["/users", "/audit", "/connections/new"] {
            assert_eq!(viewer.get(url).await.status, 403, "{url}");
        }
        for url in ["/connections", "/account", "/settings", "/c/bank", "/c/shop", "/no/such/page"]
        {
            let page = viewer.get(url).await;
            assert!(!page.html.contains("The shop"), "{url}");
            assert!(!page.has("a[href='/users']"), "{url}");
        }

        let page = admin.get("/users").await;
        assert!(page.text("tr:nth-child(2)").contains("Connections of viewer (2 otherwise)"));
        let given = [("shop", ""), ("bank", "admin")];
        admin.submit(&page, form, &given).await;
        viewer.log_in("viewer").await;
        assert_eq!(viewer.get("/").await.location(), "/c/shop");
        assert_eq!(viewer.get("/c/shop/changes.csv").await.status, 403);
        // Who manages a connection's data does not manage the connection.
        assert_eq!(viewer.get("/c/bank/install").await.status, 200);
        assert_eq!(viewer.get("/connections/bank").await.status, 403);
        assert!(!viewer.get("/c/bank").await.has("a[href='/users']"));

        let log = admin.get("/audit").await;
        assert!(log.text("tbody").contains("viewer in bank: operator, shop: none"));
        admin.post("/connections/bank/remove", &[]).await;
        let count = "SELECT count(*)::text FROM pgtrack_dashboard.connection_grant";
        assert_eq!(site.value(count).await, "0", "another may get its name");
        database.remove().await;
    });
}

#[test]
fn a_connection_that_somebody_does_not_see_is_as_one_that_is_not_there() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 0").await;
        let mut admin = site.signed_in(Role::Admin).await;
        for role in [Role::Viewer, Role::Operator] {
            let mut session = site.signed_in(role).await;
            let id = site
                .value(&format!(
                    "SELECT account_id::text FROM pgtrack_dashboard.account WHERE name = '{}'",
                    role.word()
                ))
                .await;
            let url = format!("/users/{id}/connections");
            assert_eq!(admin.post(&url, &[("shop", "none")]).await.status, 303);
            session.log_in(role.word()).await;
            for (pattern, access) in routes() {
                let Access::Role(_) = access else { continue };
                if !pattern.contains("{connection}") {
                    continue;
                }
                for method in [Method::GET, Method::POST] {
                    let headers = [("sec-fetch-site", "same-origin")];
                    let mut answers = Vec::new();
                    for slug in ["/c/shop", "/c/nowhere"] {
                        let url = example(pattern).replace("/c/shop", slug);
                        let page =
                            session.send(method.clone(), &url, &headers, String::new()).await;
                        assert!([403, 404, 405].contains(&page.status.as_u16()), "{method} {url}");
                        let text = page.text("main");
                        let text = text.split(" Request id ").next().map(str::to_owned);
                        answers.push((page.status, text));
                    }
                    assert_eq!(answers[0].0, answers[1].0, "{method} {pattern}");
                    assert_eq!(answers[0].1, answers[1].1, "{method} {pattern}");
                }
            }
            assert_eq!(session.get("/account").await.status, 200);
            assert_eq!(session.get("/").await.location(), "/c/-");
            assert_eq!(session.post("/logout", &[]).await.status, 303);
        }
    });
}

#[test]
fn unknown_connections_and_roles_are_refused() {
    on_site(async |site| {
        let mut admin = site.signed_in(Role::Admin).await;
        site.signed_in(Role::Viewer).await;
        let id = "SELECT account_id::text FROM pgtrack_dashboard.account WHERE name = 'viewer'";
        let url = format!("/users/{}/connections", site.value(id).await);
        assert_eq!(admin.post(&url, &[("bank", "none")]).await.status, 404);
        assert_eq!(admin.post(&url, &[("shop", "owner")]).await.status, 400);
        assert_eq!(admin.post("/users/999/connections", &[("shop", "none")]).await.status, 404);
        let count = "SELECT count(*)::text FROM pgtrack_dashboard.connection_grant";
        assert_eq!(site.value(count).await, "0");
    });
}
