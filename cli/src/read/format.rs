//! The files that `export` writes: CSV as RFC 4180 has it, or JSON Lines.

use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::terminal::Screen;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One JSON object on each line.
    Jsonl,
    /// Comma-separated values with a head line; nested values are JSON.
    Csv,
}

/// Writes objects that all have the same columns.
pub(super) struct Writer {
    format: Format,
    /// The columns of CSV, once they are known.
    columns: Vec<String>,
}

impl Writer {
    /// The columns are known beforehand, so that a file without rows has its head line, too.
    pub(super) fn new(format: Format, columns: Vec<String>) -> Self {
        Self { format, columns }
    }

    pub(super) fn head(&self, screen: &mut Screen) -> Result<(), Error> {
        match self.format {
            Format::Jsonl => Ok(()),
            Format::Csv => screen.bytes(&record(self.columns.iter().map(String::as_str))?),
        }
    }

    pub(super) fn row(&self, row: &Map<String, Value>, screen: &mut Screen) -> Result<(), Error> {
        match self.format {
            Format::Jsonl => {
                // Texts and numbers can always be written.
                let line = serde_json::to_string(row).unwrap_or_default();
                screen.line(&line)
            }
            Format::Csv => {
                let cells = self.columns.iter().map(|column| cell(row.get(column)));
                let cells: Vec<String> = cells.collect();
                screen.bytes(&record(cells.iter().map(String::as_str))?)
            }
        }
    }
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn record<'a>(cells: impl Iterator<Item = &'a str>) -> Result<Vec<u8>, Error> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(cells).map_err(|error| Error::Output(error.into()))?;
    writer.into_inner().map_err(|error| Error::Output(error.into_error()))
}
