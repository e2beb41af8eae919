//! The archive: history as Parquet files in a folder or an object store, for queries with `DuckDB`, Spark or Trino,
//! and for keeping what [`purge()`] drops from the database.
//!
//! An archive is written in runs. A run holds the changes of all transactions of a range of transaction numbers,
//! and the range ends before the oldest transaction that still runs: so it never gets another change, whatever
//! order transactions commit in, and every change is in exactly one run. First a run's plan is written, which fixes
//! the range, then its files, at last its manifest, which lists them. A run that died is found by its plan and written
//! again under the same names.
//!
//! The files hold what history holds: old images. What a row became is the old image of its next change, in the
//! archive or in the database, or the live row; so nothing is missing when purged changes are in the archive, and no
//! value is kept twice. Row keys that were changed are in files of their own, to follow a row from key to key.

mod column;
mod cut;
mod error;
mod export;
mod location;
mod purge;
mod read;
mod run;
mod source;
mod verify;
mod write;

pub use error::Error;
pub use export::{Exported, export};
pub use location::Archive;
pub use purge::{plan_purge, purge};
