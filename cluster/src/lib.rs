//! A private PostgreSQL cluster: finds server binaries, runs `initdb`, starts a server on its own
//! port and data directory, and stops it again whatever happens to the process that asked for it.
//!
//! Used by `pgtrack demo` and by every test that needs a real server.
//! Not a client: it never speaks the wire protocol.

mod account;
mod binaries;
mod error;
mod keeper;
mod server;

pub use binaries::{Binaries, installed_versions};
pub use error::Error;
pub use keeper::StopWhen;
pub use server::{Cluster, ClusterOptions};
