//! `pgtrack keep`: copies a table's rows, so that it can be dropped and brought back.

use clap::Args;
use pgtrack_tracker::care;

use crate::error::Error;
use crate::session::{Common, Session};
use crate::terminal::Screen;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The tables, named as in a query.
    #[arg(required = true, value_name = "TABLE")]
    tables: Vec<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let mut screen = Screen::plain(&options.common.output);
    for table in &options.tables {
        let outcome = care::keep(&session.client, table).await?;
        super::say(&outcome, &mut screen)?;
    }
    screen.finish()
}
