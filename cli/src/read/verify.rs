//! `pgtrack verify`: whether everything is recorded that should be.

use clap::Args;
use pgtrack_tracker::care::{self, Finding};
use serde_json::json;

use crate::error::Error;
use crate::present::in_shell;
use crate::session::{Common, Session};
use crate::terminal::{Paint, Screen, Tone, escaped, while_waiting};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Do not read the rows; rows that were changed unrecorded are not found then.
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let findings = if options.quick {
        care::verify(&session.client).await?
    } else {
        while_waiting("Reading the tracked tables", care::verify_rows(&session.client)).await?
    };
    let mut screen = Screen::paged(&options.common.output);
    for finding in &findings {
        if screen.is_json {
            screen.json(&json!({
                "table": finding.table, "problem": finding.problem, "hint": finding.hint,
            }))?;
        } else {
            screen.lines(&lines(finding, screen.paint))?;
        }
    }
    let problems = findings.iter().filter(|finding| !finding.is_note()).count();
    if problems == 0 {
        if !screen.is_json {
            screen.line("Everything is recorded that should be.")?;
        }
        return screen.finish();
    }
    screen.finish()?;
    let what = match problems {
        1 => "one thing should be looked at".to_owned(),
        count => format!("{count} things should be looked at"),
    };
    Err(Error::Found { what })
}

/// A finding for people.
pub(super) fn lines(finding: &Finding, paint: Paint) -> Vec<String> {
    let table = finding.table.as_ref().map(|table| format!("{}: ", escaped(table)));
    let (label, tone) =
        if finding.is_note() { ("note: ", Tone::Faint) } else { ("", Tone::Warning) };
    let text = format!("{label}{}{}", table.unwrap_or_default(), escaped(&finding.problem));
    let mut lines = vec![paint.text(tone, &text)];
    let hint = finding.hint.as_ref().map(|hint| format!("  hint: {}", escaped(&in_shell(hint))));
    lines.extend(hint);
    lines
}
