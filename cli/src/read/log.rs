//! `pgtrack log`: the transactions that changed tracked tables, newest first.

use clap::Args;
use pgtrack_tracker::activity::{self, Filter, Rest};
use pgtrack_tracker::{Transaction, feed, history};

use crate::error::Error;
use crate::present::{block, json, one_line, stat_lines};
use crate::session::{Common, Session};
use crate::terminal::{Screen, Tone};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only those that changed this table.
    table: Option<String>,
    /// No more than so many.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    max: u32,
    /// One line for each.
    #[arg(long)]
    oneline: bool,
    /// With the rows, as `pgtrack show` has them.
    #[arg(short, long)]
    patch: bool,
    /// With a line for each table: how many rows came, changed and went.
    #[arg(long)]
    stat: bool,
    /// Only those that gave this value to a column of a row, or took it away; as PostgreSQL writes it.
    #[arg(short = 'S', long, value_name = "VALUE")]
    value: Option<String>,
    /// Only those of this actor, user or role.
    #[arg(long, value_name = "NAME", visible_alias = "author")]
    who: Option<String>,
    /// Only those of this application.
    #[arg(long, value_name = "NAME")]
    application: Option<String>,
    /// Only those from this time on, such as "2026-11-23 14:00" or "10 minutes ago".
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those with this in a statement or in the reason.
    #[arg(long, value_name = "TEXT")]
    grep: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// How many transactions are read at once.
const CHUNK: usize = 100;
/// How many rows of each table are shown of one.
const MOST_ROWS: i64 = 200;

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let client = &session.client;
    let mut filter = Filter {
        who: options.who.clone(),
        application: options.application.clone(),
        since: session.moment(options.since.as_deref()).await?,
        until: session.moment(options.until.as_deref()).await?,
        text: options.grep.clone(),
        value: options.value.clone(),
        ..Filter::default()
    };
    if let Some(table) = &options.table {
        filter.tables.push(session.table(table).await?);
    }
    let mut screen = Screen::paged(&options.common.output);
    let mut wanted = usize::try_from(options.max).unwrap_or(usize::MAX);
    let (mut before, mut is_first) = (None, true);
    while wanted > 0 {
        let page = activity::transactions(client, &filter, before, wanted.min(CHUNK)).await?;
        for transaction in feed::transactions(client, &page.items).await? {
            if !is_first && !screen.is_json && (!options.oneline || options.patch) {
                screen.line("")?;
            }
            show(&transaction, &options, &session, &mut screen).await?;
            is_first = false;
            wanted -= 1;
        }
        match page.rest {
            Rest::None => break,
            Rest::Older(position) | Rest::Unknown(position) => before = Some(position),
        }
    }
    screen.finish()
}

async fn show(
    transaction: &Transaction,
    options: &Options,
    session: &Session,
    screen: &mut Screen,
) -> Result<(), Error> {
    let versions = if options.patch {
        history::transaction(&session.client, transaction.xid, MOST_ROWS).await?
    } else {
        Vec::new()
    };
    if screen.is_json {
        let mut object = json::transaction(transaction);
        if options.patch {
            object["rows"] = versions.iter().map(json::version).collect();
        }
        return screen.json(&object);
    }
    if options.oneline {
        screen.line(&one_line(transaction, session, screen.paint, screen.columns))?;
    } else {
        screen.lines(&block(transaction, session, screen.paint))?;
    }
    if options.stat {
        if !options.oneline {
            screen.line("")?;
        }
        screen.lines(&stat_lines(&transaction.effects, screen.paint))?;
    }
    if options.patch {
        let left = super::show::rows(transaction, &versions, screen)?;
        if left > 0 {
            let note = format!("{left} more rows; `pgtrack show {}` has more", transaction.xid);
            screen.line("")?;
            screen.line(&screen.paint.text(Tone::Faint, &note))?;
        }
    }
    Ok(())
}
