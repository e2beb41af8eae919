//! `pgtrack restore`: a deleted row.

use clap::Args;
use pgtrack_tracker::revert::Target;

use super::apply::{Way, apply};
use super::options::{ChangeOptions, ConflictOptions};
use crate::error::Error;
use crate::session::{RowArguments, Session};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    row: RowArguments,
    #[command(flatten)]
    conflicts: ConflictOptions,
    #[command(flatten)]
    change: ChangeOptions,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.change.common.connection).await?;
    let (table, key) = session.row(&options.row).await?;
    let target = Target::DeletedRow(table, key);
    let way = Way { manner: options.conflicts.way().into(), batch: None };
    apply(session, &target, way, &options.change).await
}
