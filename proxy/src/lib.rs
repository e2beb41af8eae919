//! A verbatim relay for PostgreSQL sessions.
//!
//! One client connection becomes one upstream connection, and every byte is passed on as it is: whatever
//! works with the server works through the proxy. The startup packet is rewritten, to tell the
//! server who the client is (see [`SessionContext`]); and the SCRAM exchange, where TLS on the two legs would otherwise
//! break it (`session::sasl`). Of a message that a guard rail, the policy or the audit refuses, some bytes are changed so
//! that the server refuses it, the server's error is replaced, and warnings are put between its messages (`watch`).
//!
//! The way of a connection through the modules: `listener` accepts it, `session` reads how it opens
//! (`protocol::opening`), begins TLS (`tls`), chooses and dials a server (`target`, `uplink`), sends the startup packet (`protocol::startup`)
//! and hands both sides to the relay (`session::relay`), which frames messages in passing
//! (`protocol::scanner`) without ever holding one.
//!
//! Not here: configuration files, the database schema (the caller provides it, see [`Provision`]), HTTP.

mod buffer;
mod cancel_keys;
mod config;
mod context;
mod control;
mod counters;
mod error;
mod fatal;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guard;
mod limits;
mod listen;
mod listener;
mod liveness;
mod notice;
pub mod observe;
mod pacing;
mod protocol;
mod provision;
mod proxy;
mod roles;
mod security;
mod session;
mod shared;
mod stream;
mod target;
mod tls;
mod uplink;
mod upstream;
mod verifiers;
mod watch;
mod workers;

pub use config::Config;
pub use context::{ServerClock, SessionContext, SessionId, SigningKey};
pub use control::Control;
pub use counters::{Counter, Counters};
pub use error::{Error, ErrorSource};
pub use guard::{Guard, PolicyRule, Rail, Response, Unanalysed};
pub use limits::SessionLimits;
pub use listen::{ListenAddress, ListenOptions};
pub use liveness::Liveness;
pub use protocol::{Encryption, ScramError, Violation};
pub use provision::{Provision, ProvisionError, Provisioning};
pub use proxy::Proxy;
pub use roles::{ProbeRole, Role};
pub use target::{SessionAttrs, Target};
pub use tls::{
    ClientTls, ClientTlsMode, RootCertificates, SslMode, SslNegotiation, TlsError, UpstreamTls,
};
pub use upstream::Upstream;
pub use verifiers::{VerifierQuery, VerifierSource};
pub use watch::{NotAnalysedCounters, Watch};
