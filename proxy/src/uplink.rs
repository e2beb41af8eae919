//! Connects to one of the servers that a session may go to.

use tokio::time::Instant;

use crate::proxy::Shared;
use crate::stream::Stream;
use crate::{Error, Target, Upstream};

/// Opens a connection on which a startup packet can be sent, to the first server that suits and can be reached.
pub(crate) async fn connect(target: &Target, shared: &Shared) -> Result<(Stream, Upstream), Error> {
    let tried = try_candidates(target, shared).await;
    if tried.is_ok() || !target.needs_roles() {
        return tried;
    }
    // After a failover, the new primary is known as soon as it is asked.
    shared.roles.refresh(Instant::now() + shared.config.connect_timeout).await;
    try_candidates(target, shared).await
}

async fn try_candidates(target: &Target, shared: &Shared) -> Result<(Stream, Upstream), Error> {
    let mut failure = Error::NoSuitableUpstream {
        servers: target.to_string(),
        session_attrs: target.session_attrs,
    };
    for server in target.candidates(|server| shared.roles.of(server)) {
        match connect_to(&server, shared).await {
            Ok(stream) => return Ok((stream, server)),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Opens a connection to this server.
pub(crate) async fn connect_to(server: &Upstream, shared: &Shared) -> Result<Stream, Error> {
    let config = &shared.config;
    server
        .connect(config.connect_timeout, config.liveness)
        .await
        .map_err(|source| Error::ConnectUpstream { upstream: server.clone(), source })
}
