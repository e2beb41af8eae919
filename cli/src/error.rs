//! Why the program ends with a failure.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The operating system gave us no threads or signals.
    #[error("could not start")]
    Runtime(#[source] io::Error),
    /// The configuration file could not be read.
    #[error("could not read the configuration file `{}`", path.display())]
    ReadConfig {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The configuration file says something we do not understand.
    #[error("{}: {message}", path.display())]
    Config { path: PathBuf, message: String },
    /// The address for metrics and health checks is not to be had.
    #[error("could not listen on {address} for metrics and health checks")]
    ListenMonitor {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// Settings that do not go together.
    #[error("{message}")]
    Setting { message: &'static str },
    /// The file of keys cannot be used.
    #[error("the key file `{}` cannot be used: {reason}", path.display())]
    KeyFile { path: PathBuf, reason: String },
    /// An entry of `allowed_hosts` makes no sense.
    #[error("`allowed_hosts` in the configuration")]
    AllowedHost(#[source] pgtrack_dashboard::AllowedHostError),
    /// There is no key to seal with.
    #[error(
        "no key file is given\nhint: set key_file in the section [dashboard] of the configuration"
    )]
    NoKeyFile,
    /// There is no database to serve.
    #[error(
        "no upstream database is given\nhint: use `--upstream postgresql://user:password@host:5432/database`, \
         or `--config FILE` with a file like config.example.toml"
    )]
    NoUpstream,
    /// The upstream's URL is none.
    #[error(
        "the upstream URL is not valid: {reason}\nhint: write it as postgresql://user:password@host:5432/database"
    )]
    UpstreamUrl { reason: String },
    /// The private server could not be run.
    #[error(transparent)]
    Cluster(#[from] pgtrack_cluster::Error),
    /// The audit's spool file cannot be used.
    #[error(transparent)]
    Spool(#[from] pgtrack_tracker::audit::SpoolError),
    /// The proxy could not be run.
    #[error(transparent)]
    Proxy(#[from] pgtrack_proxy::Error),
    /// The dashboard could not be run.
    #[error(transparent)]
    Dashboard(#[from] pgtrack_dashboard::Error),
    /// The demo's database could not be filled.
    #[error("could not set up the demo's shop")]
    Shop(#[source] tokio_postgres::Error),
    /// What is recorded could not be set up.
    #[error("{}", .0.chain())]
    Tracker(pgtrack_tracker::Error),
}

impl Error {
    /// The failure with all its causes, for a person.
    pub(crate) fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }
}
