//! Asking before something is changed.

use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};

use crate::error::Error;

/// Asks, unless it was said beforehand that the answer is yes. Without a person to ask the answer is no.
pub(crate) async fn confirm(question: &str, is_granted: bool) -> Result<(), Error> {
    if is_granted {
        return Ok(());
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(Error::NobodyToAsk);
    }
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
