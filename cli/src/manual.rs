//! What is generated from the command line: completions for shells, manual pages, and docs/cli.md.

pub(crate) mod completions;
pub(crate) mod man;
#[cfg(test)]
mod reference;
