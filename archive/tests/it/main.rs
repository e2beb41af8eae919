//! Archives of real servers, read back with `DuckDB`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod exporting;
mod purging;
mod support;
mod types;
