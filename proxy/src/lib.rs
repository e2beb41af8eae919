//! A verbatim relay for PostgreSQL sessions.
//!
//! One client connection becomes one upstream connection, and every byte is passed on as it is: whatever
//! works with the server works through the proxy. Only the startup packet is ever rewritten, to tell the
//! server who the client is (see [`SessionContext`]).
//!
//! The way of a connection through the modules: `listener` accepts it, `session` reads how it opens
//! (`protocol::opening`), dials the upstream (`upstream`), sends the startup packet (`protocol::startup`)
//! and hands both sides to the relay (`session::relay`), which frames messages in passing
//! (`protocol::scanner`) without ever holding one.
//!
//! Not here: configuration files, the database schema (the caller provides it, see [`Provision`]), HTTP.

mod buffer;
mod config;
mod context;
mod counters;
mod error;
mod fatal;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod listener;
mod protocol;
mod provision;
mod proxy;
mod security;
mod session;
mod stream;
mod tls;
mod uplink;
mod upstream;
mod verifiers;

pub use config::Config;
pub use context::{SessionContext, SessionId};
pub use counters::{Counter, Counters};
pub use error::{Error, ErrorSource};
pub use protocol::{Encryption, ScramError, Violation};
pub use provision::{Provision, ProvisionError};
pub use proxy::Proxy;
pub use security::Security;
pub use tls::{
    ClientTls, ClientTlsMode, RootCertificates, SslMode, SslNegotiation, TlsError, UpstreamTls,
};
pub use upstream::Upstream;
pub use verifiers::{VerifierQuery, VerifierSource};
