//! Forwards a cancel request.
//!
//! Sessions have their keys from the server itself, so the request needs no translation, and one for a
//! session of another proxy works as well.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tracing::debug;

use crate::proxy::Shared;
use crate::{Error, Upstream, uplink};

/// How long a request waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take to signal the session.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Passes the request on, and returns when the server has acted on it.
///
/// The server says so by closing the connection, and the client must not see its own closed before:
/// libpq then sends its next statement, which the late signal would hit.
pub(super) async fn forward(packet: &[u8], shared: &Shared) -> Result<(), Error> {
    let turn = timeout(TURN_TIMEOUT, shared.cancel_permits.acquire()).await;
    let Ok(Ok(_permit)) = turn else { return Err(Error::TooManyCancels) };
    shared.counters.cancels.add(1);
    // Behind length, code and nothing else; manual, "`CancelRequest`".
    let key_data = packet.get(8..).unwrap_or_default();
    match shared.cancel_keys.server(key_data) {
        Some(server) => deliver(packet, &server, shared).await?,
        // The session of another proxy may be on any server; the others ignore what they do not know.
        None => {
            for server in shared.config.servers() {
                if let Err(error) = deliver(packet, &server, shared).await {
                    debug!(%server, error = &error as &dyn std::error::Error, "cannot cancel");
                }
            }
        }
    }
    Ok(())
}

async fn deliver(packet: &[u8], server: &Upstream, shared: &Shared) -> Result<(), Error> {
    let mut stream = uplink::connect_to(server, shared).await?;
    let failed = |source| Error::ConnectUpstream { upstream: server.clone(), source };
    stream.write_all(packet).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    // There is no reply: whatever comes, or does not, it is over.
    let _ = timeout(DELIVERY_TIMEOUT, stream.read(&mut [0])).await;
    Ok(())
}
