//! Ctrl-C and SIGTERM ask the program to end; a second one insists.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled when the program is asked to end.
/// Asked twice, the program ends at once; a private server is stopped all the same.
pub(crate) fn requested() -> io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let requested = token.clone();
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if requested.is_cancelled() {
                insist();
            }
            requested.cancel();
        }
    });
    Ok(token)
}

#[expect(clippy::exit, reason = "whoever asks twice does not want to wait for sessions to end")]
fn insist() -> ! {
    std::process::exit(130)
}
