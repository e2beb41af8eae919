//! `pgtrack undo`: takes back transactions, a row's last change, or everything that somebody did.

use clap::Args;
use pgtrack_tracker::feed;
use pgtrack_tracker::revert::{self, Cause, Manner, Target};

use super::apply::{Way, apply};
use super::options::{BatchOptions, ChangeOptions, ColumnOptions, ConflictOptions};
use crate::error::Error;
use crate::present::block;
use crate::session::Session;
use crate::terminal::Screen;

/// `pgtrack undo`, `pgtrack undo XID…`, `pgtrack undo TABLE KEY`, or `pgtrack undo --by-application NAME --since TIME`.
#[derive(Debug, Args)]
#[command(override_usage = "pgtrack undo [OPTIONS]\n       \
                            pgtrack undo [OPTIONS] <XID>...\n       \
                            pgtrack undo [OPTIONS] <TABLE> <KEY>\n       \
                            pgtrack undo [OPTIONS] [--by-actor <NAME>] [--by-application <NAME>] [--by-user <NAME>] [--since <TIME>] [--until <TIME>]")]
pub(crate) struct Options {
    /// Transactions, undone as if they had been one; or a table and the key of a row, whose last change is undone. Nothing,
    /// or `@`, is your latest transaction that is no undo, `@~1` the one before it.
    #[arg(value_name = "XID | TABLE KEY", allow_negative_numbers = true)]
    what: Vec<String>,
    /// Everything done on behalf of this actor.
    #[arg(long, value_name = "NAME")]
    by_actor: Option<String>,
    /// Everything done by this application.
    #[arg(long, value_name = "NAME")]
    by_application: Option<String>,
    /// Everything done by this user or role.
    #[arg(long, value_name = "NAME")]
    by_user: Option<String>,
    /// Only what was done from this time on, such as "2026-11-23 14:00" or "10 minutes ago".
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only what was done before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    conflicts: ConflictOptions,
    #[command(flatten)]
    columns: ColumnOptions,
    #[command(flatten)]
    batches: BatchOptions,
    #[command(flatten)]
    change: ChangeOptions,
}

impl Options {
    fn names_cause(&self) -> bool {
        [&self.by_actor, &self.by_application, &self.by_user].into_iter().any(Option::is_some)
    }

    /// Whether the transaction is not named by its number.
    fn names_own(&self) -> bool {
        self.what.iter().all(|word| word.starts_with('@'))
    }
}

/// Which transaction it is that was not named by its number.
async fn show_own(xid: i64, options: &Options, session: &Session) -> Result<(), Error> {
    let mut screen = Screen::plain(&options.change.common.output);
    if !screen.is_json
        && let Some(transaction) = feed::transaction(&session.client, xid).await?
    {
        screen.lines(&block(&transaction, session, screen.paint))?;
        screen.line("")?;
    }
    screen.finish()
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.change.common.connection).await?;
    let target = target(&options, &session).await?;
    if let (Target::Transaction(xid), true) = (&target, options.names_own()) {
        show_own(*xid, &options, &session).await?;
    }
    let manner = Manner { on_conflict: options.conflicts.way(), columns: options.columns.names() };
    let way = Way { manner, batch: options.batches.batch };
    apply(session, &target, way, &options.change).await
}

async fn target(options: &Options, session: &Session) -> Result<Target, Error> {
    let is_limited = options.since.is_some() || options.until.is_some();
    let actor = options.change.actor.as_deref();
    if options.what.is_empty() && !options.names_cause() && !is_limited {
        return Ok(Target::Transaction(revert::last(&session.client, actor, 0).await?));
    }
    // A table whose name is a number is written with quotes, as in a query.
    let mut xids = Some(Vec::new());
    for word in &options.what {
        let xid = session.transaction(word, actor).await?;
        xids = xids.and_then(|xids: Vec<i64>| Some([xids, vec![xid?]].concat()));
    }
    match (options.what.as_slice(), xids) {
        ([], _) if options.names_cause() => Ok(Target::Cause(Cause {
            actor: options.by_actor.clone(),
            application: options.by_application.clone(),
            user: options.by_user.clone(),
            from: session.moment(options.since.as_deref()).await?,
            to: session.moment(options.until.as_deref()).await?,
        })),
        (_, _) if options.names_cause() || is_limited => Err(unclear()),
        ([_], Some(xids)) => Ok(Target::Transaction(xids[0])),
        ([_, ..], Some(xids)) => Ok(Target::Transactions(xids)),
        ([table, key], None) => {
            let (table, key) = session.row_of(table, key).await?;
            Ok(Target::LastChange(table, key))
        }
        _ => Err(unclear()),
    }
}

fn unclear() -> Error {
    Error::Usage {
        message: "it is not clear what to undo".to_owned(),
        hint: "pgtrack undo takes back your latest transaction; else pgtrack undo XID…, pgtrack undo TABLE KEY, or pgtrack undo --by-application NAME --since TIME",
    }
}
