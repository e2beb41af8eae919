//! The connection settings by libpq's keywords (manual, "Parameter Key Words").

use std::collections::BTreeMap;
use std::path::Path;

use super::{Environment, password_file, service};
use crate::Error;

/// What is understood, and the environment variable that says it where nothing else does.
const KNOWN: [(&str, Option<&str>); 23] = [
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("port", Some("PGPORT")),
    ("dbname", Some("PGDATABASE")),
    ("user", Some("PGUSER")),
    ("password", Some("PGPASSWORD")),
    ("passfile", Some("PGPASSFILE")),
    ("service", Some("PGSERVICE")),
    ("servicefile", Some("PGSERVICEFILE")),
    ("options", Some("PGOPTIONS")),
    ("application_name", Some("PGAPPNAME")),
    ("fallback_application_name", None),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("sslmode", Some("PGSSLMODE")),
    ("sslnegotiation", Some("PGSSLNEGOTIATION")),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslkey", Some("PGSSLKEY")),
    ("channel_binding", Some("PGCHANNELBINDING")),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    ("load_balance_hosts", Some("PGLOADBALANCEHOSTS")),
    // About encryption by GSSAPI, which we do not use.
    ("gssencmode", None),
    // About a client's encoding: ours is always UTF-8.
    ("client_encoding", None),
];

const DEFAULT_PORT: &str = "5432";
/// Where servers put their sockets: Debian's and Fedora's place, and PostgreSQL's own.
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// Settings by keyword.
#[derive(Debug, Default)]
pub(super) struct Keywords(BTreeMap<String, String>);

impl Keywords {
    pub(super) fn get(&self, keyword: &str) -> Option<&str> {
        self.0.get(keyword).map(String::as_str)
    }

    /// The parts of a list, such as `host`.
    pub(super) fn list(&self, keyword: &str) -> Vec<&str> {
        self.get(keyword).map(|value| value.split(',').collect()).unwrap_or_default()
    }

    /// Says something that is known to be understood.
    pub(super) fn set(&mut self, keyword: &str, value: String) {
        self.0.insert(keyword.to_owned(), value);
    }

    /// Says something that a person has written. An empty value says nothing, as in libpq.
    pub(super) fn add(&mut self, keyword: &str, value: String) -> Result<(), Error> {
        if !KNOWN.iter().any(|(known, _)| *known == keyword) {
            // Anything but a word may be a part of a password that was not quoted.
            let is_word = keyword.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let name = if is_word { format!("`{keyword}`") } else { "of that name".to_owned() };
            let reason = format!("there is no setting {name} that pgtrack understands");
            return Err(Error::Text { reason });
        }
        if !value.is_empty() {
            self.set(keyword, value);
        }
        Ok(())
    }

    /// Adds what was not said: from a service, from the environment, by default.
    pub(super) fn complete(&mut self, environment: Environment<'_>) -> Result<(), Error> {
        for keyword in ["service", "servicefile"] {
            self.take_variable(keyword, environment);
        }
        if let Some(name) = self.get("service") {
            for (keyword, value) in service::read(name, self.get("servicefile"), environment)? {
                if self.get(&keyword).is_none() {
                    self.add(&keyword, value)?;
                }
            }
        }
        for (keyword, _) in KNOWN {
            self.take_variable(keyword, environment);
        }
        if self.get("user").is_none() {
            let user = environment.get("USER").or_else(|| environment.get("LOGNAME"));
            self.set("user", user.ok_or(Error::NoUser)?);
        }
        if self.get("dbname").is_none() {
            self.set("dbname", self.get("user").unwrap_or_default().to_owned());
        }
        if self.get("port").is_none() {
            self.set("port", DEFAULT_PORT.to_owned());
        }
        if self.get("host").is_none() {
            let host = self.get("hostaddr").map_or_else(|| self.usual_host(), str::to_owned);
            self.set("host", host);
        }
        Ok(())
    }

    /// The password of the environment or of the password file for this place.
    pub(super) fn password_elsewhere(
        &self,
        environment: Environment<'_>,
        notices: &mut Vec<String>,
    ) -> Option<String> {
        let mut place = Self(self.0.clone());
        place.take_variable("password", environment);
        place.take_variable("passfile", environment);
        if place.get("port").is_none() {
            place.set("port", DEFAULT_PORT.to_owned());
        }
        if place.get("dbname").is_none() {
            place.set("dbname", place.get("user").unwrap_or_default().to_owned());
        }
        let password = place.get("password").map(str::to_owned);
        password.or_else(|| password_file::look_up(&place, environment, notices))
    }

    fn take_variable(&mut self, keyword: &str, environment: Environment<'_>) {
        let variable = KNOWN.iter().find(|(known, _)| *known == keyword).and_then(|known| known.1);
        if self.get(keyword).is_none()
            && let Some(value) = variable.and_then(|name| environment.get(name))
        {
            self.set(keyword, value);
        }
    }

    /// The directory with the socket of a server on this machine, or this machine by network.
    fn usual_host(&self) -> String {
        let socket = format!(".s.PGSQL.{}", self.get("port").unwrap_or(DEFAULT_PORT));
        let directory =
            SOCKET_DIRECTORIES.into_iter().find(|place| Path::new(place).join(&socket).exists());
        directory.unwrap_or("localhost").to_owned()
    }
}
