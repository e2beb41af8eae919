//! The whole product as a user runs it: the program, psql, pgbench, a browser.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod browser;
mod demo;
mod documents;
mod examples;
mod failover;
mod following;
mod operating;
mod packaging;
mod pgbench;
mod pooler;
mod program;
mod service_role;
mod verbs;
