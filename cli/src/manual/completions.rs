//! `pgtrack completions`: a script that makes a shell complete commands and options.

use clap::{Args, CommandFactory as _, value_parser};
use clap_complete::Shell;

use crate::args::Arguments;
use crate::error::Error;
use crate::terminal::Screen;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The shell.
    #[arg(value_parser = value_parser!(Shell), value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "pgtrack", &mut script);
    let mut screen = Screen::raw();
    screen.bytes(&script)?;
    screen.finish()
}
