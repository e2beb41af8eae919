//! `pgtrack untrack`: stops recording. What was recorded stays.

use clap::Args;
use pgtrack_tracker::care;

use crate::error::Error;
use crate::session::{Common, Session};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Tables or schemas, named as in a query; of a schema all tables, those to come included.
    #[arg(required = true, value_name = "TABLE | SCHEMA")]
    targets: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let mut tables = Vec::new();
    for target in &options.targets {
        tables.extend(care::untrack(&session.client, target).await?);
    }
    super::track::show(&tables, &options.common.output)
}
