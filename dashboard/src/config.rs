//! What the dashboard needs to be told. Reads no files and no environment: the program that embeds it does.

use std::net::{IpAddr, SocketAddr};

use pgtrack_connect::Settings;

use crate::network::AllowedHosts;
use crate::public_url::PublicUrl;
use crate::seal::KeyRing;

/// How the dashboard is reached and which database it shows.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The database whose history is shown, and which also holds the dashboard's own tables.
    pub database: Settings,
    /// The connection's name in URLs, such as `shop`.
    pub slug: String,
    /// The connection's name for people.
    pub label: String,
    /// Which hosts connections may lead to besides public ones.
    pub allowed_hosts: AllowedHosts,
    /// Which hosts digests may be sent to besides public ones, and which of them by plain http.
    pub webhook_hosts: AllowedHosts,
    /// Where people reach the dashboard; without it, digests hold no links.
    pub public_url: Option<PublicUrl>,
    /// Further names that people reach it by. With these or `public_url`, other names are refused.
    pub host_names: Vec<String>,
    /// The keys that kept passwords and digests are sealed with, the one in use first; without one, none is kept.
    pub keys: KeyRing,
    /// Web servers in front of us, whose word is taken for who the client is.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether browsers reach us by HTTPS (a TLS-terminating proxy in front): cookies are `Secure` then.
    pub https: bool,
}
