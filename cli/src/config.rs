//! The configuration of `pgtrack serve`: a TOML file, overridden by environment variables and the command line.

mod dashboard;
mod encryption;
mod environment;
mod proxy;
mod refusal;
mod watch;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use pgtrack_connect::Environment;
use serde::Deserialize;

use self::encryption::{ClientTls, Encryption, Scram, UpstreamTls};
pub(crate) use self::proxy::Proxy;
use self::refusal::refused;
pub(crate) use self::refusal::without_secrets;
use self::watch::{Audit, GuardRail, Policy};
use crate::args::ServeOptions;
use crate::error::Error;
use crate::upstreams::{Database, Upstreams};
pub(crate) use dashboard::Dashboard;

/// What `pgtrack serve` was told.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The database of the dashboard and where sessions go, and the databases that are elsewhere.
    pub(crate) upstreams: Upstreams,
    pub(crate) proxy: Proxy,
    pub(crate) dashboard: Dashboard,
    pub(crate) monitor: Monitor,
    pub(crate) encryption: Encryption,
    pub(crate) audit: Audit,
    guard: Vec<GuardRail>,
    policy: Vec<Policy>,
    /// Schemas whose tables are tracked from the start.
    pub(crate) track: Vec<String>,
    /// How often tables are looked at where no event trigger tells what becomes of them.
    pub(crate) follow_ddl: Duration,
}

/// In seconds.
const FOLLOW_DDL: u32 = 60;

/// Metrics and health checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Monitor {
    /// Nowhere unless it is said.
    pub(crate) listen: Option<SocketAddr>,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    upstream: Option<String>,
    databases: BTreeMap<String, String>,
    track: Vec<String>,
    follow_ddl_seconds: Option<u32>,
    proxy: Proxy,
    client_tls: ClientTls,
    upstream_tls: UpstreamTls,
    scram: Scram,
    dashboard: Dashboard,
    monitor: Monitor,
    audit: Audit,
    guard: Vec<GuardRail>,
    policy: Vec<Policy>,
}

impl Config {
    /// Reads the file if there is one, and applies the environment and the command line.
    pub(crate) fn load(options: &ServeOptions) -> Result<Self, Error> {
        let text = match &options.config {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|source| Error::ReadConfig { path: path.clone(), source })?,
            None => String::new(),
        };
        let path = options.config.as_deref().unwrap_or(Path::new("configuration"));
        Self::assemble(&text, path, options, environment_variables())
    }

    fn assemble(
        text: &str,
        path: &Path,
        options: &ServeOptions,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        // First as it is, for errors that name its lines.
        parse(text, path)?;
        let variables: BTreeMap<String, String> = variables.into_iter().collect();
        let mut table = text.parse().unwrap_or_default();
        environment::apply(&mut table, &variables);
        let file = File::deserialize(table)
            .map_err(|error| refused(Path::new("environment"), "", &error))?;

        let url = options.upstream.as_ref().or(file.upstream.as_ref()).ok_or(Error::NoUpstream)?;
        let variable = |name: &str| variables.get(name).cloned();
        let database = |url: &str| Database::parse(url, Environment { variable: &variable });
        let named = file.databases.iter();
        let named = named.map(|(name, url)| Ok((name.clone(), database(url)?)));
        let mut upstreams =
            Upstreams { default: database(url)?, named: named.collect::<Result<_, Error>>()? };
        let File {
            track,
            follow_ddl_seconds,
            mut proxy,
            mut dashboard,
            monitor,
            client_tls,
            upstream_tls,
            scram,
            audit,
            guard,
            policy,
            ..
        } = file;
        scram.check()?;
        // What a URL says about TLS goes for those who have no section about it.
        let upstream_tls = if upstream_tls == UpstreamTls::default() {
            upstreams.default.settings.tls.clone()
        } else {
            upstream_tls.settings()
        };
        upstreams.protect(&upstream_tls);
        let encryption = Encryption { client_tls, upstream_tls, scram };
        if let Some(listen) = options.listen {
            proxy.listen = vec![listen.into()];
        }
        if let Some(listen) = options.dashboard {
            dashboard.listen = listen;
        }
        let follow_ddl = Duration::from_secs(follow_ddl_seconds.unwrap_or(FOLLOW_DDL).into());
        Ok(Self {
            upstreams,
            proxy,
            dashboard,
            monitor,
            encryption,
            audit,
            guard,
            policy,
            track,
            follow_ddl,
        })
    }
}

impl Config {
    /// What the proxy is to do.
    pub(crate) fn for_proxy(&self) -> pgtrack_proxy::Config {
        let config = self.proxy.with_upstreams(&self.upstreams);
        let config = self.encryption.apply(config, &self.upstreams.default.settings.config);
        pgtrack_proxy::Config { guard: watch::guard(&self.guard, &self.policy), ..config }
    }
}

fn environment_variables() -> impl Iterator<Item = (String, String)> {
    let text = |variable: (std::ffi::OsString, std::ffi::OsString)| {
        Some((variable.0.into_string().ok()?, variable.1.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text)
}

fn parse(text: &str, path: &Path) -> Result<File, Error> {
    toml::from_str(text).map_err(|error| refused(path, text, &error))
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
