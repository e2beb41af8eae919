//! `pgtrack show`: one transaction, row by row.

use clap::Args;
use pgtrack_tracker::{feed, history};

use crate::error::Error;
use crate::present::{block, headline, json, version_lines};
use crate::session::{Common, Session};
use crate::terminal::{Screen, Tone};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The transaction; the latest without this.
    xid: Option<i64>,
    /// No more than so many rows of each table.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..))]
    max: i64,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let client = &session.client;
    let transaction = match options.xid {
        Some(xid) => feed::transaction(client, xid).await?,
        None => feed::newest(client, 1, None).await?.0.pop(),
    };
    let Some(transaction) = transaction else {
        let what = match options.xid {
            Some(xid) => format!("transaction {xid} changed no tracked table that you may read"),
            None => "nothing is recorded yet".to_owned(),
        };
        return Err(Error::Nothing { what });
    };
    let versions = history::transaction(client, transaction.xid, options.max).await?;
    let mut screen = Screen::paged(&options.common.output);
    if screen.is_json {
        for version in &versions {
            screen.json(&json::version(version))?;
        }
        return screen.finish();
    }
    screen.lines(&block(&transaction, &session, screen.paint))?;
    for version in &versions {
        screen.line("")?;
        let (table, key) = (&version.table, version.key.as_ref());
        screen.line(&headline(version.operation, table, key, screen.paint))?;
        screen.lines(&version_lines(version, screen.paint))?;
    }
    let all: i64 = transaction.effects.iter().map(|effect| effect.rows).sum();
    let shown = i64::try_from(versions.len()).unwrap_or(i64::MAX);
    if all > shown {
        let note = format!("{} more rows; --max {all} shows them", all - shown);
        screen.line("")?;
        screen.line(&screen.paint.text(Tone::Faint, &note))?;
    }
    screen.finish()
}
