//! `pgtrack erase`: forgets the recorded values of a row's past, for privacy.

use clap::Args;
use pgtrack_tracker::care;

use crate::error::Error;
use crate::session::{Common, RowArguments, Session};
use crate::terminal::{GRANT, Screen, confirm, escaped, require_person};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    row: RowArguments,
    /// Why; it stays on record.
    #[arg(short, long, value_name = "TEXT", required = true)]
    message: String,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    require_person(options.yes, GRANT)?;
    let session = Session::open(&options.common.connection).await?;
    let (table, key) = session.row(&options.row).await?;
    let question = format!(
        "Erase what is recorded of {} {} in {}? It can then neither be shown nor undone.",
        escaped(&options.row.table),
        escaped(&key.to_string()),
        session.place
    );
    confirm(&question, options.yes).await?;
    let outcome = care::erase(&session.client, &table, &key, &options.message).await?;
    let mut screen = Screen::plain(&options.common.output);
    super::say(&outcome, &mut screen)?;
    screen.finish()
}
