//! How results are shown.

use std::io::{IsTerminal as _, stdout};

use clap::{Args, ValueEnum};

use super::Paint;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Write one JSON object for each result, one on each line.
    #[arg(long)]
    pub(crate) json: bool,
    /// When to use colour; also never when `NO_COLOR` is set.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
    /// Do not use a pager; otherwise $PAGER or less is used on a terminal.
    #[arg(long)]
    pub(crate) no_pager: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// On a terminal.
    Auto,
    Always,
    Never,
}

impl OutputOptions {
    /// Whether colours are used on standard output.
    pub(crate) fn paint(&self) -> Paint {
        let is_wanted = match self.color {
            When::Always => true,
            When::Never => false,
            // https://no-color.org: any value but the empty one.
            When::Auto => {
                stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                    && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
            }
        };
        Paint::new(is_wanted && !self.json)
    }
}
