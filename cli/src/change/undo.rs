//! `pgtrack undo`: takes back transactions, a row's last change, or everything that somebody did.

use clap::Args;
use pgtrack_tracker::revert::{Cause, Manner, Target};

use super::apply::{Way, apply};
use super::options::{BatchOptions, ChangeOptions, ColumnOptions, ConflictOptions};
use crate::error::Error;
use crate::session::Session;

/// `pgtrack undo XID…`, `pgtrack undo TABLE KEY`, or `pgtrack undo --by-application NAME --since TIME`.
#[derive(Debug, Args)]
#[command(override_usage = "pgtrack undo [OPTIONS] <XID>...\n       \
                            pgtrack undo [OPTIONS] <TABLE> <KEY>\n       \
                            pgtrack undo [OPTIONS] [--by-actor <NAME>] [--by-application <NAME>] [--by-user <NAME>] [--since <TIME>] [--until <TIME>]")]
pub(crate) struct Options {
    /// Transactions, undone as if they had been one; or a table and the key of a row, whose last change is undone.
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
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.change.common.connection).await?;
    let target = target(&options, &session).await?;
    let manner = Manner { on_conflict: options.conflicts.way(), columns: options.columns.names() };
    let way = Way { manner, batch: options.batches.batch };
    apply(session, &target, way, &options.change).await
}

async fn target(options: &Options, session: &Session) -> Result<Target, Error> {
    // A table whose name is a number is written with quotes, as in a query.
    let xids: Option<Vec<i64>> = options.what.iter().map(|word| word.parse().ok()).collect();
    match (options.what.as_slice(), xids) {
        ([], _) if options.names_cause() => Ok(Target::Cause(Cause {
            actor: options.by_actor.clone(),
            application: options.by_application.clone(),
            user: options.by_user.clone(),
            from: session.moment(options.since.as_deref()).await?,
            to: session.moment(options.until.as_deref()).await?,
        })),
        (_, _) if options.names_cause() || options.since.is_some() || options.until.is_some() => {
            Err(unclear())
        }
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
        hint: "pgtrack undo XID…, pgtrack undo TABLE KEY, or pgtrack undo --by-application NAME --since TIME",
    }
}
