//! `pgtrack restore`: a deleted row.

use clap::Args;
use pgtrack_tracker::revert::Target;

use super::apply::apply;
use super::options::{ChangeOptions, ConflictOptions};
use crate::error::Error;
use crate::session::Session;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The table, named as in a query.
    table: String,
    /// The row's key: a value, or JSON such as '{"order_id": 1, "product_id": 100}'.
    #[arg(allow_hyphen_values = true)]
    key: String,
    #[command(flatten)]
    conflicts: ConflictOptions,
    #[command(flatten)]
    change: ChangeOptions,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.change.common.connection).await?;
    let (table, key) = session.row(&options.table, &options.key).await?;
    let target = Target::DeletedRow(table, key);
    apply(session, &target, options.conflicts.way(), &options.change).await
}
