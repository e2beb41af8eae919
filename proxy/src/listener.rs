//! Accepts connections on one address and gives each a task of its own.
//!
//! What the connections are for is none of its business.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::Counters;

/// How long to wait for the resources that `accept` lacks, mostly file descriptors.
const BACK_OFF: Duration = Duration::from_millis(100);
/// How often to say that they are lacking.
const BACK_OFF_LOGGED_EVERY: Duration = Duration::from_mins(1);

/// Serves connections with `serve` until `shutdown`, then waits for those that are still open.
/// A panic ends its own connection only.
pub(crate) async fn run<F, Fut>(
    listener: TcpListener,
    shutdown: CancellationToken,
    counters: &Counters,
    serve: F,
) where
    F: Fn(TcpStream, SocketAddr) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut back_off_logged = None;
    loop {
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(ended) = connections.join_next() => note_panic(ended, counters),
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    counters.connections.add(1);
                    connections.spawn(serve(stream, address));
                }
                Err(failure) if concerns_one_connection(&failure) => {}
                Err(failure) => {
                    log_back_off(&failure, &mut back_off_logged);
                    sleep(BACK_OFF).await;
                }
            },
        }
    }
    // Closed before the wait: clients should try elsewhere.
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        note_panic(ended, counters);
    }
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

fn note_panic(ended: Result<(), JoinError>, counters: &Counters) {
    if let Err(failure) = ended
        && failure.is_panic()
    {
        counters.panics.add(1);
        error!(
            error = &failure as &dyn std::error::Error,
            "a connection ended by a bug in the proxy"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_util::sync::CancellationToken;

    use crate::Counters;

    #[tokio::test]
    async fn case_84_a_panic_ends_only_its_own_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, counters) = (CancellationToken::new(), Arc::new(Counters::default()));
        let (stop, counted) = (shutdown.clone(), Arc::clone(&counters));
        let running = tokio::spawn(async move {
            super::run(listener, stop, &counted, |mut stream, _address| async move {
                loop {
                    let byte = stream.read_u8().await.unwrap();
                    assert_ne!(byte, b'!', "told to panic");
                    stream.write_u8(byte).await.unwrap();
                }
            })
            .await;
        });

        let mut healthy = TcpStream::connect(address).await.unwrap();
        let mut doomed = TcpStream::connect(address).await.unwrap();
        doomed.write_u8(b'!').await.unwrap();
        assert_eq!(doomed.read(&mut [0]).await.unwrap(), 0, "the connection is closed");
        healthy.write_u8(b'x').await.unwrap();
        assert_eq!(healthy.read_u8().await.unwrap(), b'x');

        shutdown.cancel();
        drop(healthy);
        running.await.unwrap();
        // The healthy one panics, too, when it cannot read on.
        assert_eq!(counters.panics.value(), 2);
        assert_eq!(counters.connections.value(), 2);
    }
}
