//! The section `[dashboard]`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use pgtrack_dashboard::{AllowedHosts, KEY_LENGTH, KeyRing, PublicUrl};
use serde::Deserialize;

use crate::error::Error;

/// The section as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Dashboard {
    pub(crate) listen: SocketAddr,
    /// Whether people reach it by https, through a proxy that ends TLS.
    pub(crate) https: bool,
    /// Web servers whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<IpAddr>,
    /// Hosts that connections may lead to besides public ones.
    pub(crate) allowed_hosts: Vec<String>,
    /// Hosts that digests may be sent to besides public ones.
    pub(crate) webhook_hosts: Vec<String>,
    /// Where people reach it, for links in digests.
    pub(crate) public_url: Option<String>,
    /// Further names that people reach it by.
    pub(crate) host_names: Vec<String>,
    /// Holds the keys that kept passwords and digests are sealed with.
    pub(crate) key_file: Option<PathBuf>,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            https: false,
            trusted_proxies: Vec::new(),
            allowed_hosts: Vec::new(),
            webhook_hosts: Vec::new(),
            public_url: None,
            host_names: Vec::new(),
            key_file: None,
        }
    }
}

impl Dashboard {
    /// The list, read.
    pub(crate) fn allowed_hosts(&self) -> Result<AllowedHosts, Error> {
        read_hosts("allowed_hosts", &self.allowed_hosts)
    }

    /// The other list, read.
    pub(crate) fn webhook_hosts(&self) -> Result<AllowedHosts, Error> {
        read_hosts("webhook_hosts", &self.webhook_hosts)
    }

    /// The address, read.
    pub(crate) fn public_url(&self) -> Result<Option<PublicUrl>, Error> {
        self.public_url.as_deref().map(|url| url.parse().map_err(Error::PublicUrl)).transpose()
    }

    /// The keys, the one in use first; none without a file.
    pub(crate) fn keys(&self) -> Result<KeyRing, Error> {
        match &self.key_file {
            Some(path) => read_keys(path),
            None => Ok(KeyRing::default()),
        }
    }
}

fn read_hosts(key: &'static str, hosts: &[String]) -> Result<AllowedHosts, Error> {
    let read = |host: &String| host.parse().map_err(|source| Error::AllowedHost { key, source });
    hosts.iter().map(read).collect()
}

/// Reads a file of keys, one on each line, in hexadecimal digits.
fn read_keys(path: &Path) -> Result<KeyRing, Error> {
    let failed = |reason: &str| Error::KeyFile { path: path.to_owned(), reason: reason.to_owned() };
    require_private(path)?;
    let text = fs::read_to_string(path).map_err(|error| failed(&error.to_string()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Option<Vec<_>> = lines.map(key).collect();
    let keys = keys.filter(|keys| !keys.is_empty());
    keys.map(KeyRing::new).ok_or_else(|| {
        failed("it has to hold keys of 64 hexadecimal digits, one on each line; `openssl rand -hex 32` makes one")
    })
}

fn key(line: &str) -> Option<[u8; KEY_LENGTH]> {
    if line.len() != 2 * KEY_LENGTH || !line.is_ascii() {
        return None;
    }
    let mut key = [0; KEY_LENGTH];
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&line[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(key)
}

/// A key that others can read keeps nothing secret: the group's and everybody's six bits are not set.
#[cfg(unix)]
fn require_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;

    let failed = |reason: String| Error::KeyFile { path: path.to_owned(), reason };
    let mode = fs::metadata(path).map_err(|error| failed(error.to_string()))?.permissions().mode();
    if mode.trailing_zeros() >= 6 {
        Ok(())
    } else {
        Err(failed("others can read it; `chmod 600` keeps them out".to_owned()))
    }
}

#[cfg(not(unix))]
fn require_private(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::Dashboard;

    #[test]
    fn keys_are_read_from_a_private_file() {
        let path = std::env::temp_dir().join(format!("pgtrack-keys-{}", std::process::id()));
        let dashboard = Dashboard { key_file: Some(path.clone()), ..Dashboard::default() };
        let check = |text: &str, mode, expected: Option<&str>| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match (dashboard.keys(), expected) {
                (Ok(_), None) => {}
                (Err(error), Some(word)) => {
                    assert!(error.report().contains(word), "{}", error.report());
                }
                (result, _) => panic!("{text:?}: {result:?}"),
            }
        };
        let key = "0f".repeat(32);
        check(&format!("{key}\n\n{key}\n"), 0o600, None);
        check(&key, 0o640, Some("others can read it"));
        for bad in ["", "xyz", &"0f".repeat(31), &format!("{key} {key}"), &"é".repeat(32)] {
            check(bad, 0o600, Some("64 hexadecimal digits"));
        }
        fs::remove_file(&path).unwrap();
        assert!(dashboard.keys().is_err());
    }

    #[test]
    fn hosts_are_checked() {
        let with =
            |host: &str| Dashboard { allowed_hosts: vec![host.to_owned()], ..Dashboard::default() };
        assert!(with("10.0.0.0/8").allowed_hosts().is_ok());
        assert!(with("a b").allowed_hosts().unwrap_err().report().contains("`a b` is no host"));
        let bad = Dashboard { webhook_hosts: vec!["/".to_owned()], ..Dashboard::default() };
        let report = bad.webhook_hosts().unwrap_err().report();
        assert!(
            report.contains("`webhook_hosts`") && report.contains("`/` is no host"),
            "{report}"
        );
    }

    #[test]
    fn a_url_in_the_wrong_place_is_not_quoted() {
        let url = || "postgresql://ada:sesame@db/shop".to_owned();
        let hosts = Dashboard { allowed_hosts: vec![url()], ..Dashboard::default() };
        let report = hosts.allowed_hosts().unwrap_err().report();
        assert!(report.contains("`allowed_hosts`") && !report.contains("sesame"), "{report}");
        let public = Dashboard { public_url: Some(url()), ..Dashboard::default() };
        let report = public.public_url().unwrap_err().report();
        assert!(report.contains("`public_url`") && !report.contains("sesame"), "{report}");
    }

    #[test]
    fn the_public_address_is_checked() {
        let with =
            |url: &str| Dashboard { public_url: Some(url.to_owned()), ..Dashboard::default() };
        assert!(with("https://db.example.com").public_url().unwrap().is_some());
        let report = with("db.example.com").public_url().unwrap_err().report();
        assert!(report.contains("not where people reach the dashboard"), "{report}");
    }
}
