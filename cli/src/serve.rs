//! `pgtrack serve`: the proxy and the dashboard for one database server.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use pgtrack_connect::Settings;
use pgtrack_dashboard::Dashboard;
use pgtrack_proxy::Proxy;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::args::ServeOptions;
use crate::config::Config;
use crate::error::Error;
use crate::follower::Follower;
use crate::monitor::{self, Watched};
use crate::{reload, systemd};

/// How long clients wait at the start for the database to be prepared.
pub(crate) const PREPARATION: Duration = Duration::from_secs(5);

/// Runs both until the program is asked to end.
pub(crate) async fn run(options: ServeOptions, shutdown: CancellationToken) -> Result<(), Error> {
    let config = Config::load(&options)?;
    allow_many_files();
    let upstreams = &config.upstreams;
    let database = &upstreams.default.settings;
    let follower = Follower::new(upstreams.clone(), config.follow_ddl);
    let provision = follower.after(upstreams.provision());
    let proxy = Proxy::bind(config.for_proxy(), provision).await?;
    let mut proxy = proxy.with_probe(upstreams.probe());
    if let Some(watch) = config.audit.start(upstreams, follower)? {
        proxy = proxy.with_watch(watch);
    }
    for address in proxy.local_addresses() {
        info!("proxy listens on {address}");
    }
    let watched = Arc::new(Watched {
        proxy: proxy.control(),
        is_reloaded: AtomicBool::new(true),
        shutdown: shutdown.clone(),
    });
    let monitor = CancellationToken::new();
    if let Some(listen) = config.monitor.listen {
        let address = monitor::start(listen, Arc::clone(&watched), monitor.clone()).await?;
        info!("metrics and health checks are on http://{address}");
    }
    let _monitor_ends = monitor.drop_guard();
    reload::on_request(options, watched)?;
    proxy.prepare(database.config.get_dbname().unwrap_or_default(), PREPARATION).await;
    let proxy = tokio::spawn(proxy.run(shutdown.clone()));

    let dashboard = Dashboard::start(pgtrack_dashboard::Config {
        listen: config.dashboard.listen,
        label: label(&database.config),
        database: database.clone(),
        slug: "main".into(),
        https: config.dashboard.https,
        allowed_hosts: config.dashboard.allowed_hosts()?,
        webhook_hosts: config.dashboard.webhook_hosts()?,
        public_url: config.dashboard.public_url()?,
        host_names: config.dashboard.host_names.clone(),
        keys: config.dashboard.keys()?,
        trusted_proxies: config.dashboard.trusted_proxies.clone(),
    })
    .await?;
    info!("dashboard listens on http://{}", dashboard.local_address());
    if let Some(setup) = dashboard.setup_url() {
        info!("nobody can log in yet; create the first user at {setup}");
    }
    track(database, &config.track).await;
    systemd::ready();
    dashboard.run(shutdown.clone()).await;
    systemd::stopping();
    proxy.await.map_err(|panic| Error::Runtime(panic.into()))??;
    Ok(())
}

/// Raises the limit on open files as far as we may: a session takes two.
fn allow_many_files() {
    match rlimit::increase_nofile_limit(rlimit::INFINITY) {
        Ok(limit) => debug!(limit, "open files"),
        Err(error) => warn!(%error, "could not raise the limit on open files"),
    }
}

/// Tracks the configured schemas. What cannot be tracked is reported, and no reason not to serve the rest.
async fn track(database: &Settings, schemas: &[String]) {
    if schemas.is_empty() {
        return;
    }
    match pgtrack_connect::connect(database).await {
        Ok(client) => {
            for schema in schemas {
                match pgtrack_tracker::track_schema(&client, schema).await {
                    Ok(1) => info!("1 table of schema {schema} is tracked"),
                    Ok(count) => info!("{count} tables of schema {schema} are tracked"),
                    Err(error) => warn!("{}", error.chain()),
                }
            }
        }
        Err(error) => warn!("{}", Error::from(error).report()),
    }
}

/// What the dashboard calls the database.
fn label(database: &tokio_postgres::Config) -> String {
    database.get_dbname().unwrap_or("database").to_owned()
}
