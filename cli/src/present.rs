//! How what is recorded looks: as lines for people, as JSON for programs.

mod changes;
pub(crate) mod json;
mod transaction;

pub(crate) use changes::{change_lines, headline, value_text, version_lines};
pub(crate) use transaction::{block, effects_text, one_line};
