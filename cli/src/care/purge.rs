//! `pgtrack purge`: forgets old history, or old records of calls.

use clap::Args;
use jiff::SignedDuration;
use pgtrack_tracker::care::{self, Purged};
use serde_json::json;

use crate::archive;
use crate::error::Error;
use crate::session::{Common, Session};
use crate::terminal::{Cell, Grid, SHOW_OR_GRANT, Screen, confirm, require_person, while_waiting};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Forget what was changed longer ago than this, such as "90 days".
    #[arg(long, value_name = "AGE")]
    older_than: String,
    /// Only what the archive of `pgtrack export --to` at this path or URL holds: it is read back and compared first.
    #[arg(long, value_name = "URL")]
    exported: Option<String>,
    /// Forget old records of calls, which `pgtrack audit` shows, instead of history.
    #[arg(long, conflicts_with = "exported")]
    audit: bool,
    /// Only show what would be forgotten.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    if options.older_than.trim().parse::<f64>().is_ok() {
        return Err(Error::Usage {
            message: format!("`--older-than {}` has no unit", options.older_than),
            hint: "say of what: --older-than '90 days'",
        });
    }
    require_person(options.yes || options.dry_run, SHOW_OR_GRANT)?;
    let mut session = Session::open(&options.common.connection).await?;
    let age = care::age(&session.client, &options.older_than).await?;
    if options.audit {
        return purge_audit(&options, &session, age).await;
    }
    let archive = options.exported.as_deref().map(archive::open).transpose()?;
    let planning = care::plan_purge(&session.client, age);
    let plan = while_waiting("Counting what is older", planning).await?;
    let mut screen = Screen::plain(&options.common.output);
    if options.dry_run || !screen.is_json {
        show(&plan, &mut screen)?;
        screen.flush()?;
    }
    if let (true, Some(archive)) = (options.dry_run, &archive) {
        let comparing = pgtrack_archive::plan_purge(&mut session.client, archive, age);
        while_waiting("Comparing with the archive", comparing).await?;
    }
    if options.dry_run || plan.is_empty() {
        return screen.finish();
    }
    let changes: i64 = plan.iter().map(|table| table.changes).sum();
    let question = format!(
        "Forget {changes} row changes in {}? They can then neither be shown nor undone.",
        session.place
    );
    confirm(&question, options.yes).await?;
    let purged = match (&archive, &options.exported) {
        (Some(archive), Some(url)) => {
            let purging = pgtrack_archive::purge(&mut session.client, archive, age, url);
            while_waiting("Comparing and forgetting", purging).await?
        }
        _ => while_waiting("Forgetting", care::purge(&session.client, age)).await?,
    };
    if screen.is_json {
        show(&purged, &mut screen)?;
    } else {
        let changes: i64 = purged.iter().map(|table| table.changes).sum();
        screen.line(&format!("{changes} row changes were forgotten."))?;
    }
    screen.finish()
}

async fn purge_audit(
    options: &Options,
    session: &Session,
    age: SignedDuration,
) -> Result<(), Error> {
    let mut screen = Screen::plain(&options.common.output);
    let mut count = care::plan_purge_audit(&session.client, age).await?;
    let mut verb = "would be";
    if !options.dry_run && count > 0 {
        let question = format!("Forget {count} calls in {}?", session.place);
        confirm(&question, options.yes).await?;
        count = care::purge_audit(&session.client, age).await?;
        verb = "were";
    }
    if screen.is_json {
        screen.json(&json!({ "calls": count }))?;
    } else if count == 0 {
        screen.line("No call recorded is so old.")?;
    } else {
        screen.line(&format!("{count} calls {verb} forgotten."))?;
    }
    screen.finish()
}

fn show(tables: &[Purged], screen: &mut Screen) -> Result<(), Error> {
    let mut grid = Grid::new(&["table", "statements", "changes"]);
    for Purged { table, statements, changes } in tables {
        if screen.is_json {
            screen
                .json(&json!({ "table": table, "statements": statements, "changes": changes }))?;
        }
        grid.add(vec![Cell::plain(table), Cell::number(*statements), Cell::number(*changes)]);
    }
    match (screen.is_json, grid.is_empty()) {
        (true, _) => Ok(()),
        (false, true) => screen.line("Nothing recorded is so old."),
        (false, false) => screen.grid(&grid),
    }
}
