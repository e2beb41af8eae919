//! Connects to one of the servers that a session may go to.

use std::io;

use tokio::time::{Instant, timeout};
use tracing::debug;

use crate::proxy::Shared;
use crate::stream::Stream;
use crate::tls::Secured;
use crate::{Error, Target, Upstream};

/// Opens a connection on which a startup packet can be sent, to the first server that suits and can be reached.
pub(crate) async fn connect(target: &Target, shared: &Shared) -> Result<(Stream, Upstream), Error> {
    if !target.needs_roles() {
        return try_candidates(target, shared).await;
    }
    let deadline = || Instant::now() + shared.config.connect_timeout;
    // Just after the start, the first server that answered is not yet the best one.
    shared.roles.first_answers(&target.servers, deadline()).await;
    let tried = try_candidates(target, shared).await;
    if tried.is_ok() {
        return tried;
    }
    // After a failover, the new primary is known as soon as it is asked.
    shared.roles.refresh(deadline()).await;
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

/// Opens a connection to this server, with TLS as configured.
pub(crate) async fn connect_to(server: &Upstream, shared: &Shared) -> Result<Stream, Error> {
    let connector = &shared.security.connector;
    let securing = connector.secure(connect_plain(server, shared).await?, &server.host);
    let secured = timeout(shared.config.connect_timeout, securing).await;
    let failed = |source| Error::ConnectUpstream { upstream: server.clone(), source };
    match secured.map_err(io::Error::from).and_then(|secured| secured).map_err(failed)? {
        Secured::Done(stream) => Ok(stream),
        Secured::RetryPlain(error) => {
            debug!(%server, %error, "the upstream is reached without TLS");
            connect_plain(server, shared).await
        }
    }
}

/// Opens a connection to this server that is not encrypted.
pub(crate) async fn connect_plain(server: &Upstream, shared: &Shared) -> Result<Stream, Error> {
    let config = &shared.config;
    server
        .connect(config.connect_timeout, config.liveness)
        .await
        .map_err(|source| Error::ConnectUpstream { upstream: server.clone(), source })
}
