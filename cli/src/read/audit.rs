//! `pgtrack audit`: who called which function that changes something.

use clap::Args;
use pgtrack_tracker::audit::{self, Entry, Filter};
use serde_json::{Value, json};

use crate::error::Error;
use crate::present::json::time;
use crate::session::{Common, Session};
use crate::terminal::{Cell, Grid, Screen, Tone};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// No more than so many.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..))]
    max: i64,
    /// Only those of this actor or user.
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only calls of this function, such as `undo_transaction`.
    #[arg(long, value_name = "FUNCTION")]
    verb: Option<String>,
    /// Only those from this time on, such as "2026-11-23 14:00" or "10 minutes ago".
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    #[command(flatten)]
    common: Common,
}

pub(crate) async fn run(options: Options) -> Result<(), Error> {
    let session = Session::open(&options.common.connection).await?;
    let filter = Filter {
        who: options.who,
        verb: options.verb,
        since: session.moment(options.since.as_deref()).await?,
        until: session.moment(options.until.as_deref()).await?,
    };
    let entries = audit::entries(&session.client, &filter, options.max).await?;
    let mut screen = Screen::paged(&options.common.output);
    if screen.is_json {
        for entry in &entries {
            screen.json(&object(entry))?;
        }
        return screen.finish();
    }
    let mut grid = Grid::new(&["when", "who", "call", "outcome", "reason"]);
    for entry in &entries {
        let tone = if entry.outcome == "done" { Tone::Added } else { Tone::Warning };
        let state = entry.sqlstate.as_ref().map(|state| format!(" ({state})"));
        grid.add(vec![
            Cell::new(Tone::Faint, session.time(entry.at)),
            Cell::plain(&entry.who),
            Cell::plain(call(entry)),
            Cell::new(tone, format!("{}{}", entry.outcome, state.unwrap_or_default())),
            Cell::plain(entry.message.as_deref().unwrap_or_default()),
        ]);
    }
    if !grid.is_empty() {
        screen.grid(&grid)?;
    }
    screen.finish()
}

/// The call as somebody would write it, without the arguments that were left out.
fn call(entry: &Entry) -> String {
    let Some(Value::Object(arguments)) = &entry.arguments else {
        return entry.verb.clone();
    };
    let given = arguments.iter().filter(|(_, value)| !value.is_null());
    let given: Vec<String> = given.map(|(name, value)| format!("{name} => {value}")).collect();
    format!("{}({})", entry.verb, given.join(", "))
}

fn object(entry: &Entry) -> Value {
    json!({
        "entry_id": entry.id, "at": time(entry.at), "who": entry.who, "verb": entry.verb,
        "arguments": entry.arguments, "outcome": entry.outcome, "sqlstate": entry.sqlstate,
        "user_name": entry.user_name, "application": entry.application, "client_addr": entry.client_addr,
        "message": entry.message, "through_proxy": entry.through_proxy, "xid": entry.xid,
    })
}
