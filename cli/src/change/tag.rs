//! `pgtrack tag`: names this moment, lists such names, removes one.

use clap::Args;
use pgtrack_tracker::past;
use serde_json::json;

use crate::error::Error;
use crate::present::json::time;
use crate::session::{Common, Session};
use crate::terminal::{Cell, Grid, Screen, Tone};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Name this moment so; all tags are listed without this.
    name: Option<String>,
    /// Why.
    #[arg(short, long, value_name = "TEXT", requires = "name")]
    message: Option<String>,
    /// Remove the tag.
    #[arg(long, requires = "name", conflicts_with = "message")]
    delete: bool,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    match (&options.name, options.delete) {
        (Some(name), true) => past::untag(&session.client, name).await?,
        (Some(name), false) => {
            past::tag(&session.client, name, options.message.as_deref()).await?;
        }
        (None, _) => return list(&session, &options).await,
    }
    Ok(())
}

async fn list(session: &Session, options: &Options) -> Result<(), Error> {
    let tags = past::tags(&session.client).await?;
    let mut screen = Screen::paged(&options.common.output);
    let mut grid = Grid::new(&["tag", "when", "who", "message"]);
    for tag in &tags {
        if screen.is_json {
            screen.json(&json!({
                "name": tag.name, "at": time(tag.at), "who": tag.who, "message": tag.message,
            }))?;
        }
        grid.add(vec![
            Cell::new(Tone::Subject, &tag.name),
            Cell::new(Tone::Faint, session.time(tag.at)),
            Cell::plain(&tag.who),
            Cell::plain(tag.message.as_deref().unwrap_or_default()),
        ]);
    }
    if !screen.is_json && !grid.is_empty() {
        screen.grid(&grid)?;
    }
    screen.finish()
}
