//! Connects to the upstream, with TLS as configured.

use std::io;

use tokio::time::timeout;
use tracing::debug;

use crate::Error;
use crate::proxy::Shared;
use crate::security::Snapshot;
use crate::stream::Stream;
use crate::tls::Secured;

/// Opens a connection on which a startup packet or a cancel request can be sent.
pub(crate) async fn connect(security: &Snapshot, shared: &Shared) -> Result<Stream, Error> {
    let upstream = &shared.config.upstream;
    let failed = |source| Error::ConnectUpstream { upstream: upstream.clone(), source };
    let stream = upstream.connect(shared.config.connect_timeout).await.map_err(failed)?;
    let securing = security.connector.secure(stream, &upstream.host);
    let secured = timeout(shared.config.connect_timeout, securing).await;
    match secured.map_err(io::Error::from).and_then(|secured| secured).map_err(failed)? {
        Secured::Done(stream) => Ok(stream),
        Secured::RetryPlain(error) => {
            debug!(%upstream, %error, "the upstream is reached without TLS");
            connect_plain(shared).await
        }
    }
}

/// Opens a connection without TLS.
pub(crate) async fn connect_plain(shared: &Shared) -> Result<Stream, Error> {
    let upstream = &shared.config.upstream;
    let failed = |source| Error::ConnectUpstream { upstream: upstream.clone(), source };
    upstream.connect(shared.config.connect_timeout).await.map_err(failed)
}
