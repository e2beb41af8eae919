//! Archives of real servers, read back with `DuckDB`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod exporting;
mod purging;
#[cfg(feature = "cloud")]
mod s3;
mod support;
mod types;
