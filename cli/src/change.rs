//! The commands that change rows of tracked tables, or name a point to go back to.

mod apply;
mod options;
pub(crate) mod restore;
pub(crate) mod revert;
pub(crate) mod tag;
pub(crate) mod undo;
