//! `pgtrack restore`: a deleted row.

use clap::Args;
use pgtrack_tracker::revert::Target;
use pgtrack_tracker::{Operation, RowKey, TableName, feed, history};

use super::apply::{Way, apply};
use super::options::{ChangeOptions, ConflictOptions};
use crate::error::Error;
use crate::present::effects_text;
use crate::session::{RowArguments, Session};
use crate::terminal::{Screen, Tone};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    row: RowArguments,
    #[command(flatten)]
    conflicts: ConflictOptions,
    #[command(flatten)]
    change: ChangeOptions,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.change.common.connection).await?;
    let (table, key) = session.row(&options.row).await?;
    tell_company(&table, &key, &options, &session).await?;
    let target = Target::DeletedRow(table, key);
    let way = Way { manner: options.conflicts.way().into(), batch: None };
    apply(session, &target, way, &options.change).await
}

/// Says what else was done by the transaction that deleted the row.
async fn tell_company(
    table: &TableName,
    key: &RowKey,
    options: &Options,
    session: &Session,
) -> Result<(), Error> {
    let mut screen = Screen::plain(&options.change.common.output);
    let is_gone = |operation| matches!(operation, Operation::Delete | Operation::Truncate);
    let versions = history::row(&session.client, table, key).await?;
    let Some(version) = versions.iter().rev().find(|version| is_gone(version.operation)) else {
        return Ok(());
    };
    let Some(transaction) = feed::transaction(&session.client, version.xid).await? else {
        return Ok(());
    };
    let rows: i64 = transaction.effects.iter().map(|effect| effect.rows).sum();
    if rows > 1 && !screen.is_json {
        let (xid, effects) = (transaction.xid, effects_text(&transaction.effects));
        let note = format!("Transaction {xid}, which deleted it, did more: {effects}.");
        screen.line(&screen.paint.text(Tone::Warning, &note))?;
        screen.line(&format!("`pgtrack undo {xid}` brings all of it back."))?;
        screen.line("")?;
    }
    screen.finish()
}
