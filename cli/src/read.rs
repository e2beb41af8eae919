//! The commands that only look.

pub(crate) mod audit;
pub(crate) mod blame;
pub(crate) mod deleted;
pub(crate) mod diff;
pub(crate) mod export;
mod format;
pub(crate) mod history;
pub(crate) mod log;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod verify;
