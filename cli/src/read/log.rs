//! `pgtrack log`: the transactions that changed tracked tables, newest first.

use clap::Args;
use pgtrack_tracker::activity::{self, Filter, Rest};
use pgtrack_tracker::feed;

use crate::error::Error;
use crate::present::{block, json, one_line};
use crate::session::{Common, Session};
use crate::terminal::Screen;

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
    /// Only those of this actor, user or role.
    #[arg(long, value_name = "NAME")]
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

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let client = &session.client;
    let mut filter = Filter {
        who: options.who,
        application: options.application,
        since: session.moment(options.since.as_deref()).await?,
        until: session.moment(options.until.as_deref()).await?,
        text: options.grep,
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
            if screen.is_json {
                screen.json(&json::transaction(&transaction))?;
            } else if options.oneline {
                screen.line(&one_line(&transaction, &session, screen.paint))?;
            } else {
                if !is_first {
                    screen.line("")?;
                }
                screen.lines(&block(&transaction, &session, screen.paint))?;
            }
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
