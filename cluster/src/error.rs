//! What can go wrong while a private server is set up.

use std::io;
use std::path::PathBuf;

/// Why a private cluster could not be found, created, started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No directory with `postgres` and `initdb` was found.
    #[error(
        "no PostgreSQL server binaries found (looked in: {})\n\
         hint: install PostgreSQL 15 or newer (Debian and Ubuntu: `apt-get install postgresql`), \
         or name its directory with `--pg-bindir`",
        searched.join(", ")
    )]
    BinariesNotFound {
        /// The places that were searched, in order.
        searched: Vec<String>,
    },
    /// A program printed a version that could not be read.
    #[error("`{}` printed an unknown version: {output:?}", program.display())]
    UnknownVersion {
        /// The program that was asked.
        program: PathBuf,
        /// What it printed.
        output: String,
    },
    /// PostgreSQL refuses to run as root and there is no account to run it as.
    #[error(
        "PostgreSQL does not run as root, and this system has neither a `postgres` nor a `nobody` account\n\
         hint: run the command as an ordinary user"
    )]
    NoUnprivilegedAccount,
    /// A file system or process operation failed.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// What was attempted, as a verb ("create", "run").
        action: &'static str,
        /// The file, directory or program concerned.
        path: PathBuf,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
    /// `initdb` ended with a failure.
    #[error("initdb failed:\n{output}")]
    Initdb {
        /// What it printed.
        output: String,
    },
    /// The server ended, or did not accept connections in time.
    #[error("the private PostgreSQL server did not start; the end of its log:\n{log}")]
    NotStarted {
        /// The last lines of the server's log.
        log: String,
    },
}

impl Error {
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}
