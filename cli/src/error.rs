//! Why the program ends with a failure.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_postgres::error::{DbError, SqlState};

use crate::config::without_secrets;
use crate::present::in_shell;

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
    /// The `serve` that should run does not answer.
    #[error("could not ask {address} how it is")]
    AskMonitor {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// It answers, and cannot serve.
    #[error("it is not ready: {report}")]
    NotReady { report: String },
    /// Settings that do not go together.
    #[error("{message}")]
    Setting { message: &'static str },
    /// The file of keys cannot be used.
    #[error("the key file `{}` cannot be used: {reason}", path.display())]
    KeyFile { path: PathBuf, reason: String },
    /// An entry of a list of hosts makes no sense.
    #[error("`{key}` in the configuration")]
    AllowedHost {
        key: &'static str,
        #[source]
        source: pgtrack_dashboard::AllowedHostError,
    },
    /// The dashboard's address makes no sense.
    #[error("`public_url` in the configuration")]
    PublicUrl(#[source] pgtrack_dashboard::PublicUrlError),
    /// There is no key to seal with.
    #[error(
        "no key file is given\nhint: set key_file in the section [dashboard] of the configuration"
    )]
    NoKeyFile,
    /// There is no database to serve.
    #[error(
        "no upstream database is given\nhint: use `--upstream postgresql://user@host:5432/database`, \
         or `--config FILE` with a file like config.example.toml"
    )]
    NoUpstream,
    /// The upstream's URL is none.
    #[error(
        "the upstream URL is not valid: {reason}\nhint: write it as postgresql://user@host:5432/database"
    )]
    UpstreamUrl { reason: String },
    /// The private server could not be run.
    #[error(transparent)]
    Cluster(#[from] pgtrack_cluster::Error),
    /// The audit's spool file cannot be used.
    #[error(transparent)]
    Spool(#[from] pgtrack_tracker::calls::SpoolError),
    /// The proxy could not be run.
    #[error(transparent)]
    Proxy(#[from] pgtrack_proxy::Error),
    /// The dashboard could not be run.
    #[error(transparent)]
    Dashboard(#[from] pgtrack_dashboard::Error),
    /// The demo's database could not be filled.
    #[error("could not set up the demo's shop")]
    Shop(#[source] tokio_postgres::Error),
    /// A function of pg_track failed, or the database did.
    #[error(transparent)]
    Tracker(#[from] pgtrack_tracker::Error),
    /// History could not be archived, or the archive does not hold what it should.
    #[error(transparent)]
    Archive(#[from] pgtrack_archive::Error),
    /// The database could not be reached.
    #[error(transparent)]
    Connect(#[from] pgtrack_connect::Error),
    /// A session could not be prepared.
    #[error("could not prepare the session")]
    Prepare(#[source] tokio_postgres::Error),
    /// There is no pg_track in the database.
    #[error("pg_track is not installed in {place}\nhint: run `pgtrack install`")]
    NotInstalled { place: String },
    /// The database has an older version.
    #[error(
        "{place} has pg_track {found}, which is older than this program\nhint: run `pgtrack install` to upgrade it"
    )]
    Outdated { place: String, found: String },
    /// The database has a version that this program does not understand.
    #[error(
        "{place} has pg_track {found}, which is newer than this program\nhint: use a newer pgtrack"
    )]
    TooNew { place: String, found: String },
    /// Arguments that do not go together.
    #[error("{message}\nhint: {hint}")]
    Usage { message: String, hint: &'static str },
    /// There is nothing of what was asked for.
    #[error("{what}")]
    Nothing { what: String },
    /// Rows were changed since; nothing was done.
    #[error(
        "{conflicts} of these rows were changed since, so nothing was done\n\
         hint: --on-conflict skip leaves them as they are, merge reverts only the columns that nobody changed since, delta also numbers, by the difference, force overwrites them"
    )]
    Conflicts { conflicts: i64 },
    /// One of several batches failed.
    #[error(
        "{done} of {all} rows are done and stay so; the batch after them failed\nhint: the same command goes on with what is left"
    )]
    Batch {
        done: i64,
        all: i64,
        #[source]
        source: pgtrack_tracker::Error,
    },
    /// The answer was no.
    #[error("nothing was done")]
    NotConfirmed,
    /// There is nobody who could say yes.
    #[error(
        "nothing was done: this asks before it changes anything, and there is no terminal to ask at\nhint: {hint}"
    )]
    NobodyToAsk { hint: &'static str },
    /// Output could not be written, or the answer not be read.
    #[error("could not use the terminal or file")]
    Output(#[source] io::Error),
    /// Whoever read our output has seen enough.
    #[error("the output was closed")]
    Closed,
    /// Something was found that should be looked at; it has been shown.
    #[error("{what}")]
    Found { what: String },
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// The failure with all its causes, for a person; the server's DETAIL and HINT on lines of their own.
    pub(crate) fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        let mut report = None;
        while let Some(error) = cause {
            report = report.or(error.downcast_ref::<DbError>());
            // Writing to a String cannot fail.
            let _ = match report {
                Some(report) => {
                    write!(text, ": {} (SQLSTATE {})", report.message(), report.code().code())
                }
                None if is_wrapper(error) => Ok(()),
                None if matches!(self, Self::AllowedHost { .. } | Self::PublicUrl(_)) => {
                    write!(text, ": {}", without_secrets(&error.to_string()))
                }
                None => write!(text, ": {error}"),
            };
            if report.is_some() {
                break;
            }
            cause = error.source();
        }
        if let Some(report) = report {
            let is_denied = *report.code() == SqlState::INSUFFICIENT_PRIVILEGE;
            let own = match self {
                Self::Dashboard(_) if is_denied => Some(INSTALL_FIRST.to_owned()),
                _ if is_denied => how_to_let(report.message()),
                _ => None,
            };
            let hint = report.hint().map(in_shell).or(own);
            for (label, part) in [("detail", report.detail().map(str::to_owned)), ("hint", hint)] {
                if let Some(part) = part {
                    let _ = write!(text, "\n{label}: {part}");
                }
            }
        }
        text
    }

    /// The program's exit code, as `pgtrack help` lists them.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Usage { .. } => 2,
            Self::Conflicts { .. } => 3,
            Self::Tracker(error) | Self::Batch { source: error, .. } if error.is_conflict() => 3,
            Self::NotConfirmed | Self::NobodyToAsk { .. } => 4,
            Self::Found { .. } => 5,
            Self::Interrupted => 130,
            _ => 1,
        }
    }

    /// Whether there is something to say about it.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

/// For a service whose role may not put into its database what is missing there.
const INSTALL_FIRST: &str = "`pgtrack install --service-role NAME`, as a superuser, makes everything that this role needs there";

/// How somebody is let call a function that is not for everybody.
fn how_to_let(message: &str) -> Option<String> {
    let name = message.strip_prefix("permission denied for function ")?;
    Some(format!(
        "a superuser, or the owner of pg_track, lets a role: GRANT EXECUTE ON FUNCTION pgtrack.{name} TO \"role\""
    ))
}

/// The driver's own "db error", which only says that the server's report follows.
fn is_wrapper(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<tokio_postgres::Error>().is_some_and(|error| error.as_db_error().is_some())
}
