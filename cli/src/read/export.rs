//! `pgtrack export`: what is recorded of tables, or a table as it was, to standard output; or all history to an archive.

use clap::Args;
use pgtrack_tracker::{TableName, columns, export, tracked_table, tracked_tables};
use serde_json::Value;

use super::format::{Format, Writer};
use crate::archive;
use crate::error::Error;
use crate::present::json;
use crate::session::{ConnectionOptions, Session};
use crate::terminal::{Screen, while_waiting};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The tables whose changes to export, newest first; all tracked ones without this.
    tables: Vec<String>,
    /// The kind of file.
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    format: Format,
    /// Export the rows of one table as they were at this point instead: a tag, a timestamp, xid:N, or now.
    #[arg(long, value_name = "POINT", conflicts_with_all = ["since", "until"])]
    at: Option<String>,
    /// Only changes from this time on, such as "2026-11-23 14:00" or "10 minutes ago".
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only changes before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Add all history that is not there yet to the archive at this path or URL (s3://, gs://, az://), as Parquet files.
    #[arg(long, value_name = "URL", conflicts_with_all = ["tables", "format", "at", "since", "until"])]
    to: Option<String>,
    #[command(flatten)]
    connection: ConnectionOptions,
}

/// What is exported of a change. Names are those of the SQL interface.
const CHANGE: [&str; 14] = [
    "table",
    "row_pk",
    "ver",
    "op",
    "changed_at",
    "who",
    "xid",
    "application",
    "client_addr",
    "message",
    "query",
    "what",
    "before",
    "after",
];

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let mut session = Session::open(&options.connection).await?;
    if let Some(url) = &options.to {
        return archive(&mut session, url).await;
    }
    let mut names = Vec::new();
    for table in &options.tables {
        names.push(session.table(table).await?);
    }
    match &options.at {
        Some(point) => {
            let [table] = names.as_slice() else {
                return Err(Error::Usage {
                    message: "--at needs exactly one table".to_owned(),
                    hint: "pgtrack export TABLE --at POINT",
                });
            };
            export_rows(&session, table, point, &options).await
        }
        None => export_changes(&session, names, &options).await,
    }
}

async fn archive(session: &mut Session, url: &str) -> Result<(), Error> {
    let archive = archive::open(url)?;
    let exporting = pgtrack_archive::export(&mut session.client, &archive);
    let exported = while_waiting("Exporting", exporting).await?;
    let mut screen = Screen::raw();
    screen.line(&format!(
        "{} row changes were exported, in {} files of {} bytes.",
        exported.changes, exported.files, exported.bytes
    ))?;
    screen.finish()
}

async fn export_changes(
    session: &Session,
    mut names: Vec<TableName>,
    options: &Options,
) -> Result<(), Error> {
    if names.is_empty() {
        let tables = tracked_tables(&session.client).await?;
        names.extend(tables.into_iter().map(|table| table.name));
    }
    let since = session.moment(options.since.as_deref()).await?;
    let until = session.moment(options.until.as_deref()).await?;
    let mut screen = Screen::raw();
    let writer = Writer::new(options.format, CHANGE.map(str::to_owned).to_vec());
    writer.head(&mut screen)?;
    for table in &names {
        let found = tracked_table(&session.client, table).await?;
        let name = found.map_or_else(|| table.to_string(), |found| found.display_name);
        let mut rows = export::changes(&session.client, table, since, until).await?;
        while let Some(mut version) = rows.next_change().await? {
            version.table.clone_from(&name);
            if let Value::Object(object) = json::version(&version) {
                writer.row(&object, &mut screen)?;
            }
        }
    }
    screen.finish()
}

async fn export_rows(
    session: &Session,
    table: &TableName,
    point: &str,
    options: &Options,
) -> Result<(), Error> {
    let columns = columns(&session.client, table).await?;
    let columns = columns.into_iter().map(|column| column.name).collect();
    let mut rows = export::table_at(&session.client, table, point).await?;
    let mut screen = Screen::raw();
    let writer = Writer::new(options.format, columns);
    writer.head(&mut screen)?;
    while let Some(row) = rows.next_image().await? {
        writer.row(&row, &mut screen)?;
    }
    screen.finish()
}
