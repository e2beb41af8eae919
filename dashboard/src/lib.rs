//! The dashboard: shows what changed, previews what a revert would do, and does it.
//!
//! Every page is rendered on the server and works without JavaScript; a small script adds the live feed.
//! The history is read and reverted through `pgtrack_tracker` only.
//!
//! Reading order: `routes` is the URL table, `pages` answers one URL each, `view` turns values into HTML and
//! does nothing else, `live` streams new transactions, `digests` tells of them elsewhere, `auth` and `middleware` guard it all, `store` holds the
//! dashboard's own tables.

#[cfg(test)]
extern crate self as pgtrack_dashboard;

mod app_error;
mod assets;
mod auth;
mod bidi;
mod clock;
mod comparison;
mod config;
mod connections;
mod dashboard;
mod database;
mod digests;
mod error;
mod export;
mod extract;
mod hex;
mod links;
mod live;
mod middleware;
mod network;
mod pages;
mod preferences;
mod public_url;
mod reading;
mod rekey;
mod revert;
mod routes;
mod rules;
mod seal;
mod search;
mod server;
mod state;
mod store;
mod table_name;
mod tally;
mod view;
mod visit;
mod words;

pub use auth::{AccountError, Role};
pub use config::Config;
pub use dashboard::Dashboard;
pub use error::Error;
pub use network::{AllowedHost, AllowedHostError, AllowedHosts};
pub use public_url::{PublicUrl, PublicUrlError};
pub use rekey::rekey;
pub use routes::{Access, app, routes};
pub use seal::{KEY_LENGTH, KeyRing};
pub use state::AppState;
