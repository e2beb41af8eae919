//! The program that lets a person leaf through long output.

use std::io;
use std::process::{Child, Command, Stdio};

/// Starts $PAGER, or less; `None` if the person wants none.
pub(super) fn start() -> io::Result<Option<Child>> {
    let wanted = std::env::var("PGTRACK_PAGER").or_else(|_| std::env::var("PAGER"));
    let wanted = wanted.unwrap_or_else(|_| "less".to_owned());
    if wanted.trim().is_empty() || wanted.trim() == "cat" {
        return Ok(None);
    }
    // As git has it: leave at once what fits on the screen, pass colours on, and do not clear the screen.
    let less = std::env::var("LESS").unwrap_or_else(|_| "FRX".to_owned());
    let child =
        Command::new("sh").args(["-c", &wanted]).env("LESS", less).stdin(Stdio::piped()).spawn()?;
    Ok(Some(child))
}
