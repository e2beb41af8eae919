//! Telling a person that work which takes long is still going on.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::time::Duration;

use tokio::time::Instant;

/// How long nothing is said.
const QUIET: Duration = Duration::from_secs(1);

/// Does the work; on a terminal it says after a second what takes so long, and for how long.
pub(crate) async fn while_waiting<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    if !stderr().is_terminal() {
        return work.await;
    }
    let started = Instant::now();
    let mut is_told = false;
    loop {
        if let Ok(result) = tokio::time::timeout(QUIET, &mut work).await {
            if is_told {
                // The line is taken back. Where standard error is closed there is nobody to tell.
                let _ = write!(stderr(), "\r\x1b[K");
            }
            return result;
        }
        is_told = true;
        let _ = write!(stderr(), "\r\x1b[K{what} … {} s", started.elapsed().as_secs());
        let _ = stderr().flush();
    }
}
