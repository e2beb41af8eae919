//! The configuration of `pgtrack serve`: a TOML file, overridden by the command line.

mod encryption;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use self::encryption::{ClientTls, Encryption, Scram, UpstreamTls};
use crate::args::ServeOptions;
use crate::error::Error;

/// What `pgtrack serve` was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// The database of the dashboard and, with another database name, of every session.
    pub(crate) upstream: String,
    pub(crate) proxy: Proxy,
    pub(crate) dashboard: Dashboard,
    pub(crate) encryption: Encryption,
    /// Schemas whose tables are tracked from the start.
    pub(crate) track: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Proxy {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) max_sessions: usize,
    pub(crate) connect_timeout_seconds: u64,
    pub(crate) startup_timeout_seconds: u64,
    pub(crate) drain_timeout_seconds: u64,
}

impl Default for Proxy {
    fn default() -> Self {
        let proxy = pgtrack_proxy::Config::default();
        Self {
            listen: proxy.listen,
            max_sessions: proxy.max_sessions,
            connect_timeout_seconds: proxy.connect_timeout.as_secs(),
            startup_timeout_seconds: proxy.startup_timeout.as_secs(),
            drain_timeout_seconds: proxy.drain_timeout.as_secs(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Dashboard {
    pub(crate) listen: SocketAddr,
    /// Whether people reach it by https, through a proxy that ends TLS.
    pub(crate) https: bool,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), https: false }
    }
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    upstream: Option<String>,
    track: Vec<String>,
    proxy: Proxy,
    client_tls: ClientTls,
    upstream_tls: UpstreamTls,
    scram: Scram,
    dashboard: Dashboard,
}

impl Config {
    /// Reads the file if there is one, and applies the command line.
    pub(crate) fn load(options: ServeOptions) -> Result<Self, Error> {
        let file = match &options.config {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| Error::ReadConfig { path: path.clone(), source })?;
                parse(&text, path)?
            }
            None => File::default(),
        };
        let mut config = Self {
            upstream: options.upstream.or(file.upstream).ok_or(Error::NoUpstream)?,
            proxy: file.proxy,
            dashboard: file.dashboard,
            encryption: Encryption {
                client_tls: file.client_tls,
                upstream_tls: file.upstream_tls,
                scram: file.scram,
            },
            track: file.track,
        };
        if let Some(listen) = options.listen {
            config.proxy.listen = vec![listen];
        }
        if let Some(listen) = options.dashboard {
            config.dashboard.listen = listen;
        }
        Ok(config)
    }
}

impl Proxy {
    /// The proxy's own configuration, for this upstream.
    pub(crate) fn with_upstream(&self, upstream: pgtrack_proxy::Upstream) -> pgtrack_proxy::Config {
        pgtrack_proxy::Config {
            listen: self.listen.clone(),
            upstream,
            startup_timeout: Duration::from_secs(self.startup_timeout_seconds),
            connect_timeout: Duration::from_secs(self.connect_timeout_seconds),
            drain_timeout: Duration::from_secs(self.drain_timeout_seconds),
            max_sessions: self.max_sessions,
            ..pgtrack_proxy::Config::default()
        }
    }
}

fn parse(text: &str, path: &Path) -> Result<File, Error> {
    toml::from_str(text).map_err(|error| {
        let mut message = error.to_string().trim_end().to_owned();
        if let Some(suggestion) = suggest(error.message()) {
            message = format!("{message}\nhint: did you mean `{suggestion}`?");
        }
        Error::Config { path: path.to_owned(), message }
    })
}

/// Finds the key that somebody meant, in serde's "unknown field `a`, expected one of `b`, `c`".
fn suggest(message: &str) -> Option<&str> {
    let mut names = message.strip_prefix("unknown field")?.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    names
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .filter(|(distance, name)| *distance <= name.len() / 2)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Config, File, parse};
    use crate::args::ServeOptions;

    fn report(text: &str) -> String {
        parse(text, Path::new("pgtrack.toml")).unwrap_err().report()
    }

    #[test]
    fn the_example_file_names_every_key_with_its_default() {
        let example = include_str!("../../config.example.toml");
        let uncommented = |line: &'static str| {
            line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line)
        };
        let all_keys = example.lines().map(uncommented).collect::<Vec<_>>().join("\n");
        let file = parse(&all_keys, Path::new("config.example.toml")).unwrap();
        let default = File::default();
        assert_eq!(file.proxy, default.proxy);
        assert_eq!(file.dashboard, default.dashboard);
        assert_eq!(file.client_tls, default.client_tls);
        assert_eq!(file.upstream_tls, default.upstream_tls);
        assert_eq!(file.scram, default.scram);
        assert!(file.upstream.is_some());
        for key in [
            "listen",
            "max_sessions",
            "connect_timeout_seconds",
            "startup_timeout_seconds",
            "drain_timeout_seconds",
            "mode",
            "negotiation",
            "verifiers",
            "https",
            "track",
        ] {
            assert!(all_keys.contains(&format!("\n{key} = ")), "{key}");
        }
        // Keys without a default show an example.
        for key in ["certificate", "key", "client_ca", "root", "file", "query"] {
            assert!(all_keys.contains(&format!("\n#{key} = ")), "{key}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_a_suggestion() {
        let report = report("upstream = \"postgresql://x\"\n[proxy]\nlisen = [\"127.0.0.1:1\"]\n");
        assert!(report.starts_with("pgtrack.toml: TOML parse error at line 3"), "{report}");
        assert!(report.contains("unknown field `lisen`"), "{report}");
        assert!(report.ends_with("hint: did you mean `listen`?"), "{report}");
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_place() {
        let report = report("[dashboard]\nlisten = \"here\"\n");
        assert!(report.contains("line 2") && report.contains("socket address"), "{report}");
    }

    #[test]
    fn the_command_line_wins_and_an_upstream_is_needed() {
        let options = |upstream: Option<&str>| ServeOptions {
            config: None,
            upstream: upstream.map(str::to_owned),
            listen: Some("127.0.0.1:7000".parse().unwrap()),
            dashboard: None,
        };
        let config = Config::load(options(Some("postgresql://h/d"))).unwrap();
        assert_eq!(config.proxy.listen, ["127.0.0.1:7000".parse().unwrap()]);
        assert_eq!(config.dashboard.listen.port(), 8080);
        assert!(
            Config::load(options(None)).unwrap_err().report().contains("hint: use `--upstream")
        );
    }
}
