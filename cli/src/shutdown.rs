//! Ctrl-C and SIGTERM ask the program to end; a second one insists.

use std::io;
use std::sync::LazyLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled when the program was asked to end. Signals are for the process, and so is this.
static REQUESTED: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);

/// A token that is cancelled when the program is asked to end, once it listens.
pub(crate) fn requested() -> &'static CancellationToken {
    &REQUESTED
}

/// Listens for signals from now on.
/// Asked twice, the program ends at once; a private server is stopped all the same.
pub(crate) fn listen() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if REQUESTED.is_cancelled() {
                insist();
            }
            REQUESTED.cancel();
        }
    });
    Ok(())
}

#[expect(clippy::exit, reason = "whoever asks twice does not want to wait for sessions to end")]
fn insist() -> ! {
    std::process::exit(130)
}
