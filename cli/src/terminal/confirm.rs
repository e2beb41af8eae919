//! Asking before something is changed.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use crate::error::Error;

/// What to do where nobody can be asked.
pub(crate) const SHOW_OR_GRANT: &str =
    "--yes says yes beforehand, --dry-run only shows what would be done";
/// The same of a command that has nothing to show.
pub(crate) const GRANT: &str = "--yes says yes beforehand";

/// Whether there is somebody to ask, or nobody has to be asked. To be found out before anything that takes long.
pub(crate) fn require_person(is_granted: bool, hint: &'static str) -> Result<(), Error> {
    if is_granted || stdin().is_terminal() && stderr().is_terminal() {
        return Ok(());
    }
    Err(Error::NobodyToAsk { hint })
}

/// Asks, unless it was said beforehand that the answer is yes. Without a person to ask the answer is no.
pub(crate) async fn confirm(question: &str, is_granted: bool) -> Result<(), Error> {
    if is_granted {
        return Ok(());
    }
    require_person(false, GRANT)?;
    // Where standard error is closed there is nobody to ask; the answer is then read as no.
    let _ = write!(stderr(), "{question} [y/N] ");
    let reading = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = tokio::select! {
        answer = reading => answer.map_err(|panic| Error::Runtime(panic.into()))?,
        () = crate::shutdown::requested().cancelled() => return Err(Error::Interrupted),
    };
    match answer.map_err(Error::Output)?.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Error::NotConfirmed),
    }
}
