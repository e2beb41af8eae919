//! `pgtrack revert`: a row to one of its versions, a table or a schema to a point.

use clap::Args;
use pgtrack_tracker::history;
use pgtrack_tracker::revert::{Manner, OnConflict, Target};

use super::apply::{Way, apply};
use super::options::{BatchOptions, ChangeOptions, ColumnOptions};
use crate::error::Error;
use crate::session::{KEY_HELP, Session};

/// `pgtrack revert TABLE KEY VERSION`, `pgtrack revert TABLE [KEY] --to POINT`, or `pgtrack revert --schema SCHEMA --to POINT`.
#[derive(Debug, Args)]
#[command(override_usage = "pgtrack revert [OPTIONS] <TABLE> <KEY> <VERSION>\n       \
                            pgtrack revert [OPTIONS] <TABLE> <KEY> --to <TIME>\n       \
                            pgtrack revert [OPTIONS] <TABLE> --to <POINT>\n       \
                            pgtrack revert [OPTIONS] --schema <SCHEMA> --to <POINT>")]
pub(crate) struct Options {
    /// The table, named as in a query.
    #[arg(conflicts_with = "schema")]
    table: Option<String>,
    #[arg(help = KEY_HELP, allow_hyphen_values = true)]
    key: Option<String>,
    /// What the row was right after this version of its history; 0 is before its first recorded change.
    #[arg(
        id = "row_version",
        value_name = "VERSION",
        conflicts_with = "to",
        allow_negative_numbers = true
    )]
    version: Option<i32>,
    /// What the table or schema was at this point: a tag, a timestamp, or xid:N. For a row, a time.
    #[arg(long, value_name = "POINT")]
    to: Option<String>,
    /// All tracked tables of this schema.
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    #[command(flatten)]
    columns: ColumnOptions,
    #[command(flatten)]
    batches: BatchOptions,
    #[command(flatten)]
    change: ChangeOptions,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.change.common.connection).await?;
    let target = target(&options, &session).await?;
    // A version or a point is what the rows shall be, whatever came after it.
    let manner = Manner { on_conflict: OnConflict::Error, columns: options.columns.names() };
    let way = Way { manner, batch: options.batches.batch };
    apply(session, &target, way, &options.change).await
}

async fn target(options: &Options, session: &Session) -> Result<Target, Error> {
    let Options { table, key, version, to, schema, .. } = options;
    match (table, key, version, to, schema) {
        (Some(table), Some(key), Some(version), None, None) => {
            let (table, key) = session.row_of(table, key).await?;
            Ok(Target::Version(table, key, *version))
        }
        (Some(table), Some(key), None, Some(time), None) => {
            let (table, key) = session.row_of(table, key).await?;
            let moment = pgtrack_tracker::past::moment(&session.client, time).await?;
            let version = history::version_at(&session.client, &table, &key, moment).await?;
            Ok(Target::Version(table, key, version))
        }
        (Some(table), None, None, Some(point), None) => {
            Ok(Target::Table(session.table(table).await?, point.clone()))
        }
        (None, None, None, Some(point), Some(schema)) => {
            Ok(Target::Schema(schema.clone(), point.clone()))
        }
        _ => Err(Error::Usage {
            message: "it is not clear what to revert, or to what".to_owned(),
            hint: "pgtrack revert TABLE KEY VERSION, pgtrack revert TABLE [KEY] --to POINT, or pgtrack revert --schema SCHEMA --to POINT",
        }),
    }
}
