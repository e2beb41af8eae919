//! The `pgtrack` program: reads what is asked for and composes the libraries.
//!
//! Exit codes: 0 done, 1 failed (the reason is on standard error), 2 wrong usage.

mod args;
mod check;
mod config;
mod demo;
mod error;
mod log;
mod monitor;
mod rekey;
mod reload;
mod serve;
mod shutdown;
mod systemd;
mod upstreams;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Arguments, Command};
use crate::error::Error;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::start(&arguments.command);
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "pgtrack: {}", error.report());
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    runtime.block_on(async {
        let shutdown = shutdown::requested().map_err(Error::Runtime)?;
        match command {
            Command::Demo(options) => demo::run(options, shutdown).await,
            Command::Serve(options) => serve::run(options, shutdown).await,
            Command::Check(options) => check::run(&options),
            Command::Rekey(options) => rekey::run(&options).await,
        }
    })
}
