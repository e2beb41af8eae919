//! The table `[proxy]`.

use std::time::Duration;

use ipnet::IpNet;
use pgtrack_proxy::{ListenAddress, ListenOptions, Liveness, SessionLimits};
use serde::{Deserialize, Deserializer};

use crate::upstreams::Upstreams;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_field_names, reason = "the PROXY protocol is called so")]
pub(crate) struct Proxy {
    #[serde(deserialize_with = "parsed_list")]
    pub(crate) listen: Vec<ListenAddress>,
    pub(crate) reuse_port: bool,
    #[serde(deserialize_with = "octal")]
    pub(crate) unix_socket_mode: u32,
    #[serde(deserialize_with = "parsed_list")]
    pub(crate) proxy_protocol_from: Vec<IpNet>,
    pub(crate) threads: usize,
    pub(crate) max_sessions: usize,
    /// 0 is no limit.
    pub(crate) max_sessions_per_database: usize,
    /// 0 is no limit.
    pub(crate) max_sessions_per_user: usize,
    pub(crate) connect_timeout_seconds: u64,
    pub(crate) startup_timeout_seconds: u64,
    pub(crate) drain_timeout_seconds: u64,
    pub(crate) keepalive_idle_seconds: u64,
    pub(crate) keepalive_interval_seconds: u64,
    pub(crate) keepalive_count: u32,
    pub(crate) user_timeout_seconds: u64,
}

impl Default for Proxy {
    fn default() -> Self {
        let proxy = pgtrack_proxy::Config::default();
        Self {
            listen: proxy.listen,
            reuse_port: proxy.listen_options.reuse_port,
            unix_socket_mode: proxy.listen_options.unix_socket_mode,
            proxy_protocol_from: proxy.proxy_protocol_from,
            threads: proxy.threads,
            max_sessions: proxy.limits.max_sessions,
            max_sessions_per_database: 0,
            max_sessions_per_user: 0,
            connect_timeout_seconds: proxy.connect_timeout.as_secs(),
            startup_timeout_seconds: proxy.startup_timeout.as_secs(),
            drain_timeout_seconds: proxy.drain_timeout.as_secs(),
            keepalive_idle_seconds: proxy.liveness.keepalive_idle.as_secs(),
            keepalive_interval_seconds: proxy.liveness.keepalive_interval.as_secs(),
            keepalive_count: proxy.liveness.keepalive_count,
            user_timeout_seconds: proxy.liveness.user_timeout.as_secs(),
        }
    }
}

impl Proxy {
    /// The proxy's own configuration, for these upstreams.
    pub(crate) fn with_upstreams(&self, upstreams: &Upstreams) -> pgtrack_proxy::Config {
        let limit = |count: usize| if count == 0 { usize::MAX } else { count };
        let named = upstreams.named.iter();
        pgtrack_proxy::Config {
            listen: self.listen.clone(),
            listen_options: ListenOptions {
                reuse_port: self.reuse_port,
                unix_socket_mode: self.unix_socket_mode,
            },
            threads: self.threads,
            upstream: upstreams.default.target.clone(),
            databases: named.map(|(name, each)| (name.clone(), each.target.clone())).collect(),
            liveness: Liveness {
                keepalive_idle: Duration::from_secs(self.keepalive_idle_seconds),
                keepalive_interval: Duration::from_secs(self.keepalive_interval_seconds),
                keepalive_count: self.keepalive_count,
                user_timeout: Duration::from_secs(self.user_timeout_seconds),
            },
            proxy_protocol_from: self.proxy_protocol_from.clone(),
            startup_timeout: Duration::from_secs(self.startup_timeout_seconds),
            connect_timeout: Duration::from_secs(self.connect_timeout_seconds),
            drain_timeout: Duration::from_secs(self.drain_timeout_seconds),
            limits: SessionLimits {
                max_sessions: self.max_sessions,
                max_sessions_per_database: limit(self.max_sessions_per_database),
                max_sessions_per_user: limit(self.max_sessions_per_user),
            },
            ..pgtrack_proxy::Config::default()
        }
    }
}

/// Reads a list of texts, or one text with commas, as an environment variable has it.
fn parsed_list<'de, D, T>(value: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a list of texts")]
    enum Texts {
        One(String),
        Many(Vec<String>),
    }
    let texts = match Texts::deserialize(value)? {
        Texts::One(text) => text.split(',').map(|each| each.trim().to_owned()).collect(),
        Texts::Many(texts) => texts,
    };
    let parse = |text: &String| {
        text.parse().map_err(|error| serde::de::Error::custom(format!("`{text}`: {error}")))
    };
    texts.iter().map(parse).collect()
}

/// Reads file permissions as `chmod` does.
fn octal<'de, D: Deserializer<'de>>(value: D) -> Result<u32, D::Error> {
    let text = String::deserialize(value)?;
    u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o777).ok_or_else(|| {
        serde::de::Error::custom(format!(
            "`{text}` is no mode: write octal digits such as \"0770\""
        ))
    })
}
