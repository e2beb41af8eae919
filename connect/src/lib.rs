//! How pg_track's programs reach a PostgreSQL server themselves.
//!
//! [`Settings`] are read as libpq reads them: a URL or `keyword=value` pairs, PG* variables, a service file, a
//! password file. [`tls`] has libpq's words for encryption and decides which servers to trust, also for the proxy.
//! Nothing here reads environment variables: whoever runs the program hands them over as an [`Environment`].

mod client;
mod driver;
mod error;
mod settings;
pub mod tls;

pub use client::{cancel, connect};
pub use driver::{Connector, Opened, connector};
pub use error::Error;
pub use settings::{Environment, Settings};
