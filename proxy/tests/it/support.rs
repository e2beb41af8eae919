//! What the tests share: a running proxy, raw protocol peers, and measurements.

mod bench;
mod certificates;
mod memory;
mod messages;
mod program;
mod recorder;
mod scripted;
mod tls;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pgtrack_proxy::{
    Config, Control, Counters, Guard, ProbeRole, Provision, ProvisionError, Proxy, Role,
    ServerClock, SigningKey, SslMode, Upstream, UpstreamTls, Watch,
};
use pgtrack_testkit::{Database, Server, block_on, versions};
use pgtrack_tracker::calls::{AuditLog, Connecting, Spool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use bench::Bench;
pub(crate) use certificates::Certificates;
pub(crate) use memory::peak_growth;
pub(crate) use messages::*;
pub(crate) use program::{check_success, for_tools, program, psql, run};
pub(crate) use recorder::{Recorder, Recording};
pub(crate) use scripted::{READY, Scripted};
pub(crate) use tls::{TlsServer, tls_connector};
pub(crate) use wire::{Message, Wire, field};

/// A proxy that runs until it is dropped.
pub(crate) struct TestProxy {
    pub(crate) address: SocketAddr,
    pub(crate) counters: Arc<Counters>,
    pub(crate) control: Arc<Control>,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), pgtrack_proxy::Error>>,
}

impl TestProxy {
    /// Starts a proxy with default settings.
    pub(crate) async fn to(upstream: SocketAddr) -> Self {
        Self::with(config(upstream)).await
    }

    /// Starts a proxy in front of a shared server.
    pub(crate) async fn before(server: Server) -> Self {
        Self::to(server_address(server)).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::providing(config, |_database: String| async { Ok(None) }).await
    }

    pub(crate) async fn providing(config: Config, provision: impl Provision) -> Self {
        let proxy = Proxy::bind(config, Arc::new(provision)).await.unwrap();
        // Sessions are watched, as they are by default; where calls are recorded matters to other tests.
        let connect =
            |_database| -> Connecting { Box::pin(async { Err("there is no audit".into()) }) };
        let watch = Watch::start(AuditLog::start(connect, None).unwrap()).unwrap();
        Self::run(proxy.with_probe(Arc::new(probe)).with_watch(Arc::new(watch)))
    }

    /// Starts a proxy that learns the roles of servers in this way.
    pub(crate) async fn probing(config: Config, probe: impl ProbeRole) -> Self {
        let provision = |_database: String| async { Ok(None) };
        let proxy = Proxy::bind(config, Arc::new(provision)).await.unwrap();
        Self::run(proxy.with_probe(Arc::new(probe)))
    }

    fn run(proxy: Proxy) -> Self {
        let (address, counters) = (proxy.local_addresses()[0], proxy.counters());
        let control = proxy.control();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(proxy.run(shutdown.clone()));
        Self { address, counters, control, shutdown, running }
    }

    /// Starts a proxy that records calls, and keeps to these rules.
    /// It signs sessions of the database, so that the two records of a call can be taken together.
    pub(crate) async fn watching(database: &Database, guard: Guard, spool: Option<Spool>) -> Self {
        let config = Config { guard, ..config(server_address(database.server())) };
        let key = signing_key(&database.connect().await, 0).await;
        let proxy = Proxy::bind(config, Arc::new(with_key(key))).await.unwrap();
        let port = database.server().port();
        let connect = move |database: String| -> Connecting {
            Box::pin(async move {
                let url = format!("postgresql://postgres@127.0.0.1:{port}/{database}");
                let (client, connection) =
                    tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
                tokio::spawn(connection);
                Ok(client)
            })
        };
        let watch = Watch::start(AuditLog::start(connect, spool).unwrap()).unwrap();
        let proxy = Self::run(proxy.with_watch(Arc::new(watch)));
        proxy.signs(database.name()).await;
        proxy
    }

    /// Waits until it signs sessions: it learns the key when the database is first used.
    pub(crate) async fn signs(&self, database: &str) {
        within(Duration::from_secs(20), async {
            while context(&mut Wire::session(self.address, database).await).await.is_empty() {}
        })
        .await;
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@{}/{database}", self.address)
    }

    /// A session of `tokio-postgres` through the proxy.
    pub(crate) async fn connect(&self, database: &str) -> tokio_postgres::Client {
        pgtrack_testkit::connect(&self.url(database)).await
    }

    /// Asks it to shut down, as SIGTERM would.
    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Waits until it has shut down.
    pub(crate) async fn ended(&mut self) {
        within(Duration::from_secs(20), &mut self.running).await.unwrap().unwrap();
    }
}

impl Drop for TestProxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// The key of a database, for a proxy that takes the server's clock to be ahead by so much.
pub(crate) async fn signing_key(client: &tokio_postgres::Client, ahead_millis: i64) -> SigningKey {
    let key = pgtrack_tracker::proxy_key(client).await.unwrap();
    assert!(key.is_believed);
    SigningKey::new(&key.key, ServerClock::new(key.unix_millis + ahead_millis, key.read))
}

/// A database that is ready, with its key.
pub(crate) fn with_key(key: SigningKey) -> impl Provision {
    move |_database: String| {
        let key = key.clone();
        async move { Ok(Some(key)) }
    }
}

/// What a session was told to say about its client, with the signature; empty without one.
pub(crate) async fn context(session: &mut Wire) -> String {
    let context = session.value("SHOW pgtrack.ctx").await;
    if context.split(' ').count() == 6 { context } else { String::new() }
}

/// Asks a server for its role, as the superuser.
async fn probe(server: Upstream) -> Result<Role, ProvisionError> {
    let url = format!("postgresql://postgres@{}:{}/postgres", server.host, server.port);
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let sql = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean";
    let row = client.query_one(sql, &[]).await?;
    connection.abort();
    Ok(Role { is_standby: row.get(0), is_read_only: row.get(1) })
}

/// Settings for a proxy on a free port.
pub(crate) fn config(upstream: SocketAddr) -> Config {
    Config {
        listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()],
        upstream: Upstream { host: upstream.ip().to_string(), port: upstream.port() }.into(),
        // What stands in for a server in some tests knows no TLS.
        upstream_tls: UpstreamTls { mode: SslMode::Disable, ..UpstreamTls::default() },
        ..Config::default()
    }
}

/// Where a shared server listens.
pub(crate) fn server_address(server: Server) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, server.port()).into()
}

/// Runs a test body against the shared server of every version: for tests that leave no trace in a database.
pub(crate) fn on_each_server(body: impl AsyncFn(Server)) {
    for binaries in versions() {
        block_on(async { body(Server::shared(&binaries)).await });
    }
}

/// Fails the test when something takes too long.
pub(crate) async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, future).await.expect("it happens in time")
}

/// Waits until a query returns true, asking again and again.
pub(crate) async fn until_true(client: &tokio_postgres::Client, query: &str) {
    within(Duration::from_secs(20), async {
        while !client.query_one(query, &[]).await.unwrap().get::<_, bool>(0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
