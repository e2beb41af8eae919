//! The proxy between real clients and real servers. Tests named `case_…` are the edge cases of its specification.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, too")]

mod attribution;
mod auditing;
mod authentication;
mod cancelling;
mod conformance;
mod copying;
mod dialling;
mod ending;
mod guarding;
mod limits;
mod listening;
mod memory;
mod observing;
mod opening;
mod pooler;
mod preparing;
mod queries;
mod reloading;
mod replicating;
mod routing;
mod scram;
mod shutdown;
mod speed;
mod support;
mod tls;
mod tools;
mod upstream_tls;
mod verbatim;
mod who;
