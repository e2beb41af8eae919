//! `pgtrack uninstall`: takes pg_track out of a database, with everything that it recorded.

use clap::Args;
use pgtrack_tracker::{Installed, care};
use serde_json::json;

use crate::error::Error;
use crate::session::{Common, Session};
use crate::terminal::{GRANT, Screen, confirm, require_person};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    require_person(options.yes, GRANT)?;
    let mut session = Session::open_any(&options.common.connection).await?;
    let changes = match pgtrack_tracker::installed(&session.client).await? {
        Installed::Missing => return Err(Error::NotInstalled { place: session.place }),
        _ => care::storage(&session.client).await?.iter().map(|one| one.estimated_changes).sum(),
    };
    let question = format!(
        "Remove pg_track from {}, with about {} recorded row changes?",
        session.place,
        i64::max(changes, 0)
    );
    confirm(&question, options.yes).await?;
    pgtrack_tracker::uninstall(&mut session.client).await?;
    let mut screen = Screen::plain(&options.common.output);
    if screen.is_json {
        screen.json(&json!({ "outcome": "uninstalled" }))?;
    } else {
        screen.line(&format!(
            "pg_track was removed from {}. Tracked tables stay as they are.",
            session.place
        ))?;
    }
    screen.finish()
}
