//! Many databases: added, tested, changed, and kept apart.

use pgtrack_dashboard::{KeyRing, Role, rekey};
use pgtrack_testkit::{Database, Server, newest};

use crate::support::{Browser, Page, on_site};

const SECRET: &str = "s3cret of the bank";

/// Another database, and a role that has to give its password.
pub(crate) async fn bank() -> Database {
    let server = Server::shared(&newest());
    // Several tests do this at the same time, in one cluster.
    let client = pgtrack_testkit::connect(&server.url("postgres")).await;
    let sql = format!(
        "SELECT pg_advisory_lock(4711);
         DO $$ BEGIN
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bank_owner') THEN
             CREATE ROLE bank_owner SUPERUSER LOGIN PASSWORD '{SECRET}';
             -- One rule more, before those that are there: other tests need them.
             EXECUTE format('COPY (SELECT * FROM string_to_table(%L, E''\\n'')) TO %L',
                            concat_ws(E'\n', 'host all bank_owner 127.0.0.1/32 scram-sha-256',
                                      pg_read_file(current_setting('hba_file'))),
                            current_setting('hba_file'));
             PERFORM pg_reload_conf();
           END IF;
         END $$"
    );
    client.batch_execute(&sql).await.expect("the role can be created");
    loop {
        let query = "SELECT count(*) FROM pg_hba_file_rules WHERE 'bank_owner' = ANY (user_name)";
        let rules: i64 = client.query_one(query, &[]).await.expect("it can be read").get(0);
        if rules > 0 {
            break;
        }
    }
    server.database().await
}

pub(crate) fn port() -> String {
    Server::shared(&newest()).port().to_string()
}

pub(crate) fn fields<'a>(database: &'a Database, port: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("label", "The bank"),
        ("slug", "bank"),
        ("environment", "production"),
        ("host", "127.0.0.1"),
        ("port", port),
        ("database", database.name()),
        ("role", "bank_owner"),
        ("tls", "disable"),
        ("password", SECRET),
        ("password_is", "keep"),
        ("action", "save"),
    ]
}

fn with<'a>(
    fields: &[(&'a str, &'a str)],
    name: &'a str,
    value: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<_> = fields.iter().copied().filter(|field| field.0 != name).collect();
    fields.push((name, value));
    fields
}

fn stages(page: &Page) -> Vec<String> {
    page.texts(".stages li")
}

pub(crate) async fn install(browser: &mut Browser) {
    let page = browser.get("/c/bank").await;
    assert_eq!(page.location(), "/c/bank/install");
    let page = browser.get("/c/bank/install").await;
    assert!(page.text("details pre").contains("CREATE SCHEMA IF NOT EXISTS pgtrack"));
    let done = browser.submit(&page, "main form", &[]).await;
    assert_eq!(done.status, 303, "{}", done.text("main"));
}

#[test]
fn a_database_is_added_prepared_and_used() {
    on_site(async |site| {
        let (database, port) = (bank().await, port());
        let mut admin = site.signed_in(Role::Admin).await;
        let form = admin.get("/connections/new").await;
        assert_eq!(form.status, 200);
        let tested = admin
            .post("/connections/new", &with(&fields(&database, &port), "action", "test"))
            .await;
        assert_eq!(
            stages(&tested),
            [
                "✓ Address 127.0.0.1".to_owned(),
                format!("✓ Network port {port} answers"),
                "✓ Encryption not encrypted".to_owned(),
                "✓ Login as bank_owner".to_owned(),
                "✗ pg_track not installed yet; that can be done next".to_owned()
            ]
        );
        assert!(!tested.html.contains(SECRET), "the password is not shown again");
        assert!(!admin.get("/connections").await.html.contains("The bank"), "a test saves nothing");

        let saved = admin.post("/connections/new", &fields(&database, &port)).await;
        assert_eq!(saved.location(), "/c/bank");
        install(&mut admin).await;
        assert!(admin.get("/c/bank").await.text(".blank").contains("No table is tracked yet"));
        let sql = "CREATE TABLE account (id int PRIMARY KEY, balance numeric); SELECT FROM pgtrack.track('account');
                   INSERT INTO account VALUES (1, 10.50)";
        database.connect().await.batch_execute(sql).await.unwrap();
        let page = admin.get("/c/bank").await;
        assert!(page.text(".entry .effects").contains("public.account"));
        assert!(page.text("a.connection").contains("The bank production"));
        assert!(page.has("header.bar[data-environment=production]"));
        assert!(
            !admin.get("/c/shop").await.html.contains("public.account"),
            "databases are kept apart"
        );

        let xid = page.attribute(".entry", "data-xid");
        let plan = admin.get(&format!("/c/bank/revert/plan?act=undo-transaction&xid={xid}")).await;
        let refused = admin.submit(&plan, "form.confirm", &[("reason", "")]).await;
        assert_eq!(refused.status, 422);
        assert!(refused.text("[role=alert]").contains("this is production"));
        let done =
            admin.submit(&plan, "form.confirm", &[("reason", ""), ("label", "The bank")]).await;
        assert_eq!(done.status, 303, "{}", done.text("main"));
        let client = database.connect().await;
        let left: i64 = client.query_one("SELECT count(*) FROM account", &[]).await.unwrap().get(0);
        assert_eq!(left, 0);

        let list = admin.get("/connections").await;
        assert!(
            list.text("tbody").contains("bank_owner@127.0.0.1")
                && list.text("tbody").contains("kept, sealed")
        );
        admin.submit(&list, "form[action='/connections/bank/remove']", &[]).await;
        assert_eq!(admin.get("/c/bank").await.status, 404);
        drop(client);
        database.remove().await;
    });
}

#[test]
fn a_test_tells_where_it_fails() {
    on_site(async |site| {
        let (database, port) = (bank().await, port());
        let usual = fields(&database, &port);
        let mut admin = site.signed_in(Role::Admin).await;
        for (name, value, expected) in [
            ("host", "no-such-host.invalid", "✗ Address no address is known for this host"),
            (
                "host",
                "169.254.169.254",
                "✗ Address this address is not allowed; list it in allowed_hosts of the configuration",
            ),
            (
                "host",
                "10.0.0.1",
                "✗ Address this address is not allowed; list it in allowed_hosts of the configuration",
            ),
            (
                "host",
                "::ffff:10.0.0.1",
                "✗ Address this address is not allowed; list it in allowed_hosts of the configuration",
            ),
            (
                "port",
                "22",
                "✗ Address this port is not allowed; list host:port in allowed_hosts of the configuration",
            ),
            ("port", "5439", "✗ Network nobody answers on port 5439"),
            ("password", "wrong", "✗ Login the server refused the dashboard's role or password"),
            ("database", "no such", "✗ Login the database does not exist"),
            ("tls", "require", "✗ Encryption"),
        ] {
            let page = admin
                .post("/connections/new", &with(&with(&usual, "action", "test"), name, value))
                .await;
            assert_eq!(page.status, 200, "{name}={value}");
            let failed: Vec<_> =
                stages(&page).into_iter().filter(|stage| stage.starts_with('✗')).collect();
            assert!(failed[0].starts_with(expected), "{name}={value}: {failed:?}");
        }
        let refused = admin
            .post("/connections/new", &with(&with(&usual, "action", "test"), "port", "5438"))
            .await;
        assert_eq!(refused.status, 200);
        let refused = admin
            .post("/connections/new", &with(&with(&usual, "action", "test"), "port", "5438"))
            .await;
        assert_eq!(refused.status, 429, "tests are limited");
        database.remove().await;
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    on_site(async |site| {
        let database = bank().await;
        let usual = fields(&database, "5432");
        let mut admin = site.signed_in(Role::Admin).await;
        for (name, value, text) in [
            ("slug", "The Bank", "small letters"),
            ("slug", "shop", "already"),
            ("host", "/var/run/postgresql", "neither a name nor an address"),
            ("host", "a,b", "neither a name nor an address"),
            ("host", "a?sslmode=disable", "neither a name nor an address"),
            ("port", "0", "the port is a number"),
            ("port", "99999", "the port is a number"),
            ("database", "", "the database has"),
            ("role", "a\nb", "the role has"),
            ("label", "", "a name has"),
        ] {
            let page = admin.post("/connections/new", &with(&usual, name, value)).await;
            assert_eq!(page.status, 422, "{name}={value}");
            assert!(page.text("[role=alert]").contains(text), "{}", page.text("[role=alert]"));
            assert!(!page.html.contains(SECRET));
        }
        assert_eq!(
            site.value("SELECT count(*)::text FROM pgtrack_dashboard.connection").await,
            "0"
        );
        database.remove().await;
    });
}

#[test]
fn a_kept_password_is_sealed_and_sent_nowhere_else() {
    on_site(async |site| {
        let (database, port) = (bank().await, port());
        let mut admin = site.signed_in(Role::Admin).await;
        admin.post("/connections/new", &fields(&database, &port)).await;
        let sealed = site.value("SELECT sealed_password FROM pgtrack_dashboard.connection").await;
        assert!(sealed.starts_with("v1.") && !sealed.contains("s3cret"));
        let edit = admin.get("/connections/bank").await;
        assert!(!edit.html.contains(SECRET) && !edit.html.contains(&sealed));
        assert!(!edit.has("input[type=password][value]"));

        // Tested with the kept password, but not somewhere else.
        let unchanged = with(&with(&fields(&database, &port), "password", ""), "action", "test");
        let page = admin.post("/connections/bank", &unchanged).await;
        assert!(stages(&page)[3].starts_with("✓ Login"), "{:?}", stages(&page));
        let page = admin.post("/connections/bank", &with(&unchanged, "host", "localhost")).await;
        assert!(
            !stages(&page).iter().any(|stage| stage.starts_with("✓ Login")),
            "{:?}",
            stages(&page)
        );

        // The key is replaced.
        let url = site.database.url();
        let config = url.parse().unwrap();
        let both = KeyRing::new([[8; 32], [7; 32]]);
        assert_eq!(rekey(&config, &both).await.unwrap(), 1);
        assert_eq!(rekey(&config, &both).await.unwrap(), 0);
        let error = rekey(&config, &KeyRing::new([[9; 32]])).await.unwrap_err();
        assert!(error.to_string().contains("bank"), "{error}");
        let page = admin.get("/c/bank").await;
        assert_eq!(page.status, 503, "this dashboard does not have the new key");
        let text = site.value("SELECT string_agg(coalesce(subject, '') || coalesce(outcome, ''), ' ') FROM pgtrack_dashboard.audit").await;
        assert!(!text.contains("s3cret"), "{text}");
        database.remove().await;
    });
}

#[test]
fn a_password_that_is_asked_belongs_to_one_session() {
    on_site(async |site| {
        let (database, port) = (bank().await, port());
        let mut admin = site.signed_in(Role::Admin).await;
        admin
            .post("/connections/new", &with(&fields(&database, &port), "password_is", "ask"))
            .await;
        let none = "SELECT (sealed_password IS NULL)::text FROM pgtrack_dashboard.connection";
        assert_eq!(site.value(none).await, "true");
        let asked = admin.get("/c/bank").await;
        assert_eq!(asked.location(), "/connections/bank/unlock");
        let form = admin.get("/connections/bank/unlock").await;
        let wrong = admin.submit(&form, "main form", &[("password", "wrong")]).await;
        assert_eq!(wrong.status, 422);
        let right = admin.submit(&form, "main form", &[("password", SECRET)]).await;
        assert_eq!(right.location(), "/c/bank");
        install(&mut admin).await;
        assert_eq!(admin.get("/c/bank").await.status, 200);

        let mut viewer = site.signed_in(Role::Viewer).await;
        assert_eq!(viewer.get("/c/bank").await.location(), "/connections/bank/unlock");
        let wrong = viewer.submit(&form, "main form", &[("password", "wrong")]).await;
        assert!(
            !wrong.text("[role=alert]").contains("role or password"),
            "only admins are told why"
        );

        admin.post("/logout", &[]).await;
        admin.log_in("admin").await;
        assert_eq!(admin.get("/c/bank").await.location(), "/connections/bank/unlock");
        database.remove().await;
    });
}

#[test]
fn nothing_is_changed_where_it_is_only_viewed() {
    on_site(async |site| {
        let (database, port) = (bank().await, port());
        let mut admin = site.signed_in(Role::Admin).await;
        admin.post("/connections/new", &fields(&database, &port)).await;
        install(&mut admin).await;
        let sql = "CREATE TABLE account (id int PRIMARY KEY); SELECT FROM pgtrack.track('account'); INSERT INTO account VALUES (1)";
        database.connect().await.batch_execute(sql).await.unwrap();
        let read_only = with(&with(&fields(&database, &port), "read_only", "on"), "password", "");
        assert_eq!(admin.post("/connections/bank", &read_only).await.location(), "/c/bank");
        let page = admin.get("/c/bank").await;
        assert!(page.text("a.connection").contains("viewing only"));
        let xid = page.attribute(".entry", "data-xid");
        assert!(!admin.get(&format!("/c/bank/tx/{xid}")).await.html.contains("Undo"));
        for (url, fields) in [
            (
                format!("/c/bank/revert?act=undo-transaction&xid={xid}"),
                [("token", "x"), ("submission", "y")],
            ),
            ("/c/bank/storage/purge".to_owned(), [("keep", "1"), ("x", "")]),
            ("/c/bank/health/track".to_owned(), [("table", "public.account"), ("tracking", "off")]),
            ("/c/bank/install".to_owned(), [("x", ""), ("y", "")]),
        ] {
            let page = admin.post(&url, &fields).await;
            assert_eq!(page.status, 403, "{url}");
            assert!(page.text("main").contains("for viewing only"), "{url}: {}", page.text("main"));
        }
        database.remove().await;
    });
}

#[test]
fn only_admins_manage_connections() {
    on_site(async |site| {
        let (database, port) = (bank().await, port());
        let mut operator = site.signed_in(Role::Operator).await;
        assert_eq!(operator.get("/connections").await.status, 200);
        assert!(!operator.get("/connections").await.has("main form"));
        let action = with(&fields(&database, &port), "action", "test");
        assert_eq!(operator.post("/connections/new", &action).await.status, 403);
        assert_eq!(operator.get("/connections/new").await.status, 403);
        database.remove().await;
    });
}
