//! TLS with the upstream.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{ALPN_PROTOCOL, SslMode, SslNegotiation, TlsError, UpstreamTls};
use crate::protocol::opening::SSL_REQUEST_PACKET;
use crate::stream::Stream;

/// Begins TLS as configured.
#[derive(Clone)]
pub(crate) struct Connector {
    mode: SslMode,
    negotiation: SslNegotiation,
    library: TlsConnector,
}

/// What became of a connection to the upstream.
pub(crate) enum Secured {
    /// It has what the mode asks for.
    Done(Stream),
    /// TLS did not come about; the mode allows to connect again without.
    RetryPlain(io::Error),
}

impl Connector {
    /// Reads the files.
    pub(crate) fn load(settings: &UpstreamTls) -> Result<Self, TlsError> {
        let config = settings.client_config()?;
        let library = TlsConnector::from(Arc::new(config));
        Ok(Self { mode: settings.mode, negotiation: settings.negotiation, library })
    }

    /// Whether a connection without TLS will do when one with TLS is refused.
    pub(crate) fn prefers_tls(&self) -> bool {
        self.mode == SslMode::Prefer
    }

    /// Begins TLS on a new connection to `host`, if there is to be any.
    pub(crate) async fn secure(&self, mut stream: Stream, host: &str) -> io::Result<Secured> {
        if self.mode == SslMode::Disable || matches!(stream, Stream::Unix(_)) {
            return Ok(Secured::Done(stream));
        }
        if self.negotiation == SslNegotiation::Postgres && !request_tls(&mut stream).await? {
            return match self.mode {
                SslMode::Prefer => Ok(Secured::Done(stream)),
                _ => Err(io::Error::other("the server does not support TLS")),
            };
        }
        match self.handshake(stream, host).await {
            Ok(stream) => Ok(Secured::Done(stream)),
            Err(failure) if self.prefers_tls() => Ok(Secured::RetryPlain(failure)),
            Err(failure) => Err(failure),
        }
    }

    async fn handshake(&self, stream: Stream, host: &str) -> io::Result<Stream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = self.library.connect(name, stream).await?;
        let has_agreed = stream.get_ref().1.alpn_protocol() == Some(ALPN_PROTOCOL);
        if self.negotiation == SslNegotiation::Direct && !has_agreed {
            return Err(io::Error::other("the server did not agree on the protocol by ALPN"));
        }
        Ok(Stream::Tls(Box::new(stream.into())))
    }
}

/// Asks for TLS; returns whether the server agrees.
///
/// Exactly one byte is read: whatever somebody in between has put behind it becomes part of the handshake,
/// and breaks it (CVE-2021-23222).
async fn request_tls(stream: &mut Stream) -> io::Result<bool> {
    stream.write_all(&SSL_REQUEST_PACKET).await?;
    match stream.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        // An error message could come from anybody (CVE-2024-10977).
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "the server answered a request for TLS with something else",
        )),
    }
}
