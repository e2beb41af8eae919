//! Where to connect to, and how: read as libpq reads it (manual, "Database Connection Control Functions").

mod keywords;
mod password_file;
mod service;
mod text;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{
    ChannelBinding, LoadBalanceHosts, SslNegotiation as DriverNegotiation, TargetSessionAttrs,
};

use crate::Error;
use crate::client::describe;
use crate::driver::driver_mode;
use crate::tls::{RootCertificates, SslMode, SslNegotiation, UpstreamTls};
use keywords::Keywords;

/// The environment variables of the program, and nothing else of its surroundings.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Looks a variable up.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Environment<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn in_home(&self, path: &str) -> Option<PathBuf> {
        Some(PathBuf::from(self.get("HOME")?).join(path))
    }
}

/// How a server is connected to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the driver is told.
    pub config: Config,
    /// How the way is protected.
    pub tls: UpstreamTls,
    /// What the person should know, such as a password file that is not used because others may read it.
    pub notices: Vec<String>,
}

impl Settings {
    /// Reads a connection URL, `keyword=value` pairs, or the name of a database, and completes it from a service
    /// file, from PG* variables and the password file. An empty text leaves everything to these.
    ///
    /// # Errors
    /// When something is said that cannot be understood, or no user is known.
    pub fn read(text: &str, environment: Environment<'_>) -> Result<Self, Error> {
        let mut keywords = text::parse(text)?;
        keywords.complete(environment)?;
        let mut notices = Vec::new();
        if keywords.get("password").is_none() {
            let found = password_file::look_up(&keywords, environment, &mut notices);
            if let Some(password) = found {
                keywords.set("password", password);
            }
        }
        let tls = tls(&keywords, environment)?;
        Ok(Self { config: config(&keywords, &tls)?, tls, notices })
    }

    /// Reads a connection URL or `keyword=value` pairs as [`FromStr`] does. Where they have no password, it is that of
    /// `PGPASSWORD` or of the password file.
    ///
    /// # Errors
    /// When something is said that cannot be understood, or no user or host is named.
    pub fn read_with_password(text: &str, environment: Environment<'_>) -> Result<Self, Error> {
        let mut keywords = text::parse(text)?;
        let mut notices = Vec::new();
        if keywords.get("password").is_none()
            && let Some(password) = keywords.password_elsewhere(environment, &mut notices)
        {
            keywords.set("password", password);
        }
        Ok(Self { notices, ..Self::of(&keywords)? })
    }

    /// Whether a connection URL or `keyword=value` pairs say a password.
    pub fn names_password(text: &str) -> bool {
        text::parse(text).is_ok_and(|keywords| keywords.get("password").is_some())
    }

    /// What was said and nothing else.
    fn of(keywords: &Keywords) -> Result<Self, Error> {
        let environment = Environment { variable: &|_| None };
        let tls = tls(keywords, environment)?;
        let config = config(keywords, &tls)?;
        if config.get_hosts().is_empty() {
            return Err(Error::NoHost);
        }
        Ok(Self { config, tls, notices: Vec::new() })
    }

    /// The same way to another database or server.
    #[must_use]
    pub fn with_config(&self, config: Config) -> Self {
        Self { config, ..self.clone() }
    }
}

/// Reads a connection URL or `keyword=value` pairs, and adds nothing to what they say.
impl FromStr for Settings {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::of(&text::parse(text)?)
    }
}

/// For people, without the password.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(&self.config))
    }
}

fn config(keywords: &Keywords, tls: &UpstreamTls) -> Result<Config, Error> {
    let mut config = Config::new();
    let addresses: Vec<&str> = keywords.list("hostaddr");
    for (index, host) in keywords.list("host").into_iter().enumerate() {
        config.host(host);
        if let Some(address) = addresses.get(index) {
            let expected = "it is a numeric address";
            let parsed = address.parse();
            config.hostaddr(parsed.map_err(|_| value("hostaddr", address, expected))?);
        }
    }
    for port in keywords.list("port") {
        config.port(port.parse().map_err(|_| value("port", port, "it is a number up to 65535"))?);
    }
    config.user(keywords.get("user").ok_or(Error::NoUser)?);
    let user = keywords.get("user").unwrap_or_default();
    config.dbname(keywords.get("dbname").unwrap_or(user));
    if let Some(password) = keywords.get("password") {
        config.password(password);
    }
    if let Some(options) = keywords.get("options") {
        config.options(options);
    }
    let name = keywords.get("application_name").or(keywords.get("fallback_application_name"));
    config.application_name(name.unwrap_or("pgtrack"));
    if let Some(text) = keywords.get("connect_timeout") {
        let expected = "it is a number of seconds";
        let seconds: u64 = text.parse().map_err(|_| value("connect_timeout", text, expected))?;
        if seconds > 0 {
            config.connect_timeout(std::time::Duration::from_secs(seconds));
        }
    }
    config.target_session_attrs(match keywords.get("target_session_attrs").unwrap_or("any") {
        "any" | "prefer-standby" => TargetSessionAttrs::Any,
        "read-write" | "primary" => TargetSessionAttrs::ReadWrite,
        "read-only" | "standby" => TargetSessionAttrs::ReadOnly,
        other => {
            let expected = "it is any, read-write, read-only, primary, standby or prefer-standby";
            return Err(value("target_session_attrs", other, expected));
        }
    });
    config.load_balance_hosts(match keywords.get("load_balance_hosts").unwrap_or("disable") {
        "disable" => LoadBalanceHosts::Disable,
        "random" => LoadBalanceHosts::Random,
        other => return Err(value("load_balance_hosts", other, "it is disable or random")),
    });
    config.channel_binding(match keywords.get("channel_binding").unwrap_or("prefer") {
        "disable" => ChannelBinding::Disable,
        "prefer" => ChannelBinding::Prefer,
        "require" => ChannelBinding::Require,
        other => return Err(value("channel_binding", other, "it is disable, prefer or require")),
    });
    let mode = driver_mode(tls.mode, &config);
    config.ssl_mode(mode);
    config.ssl_negotiation(match tls.negotiation {
        SslNegotiation::Postgres => DriverNegotiation::Postgres,
        SslNegotiation::Direct => DriverNegotiation::Direct,
    });
    Ok(config)
}

fn tls(keywords: &Keywords, environment: Environment<'_>) -> Result<UpstreamTls, Error> {
    let root = match keywords.get("sslrootcert") {
        Some("system") => Some(RootCertificates::System),
        Some(path) => Some(RootCertificates::File(path.into())),
        None => present(environment, ".postgresql/root.crt").map(RootCertificates::File),
    };
    // Whoever trusts the authorities of the system wants the name checked, says libpq.
    let default = if root == Some(RootCertificates::System) { "verify-full" } else { "prefer" };
    let mode = match keywords.get("sslmode").unwrap_or(default) {
        "disable" => SslMode::Disable,
        // To try without TLS first has no use.
        "allow" | "prefer" => SslMode::Prefer,
        "require" => SslMode::Require,
        "verify-ca" => SslMode::VerifyCa,
        "verify-full" => SslMode::VerifyFull,
        other => {
            let expected = "it is disable, allow, prefer, require, verify-ca or verify-full";
            return Err(value("sslmode", other, expected));
        }
    };
    match (mode, &root) {
        (SslMode::VerifyCa, None) => return Err(Error::NoRoot { mode: "verify-ca" }),
        (SslMode::VerifyFull, None) => return Err(Error::NoRoot { mode: "verify-full" }),
        _ => {}
    }
    let negotiation = match keywords.get("sslnegotiation").unwrap_or("postgres") {
        "postgres" => SslNegotiation::Postgres,
        "direct" => SslNegotiation::Direct,
        other => return Err(value("sslnegotiation", other, "it is postgres or direct")),
    };
    let file = |keyword, usual| {
        keywords.get(keyword).map(PathBuf::from).or_else(|| present(environment, usual))
    };
    let certificate = file("sslcert", ".postgresql/postgresql.crt");
    // A key alone is of no use, and no mistake.
    let key = certificate.is_some().then(|| file("sslkey", ".postgresql/postgresql.key")).flatten();
    Ok(UpstreamTls { mode, negotiation, root, certificate, key })
}

fn present(environment: Environment<'_>, path: &str) -> Option<PathBuf> {
    environment.in_home(path).filter(|path| path.exists())
}

fn value(keyword: &'static str, given: &str, expected: &'static str) -> Error {
    Error::Value { keyword, value: given.to_owned(), expected }
}

#[cfg(test)]
mod tests;
