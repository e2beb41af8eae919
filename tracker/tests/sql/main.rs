//! The SQL engine, tested through SQL alone on every supported server version.

mod audit;
mod capture;
mod ddl;
mod drift;
mod elsewhere;
mod errors;
mod extension;
mod forgetting;
mod inheritance;
mod install;
mod keeping;
mod keys;
mod laws;
mod nesting;
mod obstacles;
mod options;
mod partitions;
mod reading;
mod reference;
mod revert;
mod rights;
mod shape;
mod support;
mod tracking;
mod transaction;
mod verifying;
