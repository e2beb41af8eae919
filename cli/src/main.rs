//! The `pgtrack` program: reads what is asked for and composes the libraries.
//!
//! Exit codes: [`Error::exit_code`].

mod archive;
mod args;
mod care;
mod change;
mod check;
mod config;
mod demo;
mod error;
mod follower;
mod log;
mod manual;
mod monitor;
mod present;
mod read;
mod rekey;
mod reload;
mod serve;
mod session;
mod shutdown;
mod systemd;
mod terminal;
mod upstreams;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::args::{Arguments, Command};
use crate::error::Error;

/// How long an interrupted command may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let matches = Arguments::command().get_matches();
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.format(&mut Arguments::command()).exit(),
    };
    log::start(&arguments.command);
    match args::require_secrecy(&matches).and_then(|()| run(arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_silent() {
                // Where standard error is closed there is nobody to tell.
                let _ = writeln!(std::io::stderr(), "pgtrack: {}", error.report());
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let result = runtime.block_on(async {
        shutdown::listen().map_err(Error::Runtime)?;
        let shutdown = shutdown::requested();
        match command {
            Command::Demo(options) => demo::run(options, shutdown.clone()).await,
            Command::Serve(options) => serve::run(options, shutdown.clone()).await,
            command => {
                let mut running = Box::pin(run_once(command));
                let result = tokio::select! {
                    result = &mut running => Some(result),
                    // The server is told to give up; to hear so leaves nothing in doubt.
                    () = shutdown.cancelled() => tokio::time::timeout(FAREWELL, running).await.ok(),
                };
                match result {
                    // What was done is not called interrupted.
                    Some(Ok(())) => Ok(()),
                    Some(Err(error)) if !shutdown.is_cancelled() => Err(error),
                    _ => Err(Error::Interrupted),
                }
            }
        }
    });
    // Nobody waits for a person who has not answered.
    runtime.shutdown_background();
    result
}

/// A command that ends by itself.
async fn run_once(command: Command) -> Result<(), Error> {
    match command {
        Command::Status(options) => read::status::run(options).await,
        Command::Track(options) => care::track::run(options).await,
        Command::Untrack(options) => care::untrack::run(options).await,
        Command::Log(options) => read::log::run(options).await,
        Command::Show(options) => read::show::run(options).await,
        Command::Diff(options) => read::diff::run(options).await,
        Command::History(options) => read::history::run(options).await,
        Command::Blame(options) => read::blame::run(options).await,
        Command::Deleted(options) => read::deleted::run(options).await,
        Command::Undo(options) => change::undo::run(options).await,
        Command::Revert(options) => change::revert::run(options).await,
        Command::Restore(options) => change::restore::run(options).await,
        Command::Tag(options) => change::tag::run(options).await,
        Command::Export(options) => read::export::run(options).await,
        Command::Keep(options) => care::keep::run(options).await,
        Command::Recover(options) => care::recover::run(options).await,
        Command::Erase(options) => care::erase::run(options).await,
        Command::Purge(options) => care::purge::run(options).await,
        Command::Verify(options) => read::verify::run(options).await,
        Command::Audit(options) => read::audit::run(options).await,
        Command::Install(options) => care::install::run(options).await,
        Command::Uninstall(options) => care::uninstall::run(options).await,
        Command::Check(options) => check::run(&options).await,
        Command::Rekey(options) => rekey::run(&options).await,
        Command::Completions(options) => manual::completions::run(&options),
        Command::Man(options) => manual::man::run(&options),
        // These go on until they are asked to end.
        Command::Demo(_) | Command::Serve(_) => Ok(()),
    }
}
