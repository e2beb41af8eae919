//! `pgtrack deleted`: the rows of a table that are gone.

use clap::Args;
use pgtrack_tracker::history;
use serde_json::json;

use crate::error::Error;
use crate::present::{change_lines, json::time};
use crate::session::{Common, Session};
use crate::terminal::{Screen, Tone, escaped};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The table, named as in a query.
    table: String,
    /// No more than so many.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(i32).range(1..))]
    max: i32,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let table = session.table(&options.table).await?;
    let rows = history::deleted(&session.client, &table, options.max).await?;
    let mut screen = Screen::paged(&options.common.output);
    for (position, row) in rows.iter().enumerate() {
        if screen.is_json {
            screen.json(&json!({
                "row_pk": row.key.to_json(), "deleted_at": time(row.deleted_at), "who": row.who,
                "xid": row.xid, "data": row.data,
            }))?;
            continue;
        }
        if position > 0 {
            screen.line("")?;
        }
        let key = screen.paint.text(Tone::Subject, &escaped(&row.key.to_string()));
        screen.line(&format!(
            "{key}  {}  {}  transaction {}",
            session.time(row.deleted_at),
            escaped(&row.who),
            row.xid
        ))?;
        screen.lines(&change_lines(Some(&row.data), None, screen.paint))?;
    }
    screen.finish()
}
