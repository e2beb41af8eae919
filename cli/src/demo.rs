//! `pgtrack demo`: the whole idea at work on a private PostgreSQL, with nothing to prepare and nothing left behind.

mod shop;
mod traffic;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pgtrack_cluster::{Binaries, Cluster, ClusterOptions};
use pgtrack_connect::Settings;
use pgtrack_connect::tls::{SslMode, UpstreamTls};
use pgtrack_dashboard::{AllowedHosts, Dashboard, KeyRing};
use pgtrack_proxy::{Proxy, Upstream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::args::DemoOptions;
use crate::error::Error;
use crate::serve::PREPARATION;
use crate::upstreams::{Database, Upstreams};

const PROXY_PORT: u16 = 6432;
const DASHBOARD_PORT: u16 = 8080;

/// Runs the demo until the program is asked to end.
pub(crate) async fn run(options: DemoOptions, shutdown: CancellationToken) -> Result<(), Error> {
    let binaries = Binaries::find(options.pg_bindir.as_deref())?;
    say(&format!("Starting a private PostgreSQL {} …", binaries.major()));
    let cluster_options = ClusterOptions {
        keep: options.data_dir.is_some(),
        directory: options.data_dir,
        ..ClusterOptions::default()
    };
    let starting = tokio::task::spawn_blocking(move || Cluster::start(&binaries, cluster_options));
    let cluster = starting.await.map_err(|panic| Error::Runtime(panic.into()))??;
    let is_new = shop::create_database(&cluster).await?;
    let database = shop::database(&cluster);

    let proxy = bind_proxy(options.listen, &cluster, &database).await?;
    let proxy_address = proxy.local_addresses()[0];
    let tasks = TaskTracker::new();
    proxy.prepare(database.get_dbname().unwrap_or_default(), PREPARATION).await;
    tasks.spawn(proxy.run(shutdown.clone()));
    let dashboard = start_dashboard(options.dashboard, &database).await?;
    let password = password();
    dashboard.set_admin("admin", &password).await?;
    if is_new {
        shop::open(proxy_address).await?;
    }
    if !options.no_traffic {
        traffic::start(proxy_address, &tasks, &shutdown);
    }
    announce(proxy_address, dashboard.local_address(), &password);

    dashboard.run(shutdown).await;
    say("Stopping …");
    tasks.close();
    tasks.wait().await;
    // Stops the server and removes its directory, which takes a moment.
    let stopping = tokio::task::spawn_blocking(move || drop(cluster));
    stopping.await.map_err(|panic| Error::Runtime(panic.into()))
}

async fn bind_proxy(
    listen: Option<SocketAddr>,
    cluster: &Cluster,
    database: &tokio_postgres::Config,
) -> Result<Proxy, Error> {
    let config = |address: SocketAddr| pgtrack_proxy::Config {
        listen: vec![address.into()],
        upstream: Upstream { host: Ipv4Addr::LOCALHOST.to_string(), port: cluster.port() }.into(),
        drain_timeout: Duration::from_secs(1),
        ..pgtrack_proxy::Config::default()
    };
    let upstreams = Upstreams {
        default: Database { settings: settings(database), target: config(local(0)).upstream },
        named: BTreeMap::new(),
    };
    let wanted = listen.unwrap_or_else(|| local(PROXY_PORT));
    match Proxy::bind(config(wanted), upstreams.provision()).await {
        // Somebody else has the usual port; nobody asked for it by name.
        Err(pgtrack_proxy::Error::Listen { .. }) if listen.is_none() => {
            Ok(Proxy::bind(config(local(0)), upstreams.provision()).await?)
        }
        result => Ok(result?),
    }
}

async fn start_dashboard(
    listen: Option<SocketAddr>,
    database: &tokio_postgres::Config,
) -> Result<Dashboard, Error> {
    let config = |listen| pgtrack_dashboard::Config {
        listen,
        database: settings(database),
        slug: "shop".into(),
        label: "Demo shop".into(),
        https: false,
        allowed_hosts: own_server(database),
        webhook_hosts: AllowedHosts::default(),
        public_url: None,
        host_names: Vec::new(),
        keys: KeyRing::default(),
        trusted_proxies: Vec::new(),
    };
    let wanted = listen.unwrap_or_else(|| local(DASHBOARD_PORT));
    match Dashboard::start(config(wanted)).await {
        Err(pgtrack_dashboard::Error::Listen { .. }) if listen.is_none() => {
            Ok(Dashboard::start(config(local(0))).await?)
        }
        result => Ok(result?),
    }
}

/// How we connect; the private server has no TLS.
fn settings(database: &tokio_postgres::Config) -> Settings {
    let tls = UpstreamTls { mode: SslMode::Disable, ..UpstreamTls::default() };
    Settings { config: database.clone(), tls, notices: Vec::new() }
}

/// The private server itself, so that its other databases can be added, too.
fn own_server(database: &tokio_postgres::Config) -> AllowedHosts {
    let hosts = database.get_ports().iter().map(|port| format!("127.0.0.1:{port}"));
    hosts.filter_map(|host| host.parse().ok()).collect()
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Says where everything is, for people and, by the first word of each line, for scripts.
fn announce(proxy: SocketAddr, dashboard: SocketAddr, password: &str) {
    let url = shop::url(proxy);
    say(&format!(
        "
proxy      {url}
dashboard  http://{dashboard}
login      admin / {password}

Make a mistake, see who did what, and take it back:

psql '{url}' -c \"UPDATE products SET price = 0\"
psql '{url}' -c \"SELECT xid, at, who, application, tables, row_count, query FROM pgtrack.log(5)\"
psql '{url}' -c \"SELECT * FROM pgtrack.undo_last(on_conflict => 'merge')\"

Ctrl-C stops everything."
    ));
}

fn say(text: &str) {
    // Where standard output is closed there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A password for this run, from the system's random numbers.
fn password() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let random = || RandomState::new().hash_one(0);
    // So long that no half of it looks like a word or a row of the same digits to whoever checks passwords.
    format!("{:016x}{:016x}", random(), random().rotate_left(32))
}
