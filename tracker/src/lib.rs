//! The tracker: everything the other crates know about pg_track inside a database.
//!
//! It installs the SQL upstream ([`install()`]), reads what was recorded ([`feed`], [`activity`], [`history`],
//! [`tracked_tables`]) and plans and applies reverts ([`revert`]).
//! It does not decide how a revert works: that logic exists once, in `sql/pg_track--1.0.sql`.
//! It takes connected clients and knows no sockets, no HTTP and no HTML.

pub mod activity;
pub mod audit;
pub mod calls;
pub mod care;
mod error;
pub mod export;
pub mod feed;
mod follow;
pub mod history;
mod install;
mod model;
pub mod past;
pub mod revert;
pub mod service;
pub mod statement;
mod table;
mod texts;

pub use error::Error;
pub use follow::{Followed, follow_ddl};
pub use install::{
    Installation, Installed, ProxyKey, install, installed, proxy_key, script, uninstall,
};
pub use model::{Effect, Operation, Reverts, RowKey, Transaction, Version};
pub use table::{
    Column, TableName, TrackedTable, columns, key, resolve, track_schema, tracked_table,
    tracked_tables,
};
