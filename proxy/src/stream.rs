//! One leg of a session: a connection to a client or to the upstream, whatever it runs over.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::ServerConnection;
use tokio_rustls::{TlsAcceptor, TlsStream};

use crate::Liveness;
use crate::listen::Accepted;

/// A connected byte stream.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// TLS over one of the others.
    Tls(Box<TlsStream<Stream>>),
    /// None any more: its last owner was a TLS handshake, which has failed.
    Closed,
}

impl Stream {
    /// Takes over a connection that was accepted; returns where it comes from, unless that is a unix socket.
    pub(crate) fn accepted(
        accepted: Accepted,
        liveness: Liveness,
    ) -> io::Result<(Self, Option<SocketAddr>)> {
        match accepted {
            Accepted::Tcp(stream, address, inherited) => {
                if liveness != inherited {
                    liveness.prepare(&stream)?;
                }
                Ok((Self::Tcp(TcpStream::from_std(stream)?), Some(address)))
            }
            Accepted::Unix(stream) => Ok((Self::Unix(UnixStream::from_std(stream)?), None)),
        }
    }

    /// Prepares a TCP connection for relaying.
    pub(crate) fn tcp(stream: TcpStream, liveness: Liveness) -> io::Result<Self> {
        liveness.prepare(&stream)?;
        Ok(Self::Tcp(stream))
    }

    /// Whether a read may return at once, as far as the runtime has been told.
    pub(crate) fn may_be_readable(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.try_io(Interest::READABLE, || Ok(())).is_ok(),
            Self::Unix(stream) => stream.try_io(Interest::READABLE, || Ok(())).is_ok(),
            Self::Tls(stream) => {
                let (socket, session) = stream.get_ref();
                // What was decrypted waits in the session, and the socket does not know of it.
                !session.wants_read() || socket.may_be_readable()
            }
            Self::Closed => true,
        }
    }

    /// Is ready when a read would return at once, so that memory is taken only then.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.may_be_readable() {
            return Poll::Ready(Ok(()));
        }
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
            Self::Tls(stream) => stream.get_ref().0.poll_read_ready(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    /// Our own end of the connection; `None` for a unix socket.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Tls(stream) => stream.get_ref().0.local_address(),
            Self::Unix(_) | Self::Closed => None,
        }
    }

    /// Begins TLS as the server. `received` are the first bytes of the client's handshake.
    pub(crate) async fn accept_tls(
        &mut self,
        acceptor: &TlsAcceptor,
        mut received: &[u8],
    ) -> io::Result<()> {
        let socket = std::mem::replace(self, Self::Closed);
        let feed = |session: &mut ServerConnection| {
            while !received.is_empty() {
                // An error is not lost: the handshake ends with it, when the client has been alerted.
                if session.read_tls(&mut received).is_err()
                    || session.process_new_packets().is_err()
                {
                    break;
                }
            }
        };
        let stream = acceptor.accept_with(socket, feed).await?;
        *self = Self::Tls(Box::new(stream.into()));
        Ok(())
    }

    /// The protocol that was agreed on when TLS began.
    pub(crate) fn alpn_protocol(&self) -> Option<&[u8]> {
        match self {
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol(),
            Self::Tcp(_) | Self::Unix(_) | Self::Closed => None,
        }
    }

    /// The certificate that the peer has shown.
    pub(crate) fn peer_certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Self::Tls(stream) => stream.get_ref().1.peer_certificates()?.first(),
            Self::Tcp(_) | Self::Unix(_) | Self::Closed => None,
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => match Pin::new(stream).poll_read(cx, buffer) {
                // Not every client says goodbye within TLS before it closes.
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    Poll::Ready(Ok(()))
                }
                polled => polled,
            },
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// TLS passes its records on in one call.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}
