//! The proxy's side of the audit: calls are recorded before they are made, and completed with what came of them.
//!
//! An [`AuditLog`] writes over connections of its own, so that a record stays when the call's transaction is rolled
//! back or the proxy dies. What the database cannot take goes to a bounded file ([`Spool`]) that is replayed when it can.

mod call;
mod log;
mod protect;
mod spool;
mod store;

pub use call::{Call, CallId, CallOutcome, is_audited};
pub use log::{AuditLog, Connecting, DatabaseError, NotRecorded};
pub use protect::{Deed, Target};
pub use spool::{Spool, SpoolError};
