//! `pgtrack man`: manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use crate::args::Arguments;
use crate::error::Error;
use crate::terminal::Screen;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Write a page for each command to this directory; the main page goes to standard output without this.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<(), Error> {
    if let Some(directory) = &options.directory {
        std::fs::create_dir_all(directory).map_err(Error::Output)?;
        return clap_mangen::generate_to(Arguments::command(), directory).map_err(Error::Output);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page).map_err(Error::Output)?;
    let mut screen = Screen::raw();
    screen.bytes(&page)?;
    screen.finish()
}
