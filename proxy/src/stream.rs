//! One leg of a session: a connection to a client or to the upstream, whatever it runs over.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::Liveness;
use crate::listen::Accepted;

/// A connected byte stream.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Takes over a connection that was accepted; returns where it comes from, unless that is a unix socket.
    pub(crate) fn accepted(
        accepted: Accepted,
        liveness: Liveness,
    ) -> io::Result<(Self, Option<SocketAddr>)> {
        match accepted {
            Accepted::Tcp(stream, address) => {
                Ok((Self::tcp(TcpStream::from_std(stream)?, liveness)?, Some(address)))
            }
            Accepted::Unix(stream) => Ok((Self::Unix(UnixStream::from_std(stream)?), None)),
        }
    }

    /// Prepares a TCP connection for relaying.
    pub(crate) fn tcp(stream: TcpStream, liveness: Liveness) -> io::Result<Self> {
        // Without this, answers of several segments wait for delayed acknowledgements: 40 ms each.
        stream.set_nodelay(true)?;
        liveness.apply(&stream)?;
        Ok(Self::Tcp(stream))
    }

    /// Is ready when a read would return at once, so that memory is taken only then.
    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Unix(stream) => stream.poll_read_ready(cx),
        }
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
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
