//! The commands that look after pg_track itself: what is tracked, how long it is kept, whether it is there at all.

pub(crate) mod erase;
pub(crate) mod install;
pub(crate) mod keep;
pub(crate) mod purge;
pub(crate) mod recover;
pub(crate) mod track;
pub(crate) mod uninstall;
pub(crate) mod untrack;

use serde_json::json;

use crate::error::Error;
use crate::terminal::{Screen, escaped};

/// What a function says that it has done.
fn say(outcome: &str, screen: &mut Screen) -> Result<(), Error> {
    if screen.is_json {
        screen.json(&json!({ "outcome": outcome }))
    } else {
        screen.line(&escaped(outcome))
    }
}
