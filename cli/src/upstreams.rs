//! The servers of the configuration: what their URLs mean to the proxy, and how we connect there ourselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pgtrack_connect::tls::UpstreamTls;
use pgtrack_connect::{Environment, Settings};
use pgtrack_proxy::{
    ProbeRole, Provision, Role, ServerClock, SessionAttrs, SigningKey, Target, Upstream,
};
use pgtrack_tracker::service;
use tokio_postgres::config::{Host, LoadBalanceHosts, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tracing::warn;

use crate::error::Error;

const DEFAULT_PORT: u16 = 5432;
const SUPERUSER: &str = "the upstream's role is a superuser, so whoever gets hold of this program is one, too; \
                         `pgtrack install --service-role NAME` makes a role with the rights that it needs";
const UPGRADE: &str = "pg_track is older there than this program; `pgtrack install` upgrades it, as a superuser or its owner";
const INSTALL_FIRST: &str = "; `pgtrack install --service-role NAME`, as a superuser, makes everything that this role needs there";

/// A database, or all that have no entry of their own.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// How we connect to it ourselves: to any of its servers that takes writes.
    pub(crate) settings: Settings,
    /// Where its sessions go.
    pub(crate) target: Target,
}

/// All upstreams.
#[derive(Debug, Clone)]
pub(crate) struct Upstreams {
    pub(crate) default: Database,
    pub(crate) named: BTreeMap<String, Database>,
}

impl Database {
    /// Reads a connection URL as libpq does (manual, "Connection URIs"). It may name several hosts, and leave the password
    /// to `PGPASSWORD` or a password file.
    pub(crate) fn parse(url: &str, environment: Environment<'_>) -> Result<Self, Error> {
        let failed = |reason: String| Error::UpstreamUrl { reason };
        let (url, session_attrs) = take_session_attrs(url)?;
        let mut settings =
            Settings::read_with_password(&url, environment).map_err(|error| match error {
                pgtrack_connect::Error::NoUser => failed("it names no user".into()),
                pgtrack_connect::Error::NoHost => failed("it names no host".into()),
                error => failed(error.to_string()),
            })?;
        for notice in &settings.notices {
            warn!("{notice}");
        }
        let servers = servers(&settings.config);
        let balances_load = settings.config.get_load_balance_hosts() == LoadBalanceHosts::Random;
        if servers.len() > 1 {
            settings.config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(Self { settings, target: Target { servers, session_attrs, balances_load } })
    }
}

/// Takes `target_session_attrs` out of a URL: our own connections do not know all of its values.
fn take_session_attrs(url: &str) -> Result<(String, SessionAttrs), Error> {
    let Some((place, parameters)) = url.split_once('?') else {
        return Ok((url.to_owned(), SessionAttrs::Any));
    };
    let mut session_attrs = SessionAttrs::Any;
    let mut kept = Vec::new();
    for parameter in parameters.split('&') {
        match parameter.strip_prefix("target_session_attrs=") {
            Some(value) => {
                session_attrs = value.parse().map_err(|reason| Error::UpstreamUrl { reason })?;
            }
            None => kept.push(parameter),
        }
    }
    Ok((format!("{place}?{}", kept.join("&")), session_attrs))
}

fn servers(settings: &tokio_postgres::Config) -> Vec<Upstream> {
    let ports = settings.get_ports();
    let port = |index| ports.get(index).or(ports.first()).copied().unwrap_or(DEFAULT_PORT);
    let hosts = settings.get_hosts().iter().enumerate();
    hosts
        .map(|(index, host)| {
            let host = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(directory) => directory.display().to_string(),
            };
            Upstream { host, port: port(index) }
        })
        .collect()
}

impl Upstreams {
    /// Encrypts our own connections as those of sessions.
    pub(crate) fn protect(&mut self, tls: &UpstreamTls) {
        for database in self.named.values_mut().chain([&mut self.default]) {
            database.settings.tls = tls.clone();
        }
    }

    /// How we connect to the database of this name.
    pub(crate) fn settings(&self, name: &str) -> Settings {
        let mut settings = self.named.get(name).unwrap_or(&self.default).settings.clone();
        settings.config.dbname(name).application_name("pgtrack");
        settings
    }

    /// How we connect to one server.
    fn settings_of_server(&self, server: &Upstream) -> Settings {
        let all = self.named.values().chain([&self.default]);
        let mut of_server = all.filter(|database| database.target.servers.contains(server));
        let known = &of_server.next().unwrap_or(&self.default).settings;
        let mut config = tokio_postgres::Config::new();
        config.host(&server.host).port(server.port).application_name("pgtrack");
        config.user(known.config.get_user().unwrap_or_default());
        config.dbname(known.config.get_dbname().unwrap_or_default());
        if let Some(password) = known.config.get_password() {
            config.password(password);
        }
        known.with_config(config)
    }

    /// What the proxy does when a database is first used: it installs pg_track there, and learns the key to sign with.
    pub(crate) fn provision(&self) -> Arc<dyn Provision> {
        let upstreams = self.clone();
        let is_warned = Arc::new(AtomicBool::new(false));
        let disbelieved = Arc::new(Mutex::new(BTreeSet::new()));
        Arc::new(move |name: String| {
            let settings = upstreams.settings(&name);
            let (is_warned, disbelieved) = (Arc::clone(&is_warned), Arc::clone(&disbelieved));
            async move {
                let mut client =
                    pgtrack_connect::connect(&settings).await.map_err(|error| chain(&error))?;
                if service::is_superuser(&client).await.unwrap_or_default()
                    && !is_warned.swap(true, Ordering::Relaxed)
                {
                    let role = settings.config.get_user().unwrap_or_default();
                    warn!(role, "{SUPERUSER}");
                }
                let older = service::prepare(&mut client).await.map_err(|error| {
                    let is_denied = error.sqlstate() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
                    format!("{}{}", error.chain(), if is_denied { INSTALL_FIRST } else { "" })
                })?;
                if let Some(version) = older {
                    warn!(database = name, version, "{UPGRADE}");
                }
                let key =
                    pgtrack_tracker::proxy_key(&client).await.map_err(|error| error.chain())?;
                let mut disbelieved = disbelieved.lock().unwrap_or_else(PoisonError::into_inner);
                // It is asked again and again, and said once.
                if !key.is_believed && disbelieved.insert(name.clone()) {
                    warn!(
                        database = name,
                        "sessions of other roles than {owner} are recorded without the client's address, because {owner} may \
                         not see when they begin: GRANT pg_read_all_stats TO {owner}",
                        owner = key.owner
                    );
                }
                let clock = ServerClock::new(key.unix_millis, key.read);
                Ok(Some(SigningKey::new(&key.key, clock)))
            }
        })
    }

    /// How the proxy asks servers for their roles.
    pub(crate) fn probe(&self) -> Arc<dyn ProbeRole> {
        let upstreams = self.clone();
        Arc::new(move |server: Upstream| {
            let settings = upstreams.settings_of_server(&server);
            async move {
                let client =
                    pgtrack_connect::connect(&settings).await.map_err(|error| chain(&error))?;
                let sql =
                    "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean";
                let row = client.query_one(sql, &[]).await?;
                Ok(Role { is_standby: row.get(0), is_read_only: row.get(1) })
            }
        })
    }
}

/// A failure with all its causes, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use pgtrack_connect::Environment;
    use pgtrack_proxy::SessionAttrs;

    use super::{Database, Error};

    fn parse(url: &str) -> Result<Database, Error> {
        Database::parse(url, Environment { variable: &|_| None })
    }

    #[test]
    fn a_url_names_hosts_and_what_they_must_be() {
        for (url, servers, session_attrs, balances_load) in [
            ("postgresql://ada@db/shop", "db:5432", SessionAttrs::Any, false),
            (
                "postgresql://ada:x@one:1,two:2/shop?target_session_attrs=prefer-standby&load_balance_hosts=random",
                "one:1,two:2",
                SessionAttrs::PreferStandby,
                true,
            ),
            (
                "postgresql://ada@%2Frun%2Fpostgresql/shop?connect_timeout=3&target_session_attrs=read-write",
                "/run/postgresql/.s.PGSQL.5432",
                SessionAttrs::ReadWrite,
                false,
            ),
        ] {
            let database = parse(url).unwrap();
            assert_eq!(database.target.to_string(), servers);
            assert_eq!(database.target.session_attrs, session_attrs);
            assert_eq!(database.target.balances_load, balances_load);
            assert_eq!(database.settings.config.get_dbname(), Some("shop"));
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said() {
        for (url, reason) in [
            ("postgresql://db/shop", "it names no user"),
            ("postgresql://ada@/shop", "it names no host"),
            (
                "postgresql://ada@db/shop?target_session_attrs=master",
                "target_session_attrs is none of",
            ),
        ] {
            let report = parse(url).unwrap_err().report();
            assert!(report.contains(reason), "{report}");
        }
    }
}
