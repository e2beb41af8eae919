//! `pgtrack status`: what is tracked, and whether all is well.

use clap::Args;
use pgtrack_tracker::{care, feed, tracked_tables};
use serde_json::json;

use crate::error::Error;
use crate::present::json::time;
use crate::present::one_line;
use crate::session::{Common, Session};
use crate::terminal::{Cell, Grid, Screen, Tone};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let client = &session.client;
    let tables = tracked_tables(client).await?;
    let untracked = care::untracked(client).await?;
    let findings = care::verify(client).await?;
    let (latest, _) = feed::newest(client, 1, None).await?;
    let mut screen = Screen::paged(&options.common.output);
    if screen.is_json {
        let tracked = tables.iter().map(|table| {
            json!({
                "table": table.display_name, "key": table.key_columns, "since": time(table.since),
                "estimated_changes": table.estimated_changes, "history_bytes": table.history_bytes,
            })
        });
        let names = untracked.iter().map(|table| table.display_name.as_str());
        let problems = findings.iter().map(|finding| {
            json!({ "table": finding.table, "problem": finding.problem, "hint": finding.hint })
        });
        screen.json(&json!({
            "tracked": tracked.collect::<Vec<_>>(),
            "untracked": names.collect::<Vec<_>>(),
            "problems": problems.collect::<Vec<_>>(),
            "latest_xid": latest.first().map(|transaction| transaction.xid),
        }))?;
        return screen.finish();
    }
    screen.line(&format!("On {}", session.place))?;
    if let Some(transaction) = latest.first() {
        let label = "Latest change  ";
        let left = screen.columns.map(|columns| columns.saturating_sub(label.len()));
        let line = one_line(transaction, &session, screen.paint, left);
        screen.line(&format!("{label}{line}"))?;
    }
    screen.line("")?;
    if tables.is_empty() {
        screen.line("No table is tracked. `pgtrack track SCHEMA` starts with all of a schema.")?;
    } else {
        let mut grid = Grid::new(&["tracked table", "key", "changes", "history", "since"]);
        for table in &tables {
            grid.add(vec![
                Cell::new(Tone::Added, &table.display_name),
                Cell::plain(table.key_columns.join(", ")),
                Cell::number(table.estimated_changes),
                Cell::plain(size(table.history_bytes)),
                Cell::new(Tone::Faint, session.time(table.since)),
            ]);
        }
        screen.grid(&grid)?;
    }
    if !untracked.is_empty() {
        screen.line("")?;
        screen.line("Not tracked:")?;
        for table in &untracked {
            let name = screen.paint.text(Tone::Removed, &table.display_name);
            let note = if table.has_key { "" } else { "  (no primary key)" };
            screen.line(&format!("  {name}{note}"))?;
        }
    }
    if !findings.is_empty() {
        screen.line("")?;
        screen.line("To look at (`pgtrack verify` looks closer):")?;
        for finding in &findings {
            screen.lines(&super::verify::lines(finding, screen.paint))?;
        }
    }
    screen.finish()
}

/// A size for people.
fn size(bytes: i64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut rest = bytes;
    let mut unit = "B";
    for next in UNITS {
        if rest < 10_240 {
            break;
        }
        rest = (rest + 512) / 1024;
        unit = next;
    }
    format!("{rest} {unit}")
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_rounded() {
        for (bytes, text) in [
            (0, "0 B"),
            (8192, "8192 B"),
            (49_152, "48 kB"),
            (30_000_000, "29 MB"),
            (i64::MAX / 1024, "8192 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
