//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Git for `PostgreSQL` tables: records, shows and undoes row changes.
#[derive(Debug, Parser)]
#[command(name = "pgtrack", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try everything: a private `PostgreSQL` with a small shop, the proxy, the dashboard and live changes.
    Demo(DemoOptions),
    /// Run the proxy and the dashboard for a database of your own.
    Serve(ServeOptions),
    /// Say whether a configuration is valid, and what `serve` would do with it.
    Check(ServeOptions),
    /// Seal the passwords that the dashboard keeps with the first key of its key file.
    Rekey(ServeOptions),
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
pub(crate) struct ServeOptions {
    /// The configuration file; see config.example.toml.
    #[arg(long, value_name = "FILE", env = "PGTRACK_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The database, as a connection URL; overrides the file.
    #[arg(long, value_name = "URL", env = "PGTRACK_UPSTREAM", hide_env_values = true)]
    pub(crate) upstream: Option<String>,
    /// Where the proxy listens; overrides the file [default: 127.0.0.1:6432].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the dashboard listens; overrides the file [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) dashboard: Option<SocketAddr>,
}
