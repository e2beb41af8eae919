//! `pgtrack recover`: brings back a dropped table or column from a copy that `pgtrack keep` made.

use clap::Args;
use pgtrack_tracker::care;

use crate::error::Error;
use crate::session::{Common, Session};
use crate::terminal::{GRANT, Screen, confirm, require_person};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The table, named as in a query.
    table: String,
    /// Only this column of a table that is there.
    #[arg(long, value_name = "NAME")]
    column: Option<String>,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    require_person(options.yes, GRANT)?;
    let session = Session::open(&options.common.connection).await?;
    let what = match &options.column {
        Some(column) => format!("column {column} of {}", options.table),
        None => format!("table {}", options.table),
    };
    let question = format!("Bring back {what} in {}, as it was when it was kept?", session.place);
    confirm(&question, options.yes).await?;
    let recovering = care::recover(&session.client, &options.table, options.column.as_deref());
    let outcome = crate::terminal::while_waiting("Bringing it back", recovering).await?;
    let mut screen = Screen::plain(&options.common.output);
    super::say(&outcome, &mut screen)?;
    screen.finish()
}
