//! The commands that look after pg_track itself: what is tracked, how long it is kept, whether it is there at all.

pub(crate) mod install;
pub(crate) mod purge;
pub(crate) mod track;
pub(crate) mod uninstall;
pub(crate) mod untrack;
