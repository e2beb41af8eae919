//! What the dashboard needs to be told. Reads no files and no environment: the program that embeds it does.

use std::net::SocketAddr;

/// How the dashboard is reached and which database it shows.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The database whose history is shown, and which also holds the dashboard's own tables.
    pub database: tokio_postgres::Config,
    /// The connection's name in URLs, such as `shop`.
    pub slug: String,
    /// The connection's name for people.
    pub label: String,
    /// Whether browsers reach us by HTTPS (a TLS-terminating proxy in front): cookies are `Secure` then.
    pub https: bool,
}
