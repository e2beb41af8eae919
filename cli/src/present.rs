//! How what is recorded looks: as lines for people, as JSON for programs.

mod changes;
pub(crate) mod json;
mod shell;
mod stat;
mod transaction;

pub(crate) use changes::{change_lines, headline, value_text, version_lines};
pub(crate) use shell::in_shell;
pub(crate) use stat::stat_lines;
pub(crate) use transaction::{block, effects_text, joined, one_line};
