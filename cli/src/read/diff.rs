//! `pgtrack diff`: the rows of a table that differ between two points.

use clap::Args;
use pgtrack_tracker::past;
use serde_json::json;

use crate::error::Error;
use crate::present::{change_lines, headline};
use crate::session::{Common, Session};
use crate::terminal::{Screen, Tone};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The table, named as in a query.
    table: String,
    /// A point: a tag, a timestamp, or xid:N.
    from: String,
    /// A later one.
    #[arg(default_value = "now")]
    to: String,
    /// No more than so many rows.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..))]
    max: i64,
    /// End with code 5 if rows differ.
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let table = session.table(&options.table).await?;
    let Options { from, to, max, .. } = &options;
    let mut rows = past::diff(&session.client, &table, from, to, max.saturating_add(1)).await?;
    let wanted = usize::try_from(*max).unwrap_or(usize::MAX);
    let has_more = rows.len() > wanted;
    rows.truncate(wanted);
    let mut screen = Screen::paged(&options.common.output);
    for (position, row) in rows.iter().enumerate() {
        if screen.is_json {
            screen.json(&json!({
                "table": options.table, "row_pk": row.key.to_json(), "op": row.operation.word(),
                "before": row.before, "after": row.after,
            }))?;
            continue;
        }
        if position > 0 {
            screen.line("")?;
        }
        screen.line(&headline(row.operation, &options.table, Some(&row.key), screen.paint))?;
        screen.lines(&change_lines(row.before.as_ref(), row.after.as_ref(), screen.paint))?;
    }
    if has_more && !screen.is_json {
        screen.line("")?;
        let note = format!("more than {max} rows differ; --max shows more");
        screen.line(&screen.paint.text(Tone::Faint, &note))?;
    }
    screen.finish()?;
    if options.exit_code && !rows.is_empty() {
        let count = if has_more { format!("more than {max}") } else { rows.len().to_string() };
        return Err(Error::Found { what: format!("{count} rows differ") });
    }
    Ok(())
}
