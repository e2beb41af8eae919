//! `pgtrack blame`: who last changed each column of a row.

use clap::Args;
use pgtrack_tracker::history;
use serde_json::json;

use crate::error::Error;
use crate::present::{json::time, value_text};
use crate::session::{Common, RowArguments, Session};
use crate::terminal::{Cell, Grid, Screen, Tone};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    row: RowArguments,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let (table, key) = session.row(&options.row).await?;
    let columns = history::blame(&session.client, &table, &key).await?;
    if columns.is_empty() {
        let what = format!("no change of {} ({key}) is recorded", options.row.table);
        return Err(Error::Nothing { what });
    }
    let mut screen = Screen::paged(&options.common.output);
    if screen.is_json {
        for column in &columns {
            screen.json(&json!({
                "column": column.column, "value": column.value, "ver": column.version,
                "changed_at": column.at.map(time), "who": column.who, "xid": column.xid,
            }))?;
        }
        return screen.finish();
    }
    let mut grid = Grid::new(&["column", "version", "when", "who", "transaction", "value"]);
    for column in &columns {
        let text = |text: Option<String>| Cell::plain(text.unwrap_or_default());
        grid.add(vec![
            Cell::plain(&column.column),
            Cell::new(
                Tone::Subject,
                column.version.map_or_else(|| "before".to_owned(), |version| version.to_string()),
            ),
            text(column.at.map(|at| session.time(at))),
            text(column.who.clone()),
            text(column.xid.map(|xid| xid.to_string())),
            Cell::plain(value_text(&column.value)),
        ]);
    }
    screen.grid(&grid)?;
    screen.finish()
}
