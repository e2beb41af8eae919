//! `pgtrack serve`: the proxy and the dashboard for one database server.

use std::sync::Arc;

use pgtrack_dashboard::Dashboard;
use pgtrack_proxy::{Provision, Proxy, Upstream};
use tokio_postgres::config::Host;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::args::ServeOptions;
use crate::config::Config;
use crate::error::Error;

/// Runs both until the program is asked to end.
pub(crate) async fn run(options: ServeOptions, shutdown: CancellationToken) -> Result<(), Error> {
    let config = Config::load(options)?;
    let database = parse_url(&config.upstream)?;
    let proxy = config.proxy.with_upstream(upstream_of(&database)?);
    let apply = config.encryption.apply(proxy, &database);
    let proxy = apply.map_err(|message| Error::Setting { message })?;
    let proxy = Proxy::bind(proxy, provision(&database)).await?;
    for address in proxy.local_addresses() {
        info!("proxy listens on {address}");
    }
    let proxy = tokio::spawn(proxy.run(shutdown.clone()));

    let dashboard = Dashboard::start(pgtrack_dashboard::Config {
        listen: config.dashboard.listen,
        label: label(&database),
        database: database.clone(),
        slug: "main".into(),
        https: config.dashboard.https,
    })
    .await?;
    info!("dashboard listens on http://{}", dashboard.local_address());
    if let Some(setup) = dashboard.setup_url() {
        info!("nobody can log in yet; create the first user at {setup}");
    }
    track(&database, &config.track).await;
    dashboard.run(shutdown.clone()).await;
    // A panicked proxy has reported itself; there is nothing left to wait for.
    let _ = proxy.await;
    Ok(())
}

/// What the proxy does when a database is first used: it installs pg_track there.
pub(crate) fn provision(database: &tokio_postgres::Config) -> Arc<dyn Provision> {
    let database = database.clone();
    Arc::new(move |name: String| {
        let mut target = database.clone();
        target.dbname(name).application_name("pgtrack");
        async move {
            pgtrack_tracker::ensure_installed(&target).await.map_err(|error| error.chain())?;
            Ok(())
        }
    })
}

/// Tracks the configured schemas. What cannot be tracked is reported, and no reason not to serve the rest.
async fn track(database: &tokio_postgres::Config, schemas: &[String]) {
    if schemas.is_empty() {
        return;
    }
    match pgtrack_tracker::connect(database).await {
        Ok(client) => {
            for schema in schemas {
                match pgtrack_tracker::track_schema(&client, schema).await {
                    Ok(count) => info!("{count} tables of schema {schema} are tracked"),
                    Err(error) => warn!("{}", error.chain()),
                }
            }
        }
        Err(error) => warn!("{}", error.chain()),
    }
}

/// Reads a connection URL that names a host.
fn parse_url(url: &str) -> Result<tokio_postgres::Config, Error> {
    let mut config: tokio_postgres::Config = url
        .parse()
        .map_err(|error: tokio_postgres::Error| Error::UpstreamUrl { reason: error.to_string() })?;
    if config.get_user().is_none() {
        return Err(Error::UpstreamUrl { reason: "it names no user".into() });
    }
    if config.get_dbname().is_none() {
        let user = config.get_user().unwrap_or_default().to_owned();
        config.dbname(user);
    }
    Ok(config)
}

/// The server of a connection URL, as the proxy dials it.
pub(crate) fn upstream_of(database: &tokio_postgres::Config) -> Result<Upstream, Error> {
    let host = match database.get_hosts() {
        [Host::Tcp(name)] => name.clone(),
        [Host::Unix(directory)] => directory.display().to_string(),
        [] => return Err(Error::UpstreamUrl { reason: "it names no host".into() }),
        _ => return Err(Error::UpstreamUrl { reason: "it names more than one host".into() }),
    };
    Ok(Upstream { host, port: database.get_ports().first().copied().unwrap_or(5432) })
}

/// What the dashboard calls the database.
fn label(database: &tokio_postgres::Config) -> String {
    database.get_dbname().unwrap_or("database").to_owned()
}
