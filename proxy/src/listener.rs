//! Accepts connections on one socket. What becomes of them is none of its business.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::Counters;
use crate::listen::{Accepted, Acceptor};

/// How long to wait for the resources that `accept` lacks, mostly file descriptors.
const BACK_OFF: Duration = Duration::from_millis(100);
/// How often to say that they are lacking.
const BACK_OFF_LOGGED_EVERY: Duration = Duration::from_mins(1);

/// Hands connections to `serve` until `shutdown`, then closes the socket: clients should try elsewhere.
pub(crate) async fn run(
    socket: Acceptor,
    shutdown: CancellationToken,
    counters: &Counters,
    serve: impl Fn(Accepted),
) {
    let mut back_off_logged = None;
    let accepting = async {
        loop {
            match socket.accept().await {
                Ok(accepted) => {
                    counters.connections.add(1);
                    serve(accepted);
                }
                Err(failure) if concerns_one_connection(&failure) => {}
                Err(failure) => {
                    log_back_off(&failure, &mut back_off_logged);
                    sleep(BACK_OFF).await;
                }
            }
        }
    };
    shutdown.run_until_cancelled(accepting).await;
}

/// Whether `accept` failed because the client went away; see `accept(2)`, "Error handling".
fn concerns_one_connection(failure: &io::Error) -> bool {
    matches!(
        failure.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn log_back_off(failure: &io::Error, logged: &mut Option<Instant>) {
    if logged.is_none_or(|at| at.elapsed() >= BACK_OFF_LOGGED_EVERY) {
        *logged = Some(Instant::now());
        warn!(error = failure as &dyn std::error::Error, "cannot accept connections for now");
    }
}
