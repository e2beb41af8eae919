//! The tracker's Rust interface against real servers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod feed;
mod foreign_code;
mod install;
mod revert;
mod summary;
mod support;
