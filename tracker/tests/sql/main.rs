//! The SQL engine, tested through SQL alone on every supported server version.

mod capture;
mod ddl;
mod errors;
mod extension;
mod install;
mod keys;
mod reading;
mod revert;
mod rights;
mod support;
mod transaction;
