//! `pgtrack show`: one transaction, row by row.

use clap::Args;
use pgtrack_tracker::{Transaction, Version, feed, history};

use crate::error::Error;
use crate::present::{block, headline, json, version_lines};
use crate::session::{Common, Session};
use crate::terminal::{Screen, Tone, escaped};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The transaction; the latest of all without this. `@` is your latest that is no undo, `@~1` the one before it.
    xid: Option<String>,
    /// No more than so many rows of each table.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 1000, value_parser = clap::value_parser!(i64).range(1..))]
    max: i64,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let client = &session.client;
    let xid = match &options.xid {
        Some(word) => Some(session.transaction(word, None).await?.ok_or_else(|| Error::Usage {
            message: format!("`{}` is no transaction", escaped(word)),
            hint: "say its number, which pgtrack log shows, or @, or @~1",
        })?),
        None => None,
    };
    let transaction = match xid {
        Some(xid) => feed::transaction(client, xid).await?,
        None => feed::newest(client, 1, None).await?.0.pop(),
    };
    let Some(transaction) = transaction else {
        let what = match xid {
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
    let left = rows(&transaction, &versions, &mut screen)?;
    if left > 0 {
        let note = format!("{left} more rows; --max {} shows them", row_count(&transaction));
        screen.line("")?;
        screen.line(&screen.paint.text(Tone::Faint, &note))?;
    }
    screen.finish()
}

/// The rows of a transaction; returns how many are not among them.
pub(super) fn rows(
    transaction: &Transaction,
    versions: &[Version],
    screen: &mut Screen,
) -> Result<i64, Error> {
    for version in versions {
        screen.line("")?;
        let (table, key) = (&version.table, version.key.as_ref());
        screen.line(&headline(version.operation, table, key, screen.paint))?;
        screen.lines(&version_lines(version, screen.paint))?;
    }
    let shown = i64::try_from(versions.len()).unwrap_or(i64::MAX);
    Ok(row_count(transaction) - shown)
}

fn row_count(transaction: &Transaction) -> i64 {
    transaction.effects.iter().map(|effect| effect.rows).sum()
}
