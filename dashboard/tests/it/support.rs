//! A dashboard over a database with a small shop in it, and browsers to visit it with.

// Named in full, so that the crate's own tests can use them, too.
#[path = "support/browser.rs"]
mod browser;
#[path = "support/hook.rs"]
mod hook;
#[path = "support/log.rs"]
mod log;
#[path = "support/page.rs"]
mod page;
#[path = "support/stream.rs"]
mod stream;

use std::sync::Arc;

use pgtrack_dashboard::{AllowedHosts, AppState, Config, Dashboard, KeyRing, Role};
use pgtrack_testkit::{Database, Server, block_on, newest};
use tokio_postgres::Client;

pub(crate) use browser::{Browser, encode};
pub(crate) use hook::Hook;
pub(crate) use log::Log;
pub(crate) use page::Page;
pub(crate) use stream::Stream;

/// Good enough for everybody here.
pub(crate) const PASSWORD: &str = "correct horse battery";

const SHOP: &str = include_str!("support/shop.sql");

/// A dashboard and its database.
pub(crate) struct Site {
    pub(crate) database: Database,
    pub(crate) state: Arc<AppState>,
    pub(crate) dashboard: Dashboard,
}

/// Runs a test body against a dashboard of its own.
pub(crate) fn on_site(body: impl AsyncFnOnce(&Site)) {
    block_on(async {
        let server = Server::shared(&newest());
        let database = server.database_like("dashboard_template", prepare).await;
        let dashboard = start(&database.url(), false).await;
        let site = Site { database: database.clone(), state: dashboard.state(), dashboard };
        body(&site).await;
        drop(site);
        database.remove().await;
    });
}

/// Starts a dashboard on a free port.
pub(crate) async fn start(url: &str, https: bool) -> Dashboard {
    let config = Config { https, ..config(url) };
    Dashboard::start(config).await.unwrap_or_else(|error| panic!("{error:?}"))
}

/// How the dashboards of the tests are configured.
pub(crate) fn config(url: &str) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        database: url.parse().expect("the URL is valid"),
        slug: "shop".to_owned(),
        label: "The shop".to_owned(),
        https: false,
        allowed_hosts: allowed_hosts(),
        webhook_hosts: AllowedHosts::default(),
        public_url: None,
        host_names: Vec::new(),
        keys: KeyRing::new([[7; 32]]),
        trusted_proxies: Vec::new(),
    }
}

/// The server that the tests use, and the usual ports beside it.
fn allowed_hosts() -> AllowedHosts {
    let server = format!("127.0.0.1:{}", Server::shared(&newest()).port());
    ["127.0.0.1", &server].map(|host| host.parse().expect("it is an address")).into_iter().collect()
}

async fn prepare(database: Database) {
    let mut client = database.connect().await;
    pgtrack_tracker::install(&mut client).await.unwrap_or_else(|error| panic!("{}", error.chain()));
    client.batch_execute(SHOP).await.expect("the shop can be created");
}

impl Site {
    /// A browser that nobody has signed in with.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.state.clone())
    }

    /// A browser of somebody with this role, whose name is the role's word.
    pub(crate) async fn signed_in(&self, role: Role) -> Browser {
        self.dashboard
            .create_account(role.word(), PASSWORD, role)
            .await
            .expect("the account can be created");
        let mut browser = self.browser();
        browser.log_in(role.word()).await;
        browser
    }

    /// A session with the database.
    pub(crate) async fn client(&self) -> Client {
        self.database.connect().await
    }

    /// Runs statements in one transaction and returns its id.
    pub(crate) async fn run(&self, sql: &str) -> i64 {
        run(&self.client().await, sql).await
    }

    /// The first column of the first row of a query, as text.
    pub(crate) async fn value(&self, query: &str) -> String {
        let client = self.client().await;
        let row = client.query_one(query, &[]).await.unwrap_or_else(|error| panic!("{error:?}"));
        row.get(0)
    }
}

/// Runs statements in one transaction of this session and returns its id.
pub(crate) async fn run(client: &Client, sql: &str) -> i64 {
    client
        .batch_execute(&format!("BEGIN; {sql}"))
        .await
        .unwrap_or_else(|error| panic!("{error:?}\n{sql}"));
    let row =
        client.query_one("SELECT pg_current_xact_id()::text", &[]).await.expect("it can be read");
    client.batch_execute("COMMIT").await.expect("it can be committed");
    row.get::<_, String>(0).parse().expect("it is a number")
}

/// A URL that a route's pattern matches.
pub(crate) fn example(pattern: &str) -> String {
    pattern
        .replace("{connection}", "shop")
        .replace("{file}", "app.css")
        .replace("{xid}", "1")
        .replace("{slug}", "bank")
        .replace("{id}", "1")
        .replace("{table}", "shop.users")
        .replace("{key}", "%7B%22id%22:1%7D")
}
