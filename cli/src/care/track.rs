//! `pgtrack track`: records every change of tables from now on.

use clap::{Args, ValueEnum};
use pgtrack_tracker::care::{self, Tracking};
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::session::{Common, Session};
use crate::terminal::{Cell, Grid, OutputOptions, Screen, Tone};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Tables or schemas, named as in a query; of a schema all tables, those to come included.
    #[arg(required = true, value_name = "TABLE | SCHEMA")]
    targets: Vec<String>,
    /// Do not record this column.
    #[arg(long, value_name = "COLUMN")]
    exclude: Vec<String>,
    /// Record neither this column nor query texts, but show that the column changed.
    #[arg(long, value_name = "COLUMN")]
    redact: Vec<String>,
    /// Do not record query texts.
    #[arg(long)]
    no_query: bool,
    /// What happens when somebody drops the table.
    #[arg(long, value_name = "WHAT")]
    on_drop: Option<OnDrop>,
    /// Record what logical replication applies, too.
    #[arg(long)]
    replica: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnDrop {
    Allow,
    Refuse,
}

impl Options {
    /// The options of `pgtrack.track()`; what was not said is left at its default.
    fn settings(&self) -> Value {
        let mut settings = Map::new();
        for (name, columns) in [("exclude", &self.exclude), ("redact", &self.redact)] {
            if !columns.is_empty() {
                settings.insert(name.to_owned(), json!(columns));
            }
        }
        if self.no_query {
            settings.insert("query".to_owned(), json!(false));
        }
        if self.replica {
            settings.insert("replica".to_owned(), json!(true));
        }
        if let Some(on_drop) = self.on_drop {
            let word = match on_drop {
                OnDrop::Allow => "allow",
                OnDrop::Refuse => "refuse",
            };
            settings.insert("on_drop".to_owned(), json!(word));
        }
        Value::Object(settings)
    }
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let settings = options.settings();
    let mut tables = Vec::new();
    for target in &options.targets {
        tables.extend(care::track(&session.client, target, &settings).await?);
    }
    show(&tables, &options.common.output)
}

/// What became of each table.
pub(super) fn show(tables: &[Tracking], options: &OutputOptions) -> Result<(), Error> {
    let mut screen = Screen::plain(options);
    let mut grid = Grid::new(&["table", "status"]);
    for Tracking { table, status } in tables {
        if screen.is_json {
            screen.json(&json!({ "table_name": table, "status": status }))?;
        }
        let tone = if status.starts_with("skipped") { Tone::Faint } else { Tone::Plain };
        grid.add(vec![Cell::plain(table), Cell::new(tone, status)]);
    }
    if !screen.is_json && !grid.is_empty() {
        screen.grid(&grid)?;
    }
    screen.finish()
}
