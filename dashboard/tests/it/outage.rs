//! A database that is away: pages say so, and work again by themselves.

use std::time::{Duration, Instant};

use pgtrack_dashboard::{AllowedHosts, Error, KeyRing, Role};
use pgtrack_testkit::{block_on, newest, own_server};

use crate::support::{Browser, PASSWORD, on_site, start};

#[test]
fn pages_say_that_the_database_is_away_and_recover() {
    block_on(async {
        let mut server = own_server(&newest(), &[]);
        let dashboard = start(&server.url("postgres"), false).await;
        dashboard.create_account("ada", PASSWORD, Role::Admin).await.unwrap();
        let mut browser = Browser::new(dashboard.state());
        browser.log_in("ada").await;
        let cursor = browser.get("/c/shop").await.attribute("#feed", "data-cursor");
        let mut stream = browser.listen(&cursor, None).await;

        server.stop().unwrap();
        for url in ["/c/shop", "/c/shop/tables", "/c/shop/tx/1"] {
            let page = browser.get(url).await;
            assert_eq!(page.status, 503, "{url}");
            assert_eq!(page.text("h1"), "The database is not available");
            assert!(
                page.text("main").contains("cannot use its database:"),
                "{}",
                page.text("main")
            );
            assert!(!page.html.contains("127.0.0.1"), "nothing is given away");
        }
        assert_eq!(
            browser.post("/login", &[("name", "ada"), ("password", PASSWORD)]).await.status,
            503
        );
        assert_eq!(browser.get("/healthz").await.status, 200);
        assert_eq!(browser.get("/login").await.status, 200);

        server.start_again().unwrap();
        let start = Instant::now();
        while browser.get("/c/shop").await.status != 200 {
            assert!(start.elapsed() < Duration::from_secs(10), "it recovers");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The stream was open all the time and goes on.
        let client = pgtrack_testkit::connect(&server.url("postgres")).await;
        client
            .batch_execute(
                "CREATE TABLE public.t (id int PRIMARY KEY); SELECT FROM pgtrack.track('public.t');
                 INSERT INTO public.t VALUES (1)",
            )
            .await
            .unwrap();
        let event = stream.next().await.unwrap();
        assert!(event.data.contains("public.t"), "{}", event.data);
    });
}

#[test]
fn a_database_that_is_away_at_the_start_is_waited_for() {
    block_on(async {
        let mut server = own_server(&newest(), &[]);
        server.stop().unwrap();
        let dashboard = start(&server.url("postgres"), false).await;
        let mut browser = Browser::new(dashboard.state());
        assert!(dashboard.setup_url().is_some());
        let created = dashboard.set_admin("ada", PASSWORD).await;
        assert!(
            matches!(created, Err(Error::Unavailable { .. } | Error::Prepare(_))),
            "{created:?}"
        );

        server.start_again().unwrap();
        dashboard.set_admin("ada", PASSWORD).await.unwrap();
        browser.log_in("ada").await;
        assert_eq!(browser.get("/c/shop").await.status, 200);
    });
}

#[test]
fn a_database_that_refuses_is_a_clear_error() {
    on_site(async |site| {
        let start = async |url: String| {
            let config = pgtrack_dashboard::Config {
                listen: ([127, 0, 0, 1], 0).into(),
                database: url.parse().unwrap(),
                slug: "x".to_owned(),
                label: "x".to_owned(),
                https: false,
                allowed_hosts: AllowedHosts::default(),
                webhook_hosts: AllowedHosts::default(),
                public_url: None,
                host_names: Vec::new(),
                keys: KeyRing::default(),
                trusted_proxies: Vec::new(),
            };
            pgtrack_dashboard::Dashboard::start(config).await.unwrap_err()
        };
        let missing = site.database.url().replace(site.database.name(), "no_such_database");
        let Error::Prepare(error) = start(missing).await else { panic!("another error") };
        assert!(error.chain().contains("no_such_database"), "{}", error.chain());

        let client = site.client().await;
        client
            .batch_execute(
                "DROP SCHEMA pgtrack_dashboard CASCADE;
                 CREATE ROLE mallory LOGIN; CREATE SCHEMA pgtrack_dashboard AUTHORIZATION mallory",
            )
            .await
            .unwrap();
        let Error::Prepare(error) = start(site.database.url()).await else {
            panic!("another error")
        };
        assert!(error.chain().contains("belongs to somebody else"), "{}", error.chain());
        client.batch_execute("DROP SCHEMA pgtrack_dashboard; DROP ROLE mallory").await.unwrap();
    });
}

#[test]
fn an_address_that_is_taken_is_a_clear_error() {
    on_site(async |site| {
        let config = pgtrack_dashboard::Config {
            listen: site.dashboard.local_address(),
            database: site.database.url().parse().unwrap(),
            slug: "x".to_owned(),
            label: "x".to_owned(),
            https: false,
            allowed_hosts: AllowedHosts::default(),
            webhook_hosts: AllowedHosts::default(),
            public_url: None,
            host_names: Vec::new(),
            keys: KeyRing::default(),
            trusted_proxies: Vec::new(),
        };
        let error = pgtrack_dashboard::Dashboard::start(config).await.unwrap_err();
        assert!(matches!(error, Error::Listen { .. }), "{error}");
    });
}
