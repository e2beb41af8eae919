//! `pgtrack history`: every recorded change of one row, newest first.

use clap::Args;
use pgtrack_tracker::history;

use crate::error::Error;
use crate::present::{headline, joined, json, version_lines};
use crate::session::{Common, RowArguments, Session};
use crate::terminal::{Screen, Tone, cut, escaped};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    row: RowArguments,
    /// Oldest first.
    #[arg(long)]
    reverse: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let (table, key) = session.row(&options.row).await?;
    let mut versions = history::row(&session.client, &table, &key).await?;
    if versions.is_empty() {
        let what = format!("no change of {} ({key}) is recorded", options.row.table);
        return Err(Error::Nothing { what });
    }
    if !options.reverse {
        versions.reverse();
    }
    let mut screen = Screen::paged(&options.common.output);
    for (position, version) in versions.iter().enumerate() {
        if screen.is_json {
            let mut object = json::version(version);
            object["row_pk"] = key.to_json();
            screen.json(&object)?;
            continue;
        }
        if position > 0 {
            screen.line("")?;
        }
        let subject = version.number.map_or_else(
            || "another row under this key".to_owned(),
            |number| format!("version {number}"),
        );
        let subject = screen.paint.text(Tone::Subject, &subject);
        let what = headline(version.operation, &options.row.table, Some(&key), screen.paint);
        screen.line(&format!("{subject}  {what}"))?;
        let program = version.application.iter().map(|name| format!(", {}", escaped(name)));
        screen.line(&format!(
            "{}  {}{}  transaction {}",
            session.time(version.at),
            escaped(&version.who),
            program.collect::<String>(),
            version.xid
        ))?;
        if let Some(message) = &version.message {
            screen.line(&format!("    {}", escaped(message)))?;
        }
        if let Some(query) = &version.query {
            let left = screen.columns.map(|columns| columns.saturating_sub(4));
            let query = cut(&joined(query), left);
            screen.line(&format!("    {}", screen.paint.text(Tone::Faint, &query)))?;
        }
        screen.lines(&version_lines(version, screen.paint))?;
    }
    screen.finish()
}
