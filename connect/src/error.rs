//! Why a server cannot be reached.

use std::path::PathBuf;

use crate::tls::TlsError;

/// Connection settings that make no sense, or a connection that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A connection string is neither a URL nor `keyword=value` pairs.
    #[error("the connection string is not valid: {reason}")]
    Text {
        /// What is wrong with it.
        reason: String,
    },
    /// A keyword has a value that it cannot have.
    #[error("the connection setting `{keyword}` cannot be `{value}`: {expected}")]
    Value {
        /// The keyword, in libpq's words.
        keyword: &'static str,
        /// What was given.
        value: String,
        /// What could have been.
        expected: &'static str,
    },
    /// A service is asked for that no service file has.
    #[error("the service `{name}` is in none of the service files {}", list(files))]
    Service {
        /// Its name.
        name: String,
        /// Where it was looked for.
        files: Vec<PathBuf>,
    },
    /// Nobody said as whom to connect.
    #[error("no user is given; say one in the connection URL or in PGUSER")]
    NoUser,
    /// Nobody said where to connect to.
    #[error("no host is given; say one in the connection URL")]
    NoHost,
    /// A mode of TLS needs to know whom to trust.
    #[error(
        "sslmode={mode} needs to know whom to trust: sslrootcert=FILE, sslrootcert=system, or a file ~/.postgresql/root.crt"
    )]
    NoRoot {
        /// The mode.
        mode: &'static str,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server could not be reached, or refused us.
    #[error("could not connect to {server}")]
    Connect {
        /// Where it was looked for.
        server: String,
        /// The driver's reason.
        #[source]
        source: tokio_postgres::Error,
    },
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}
