//! `pgtrack install`: puts pg_track into a database, or upgrades it.

use clap::Args;
use pgtrack_tracker::Installation;
use serde_json::json;

use crate::error::Error;
use crate::session::{Common, Session};
use crate::terminal::Screen;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let mut session = Session::open_any(&options.common.connection).await?;
    let done = pgtrack_tracker::install(&mut session.client).await?;
    let (word, text) = match done {
        Installation::Present => ("present", "pg_track is already in"),
        Installation::Installed => ("installed", "pg_track is now in"),
        Installation::Upgraded => ("upgraded", "pg_track was upgraded in"),
    };
    let mut screen = Screen::plain(&options.common.output);
    if screen.is_json {
        screen.json(&json!({ "outcome": word }))?;
    } else {
        screen.line(&format!("{text} {}.", session.place))?;
    }
    screen.finish()
}
