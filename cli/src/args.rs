//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Parser, Subcommand};
use pgtrack_connect::Settings;

use crate::error::Error;
use crate::{care, change, manual, read};

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "pgtrack", version, propagate_version = true, after_help = EXIT_CODES)]
#[command(about = "Git for PostgreSQL tables: records, shows and undoes row changes")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 rows were changed since and nothing was done, \
4 the answer was no or there was nobody to ask, 5 `verify` or `diff --exit-code` found something.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what is tracked, and whether all is well.
    Status(read::status::Options),
    /// Record every change of tables, or of all tables of a schema, from now on.
    Track(care::track::Options),
    /// Stop recording; what was recorded stays.
    Untrack(care::untrack::Options),
    /// List the transactions that changed tracked tables, newest first.
    Log(read::log::Options),
    /// Show one transaction, row by row.
    Show(read::show::Options),
    /// Show the rows of a table, or of all tables, that differ between two points.
    Diff(read::diff::Options),
    /// Show every recorded change of one row, newest first.
    History(read::history::Options),
    /// Say who last changed each column of a row.
    Blame(read::blame::Options),
    /// List the rows of a table that were deleted and are still missing.
    Deleted(read::deleted::Options),
    /// Take back transactions, the last change of a row, or everything that somebody did.
    Undo(change::undo::Options),
    /// Make a row what it was at a version, or a table or schema what it was at a point.
    Revert(change::revert::Options),
    /// Insert a deleted row again.
    Restore(change::restore::Options),
    /// Name this moment, list such names, or remove one.
    Tag(change::tag::Options),
    /// Write what is recorded, or a table as it was, as JSON Lines or CSV.
    Export(read::export::Options),
    /// Copy the present rows of tables, so that they, or columns of theirs, can be dropped and brought back.
    Keep(care::keep::Options),
    /// Bring back a dropped table or column from the latest copy that `keep` made.
    Recover(care::recover::Options),
    /// Forget the recorded values of a row's past, for privacy; that it happened stays on record.
    Erase(care::erase::Options),
    /// Forget old history.
    Purge(care::purge::Options),
    /// Find out whether everything is recorded that should be.
    Verify(read::verify::Options),
    /// List who called which function that changes something.
    Audit(read::audit::Options),
    /// Put pg_track into a database, or upgrade it.
    Install(care::install::Options),
    /// Take pg_track out of a database, with everything that it recorded.
    Uninstall(care::uninstall::Options),
    /// Try everything.
    #[command(
        about = "Try everything: a private PostgreSQL with a small shop, the proxy, the dashboard and live changes"
    )]
    Demo(DemoOptions),
    /// Run the proxy and the dashboard for a database of your own.
    Serve(ServeOptions),
    /// Say whether a configuration is valid, and what `serve` would do with it.
    Check(CheckOptions),
    /// Seal the passwords and addresses that the dashboard keeps with the first key of its key file.
    Rekey(ServeOptions),
    /// Write a script that makes a shell complete commands and options.
    Completions(manual::completions::Options),
    /// Write manual pages.
    Man(manual::man::Options),
}

#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// Where the proxy listens [default: 127.0.0.1:6432, or a free port].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the dashboard listens [default: 127.0.0.1:8080, or a free port].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) dashboard: Option<SocketAddr>,
    /// Keep the database here and find it again next time; without this it is temporary.
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The directory with `initdb` and `postgres`, if they are not found by themselves.
    #[arg(long, value_name = "DIRECTORY", env = "PGTRACK_PG_BINDIR")]
    pub(crate) pg_bindir: Option<PathBuf>,
    /// Leave the shop quiet: no changes but yours.
    #[arg(long)]
    pub(crate) no_traffic: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckOptions {
    #[command(flatten)]
    pub(crate) serve: ServeOptions,
    /// Ask the `serve` that runs with this configuration whether it is ready, at the address of `[monitor]`.
    #[arg(long)]
    pub(crate) running: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    /// The configuration file; see config.example.toml.
    #[arg(long, value_name = "FILE", env = "PGTRACK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The database, as a connection URL without a password; overrides the file. The password comes from PGPASSWORD, or from
    /// the password file, as for psql.
    #[arg(long, value_name = "URL", env = "PGTRACK_UPSTREAM", hide_env_values = true)]
    pub(crate) upstream: Option<String>,
    /// Where the proxy listens; overrides the file [default: 127.0.0.1:6432].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the dashboard listens; overrides the file [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) dashboard: Option<SocketAddr>,
}

/// Refuses a password among the arguments of a program that stays: everybody on the machine can list them.
pub(crate) fn require_secrecy(matches: &ArgMatches) -> Result<(), Error> {
    let Some((_, matches)) = matches.subcommand() else { return Ok(()) };
    let Ok(Some(upstream)) = matches.try_get_one::<String>("upstream") else { return Ok(()) };
    let is_seen = matches.value_source("upstream") == Some(ValueSource::CommandLine);
    if is_seen && Settings::names_password(upstream) {
        return Err(Error::Usage {
            message: "the password in `--upstream` is seen by everybody who lists processes".into(),
            hint: "leave it out, and give it in PGPASSWORD, in ~/.pgpass or the file that PGPASSFILE names; \
                   or give the whole URL in PGTRACK_UPSTREAM or in the file of `--config`",
        });
    }
    Ok(())
}
