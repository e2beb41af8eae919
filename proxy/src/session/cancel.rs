//! Forwards a cancel request.
//!
//! Sessions have their keys from the server itself, so the request needs no translation, and one for a
//! session of another proxy works as well.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::proxy::Shared;
use crate::security::Snapshot;
use crate::{Error, uplink};

/// How long a request waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may take to signal the session.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Passes the request on, and returns when the server has acted on it.
///
/// The server says so by closing the connection, and the client must not see its own closed before:
/// libpq then sends its next statement, which the late signal would hit.
pub(super) async fn forward(
    packet: &[u8],
    security: &Snapshot,
    shared: &Shared,
) -> Result<(), Error> {
    let turn = timeout(TURN_TIMEOUT, shared.cancel_permits.acquire()).await;
    let Ok(Ok(_permit)) = turn else { return Err(Error::TooManyCancels) };
    let upstream = &shared.config.upstream;
    let failed = |source| Error::ConnectUpstream { upstream: upstream.clone(), source };
    let mut stream = uplink::connect(security, shared).await?;
    stream.write_all(packet).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    shared.counters.cancels.add(1);
    // There is no reply: whatever comes, or does not, it is over.
    let _ = timeout(DELIVERY_TIMEOUT, stream.read(&mut [0])).await;
    Ok(())
}
