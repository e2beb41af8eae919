//! Where the proxy listens: TCP addresses and unix sockets.

use std::fmt;
use std::io;
use std::net::{self, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net as unix;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::Liveness;

/// How many clients may wait to be accepted; the system has a limit of its own (`net.core.somaxconn`).
const BACKLOG: i32 = 4096;

/// A place to accept clients: `127.0.0.1:6432`, `[::]:6432`, `/run/pgtrack/.s.PGSQL.6432`, or
/// `@name` for a socket in the abstract namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An IP address and a port; port 0 takes a free one.
    Tcp(SocketAddr),
    /// The path of a socket. libpq looks for `.s.PGSQL.<port>` in the directory that it is given as a host.
    Unix(PathBuf),
}

/// How sockets are bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenOptions {
    /// Whether other processes of the same user may listen on the same TCP addresses (`SO_REUSEPORT`): the
    /// system spreads connections over them, so one can replace another without a gap.
    pub reuse_port: bool,
    /// Who may connect to unix sockets, as file permissions.
    pub unix_socket_mode: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { reuse_port: false, unix_socket_mode: 0o777 }
    }
}

/// A bound socket.
#[derive(Debug)]
pub(crate) enum BoundSocket {
    Tcp(net::TcpListener, Liveness),
    Unix(unix::UnixListener, SocketFile),
}

/// The file of a unix socket, if it has one. It is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct SocketFile(Option<PathBuf>);

/// A socket that accepts connections on the runtime it was made on.
#[derive(Debug)]
pub(crate) enum Acceptor {
    Tcp(TcpListener, Liveness),
    Unix { listener: UnixListener, _file: SocketFile },
}

/// A connection that was accepted, free to be served on any thread.
#[derive(Debug)]
pub(crate) enum Accepted {
    /// It comes from there, and is prepared for relaying with this.
    Tcp(net::TcpStream, SocketAddr, Liveness),
    Unix(unix::UnixStream),
}

impl ListenAddress {
    /// Binds and listens. TCP connections will be prepared for relaying.
    pub(crate) async fn bind(
        &self,
        options: ListenOptions,
        liveness: Liveness,
    ) -> io::Result<BoundSocket> {
        match self {
            Self::Tcp(address) => {
                let listener = bind_tcp(*address, options)?;
                // Each connection inherits what is set here, and is spared six system calls.
                liveness.prepare(&listener)?;
                Ok(BoundSocket::Tcp(listener, liveness))
            }
            Self::Unix(path) => {
                let (listener, file) = match abstract_name(path) {
                    Some(name) => {
                        let address = unix::SocketAddr::from_abstract_name(name)?;
                        (unix::UnixListener::bind_addr(&address)?, None)
                    }
                    None => (bind_file(path, options.unix_socket_mode).await?, Some(path.clone())),
                };
                listener.set_nonblocking(true)?;
                Ok(BoundSocket::Unix(listener, SocketFile(file)))
            }
        }
    }
}

fn bind_tcp(address: SocketAddr, options: ListenOptions) -> io::Result<net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // As PostgreSQL does, so that 0.0.0.0 and [::] can be listened on together.
        socket.set_only_v6(true)?;
    }
    // Connections of a previous proxy that are still closing are no reason to fail.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(options.reuse_port)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

async fn bind_file(path: &Path, mode: u32) -> io::Result<unix::UnixListener> {
    let mut bound = unix::UnixListener::bind(path);
    if bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
        && is_abandoned(path).await
    {
        // A proxy that was killed has left its socket; nobody answers there any more.
        std::fs::remove_file(path)?;
        bound = unix::UnixListener::bind(path);
    }
    let listener = bound?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    SockRef::from(&listener).listen(BACKLOG)?;
    Ok(listener)
}

async fn is_abandoned(path: &Path) -> bool {
    UnixStream::connect(path)
        .await
        .is_err_and(|refused| refused.kind() == io::ErrorKind::ConnectionRefused)
}

/// The name of a socket in the abstract namespace, which libpq marks with an `@`, too.
pub(crate) fn abstract_name(path: &Path) -> Option<&[u8]> {
    path.as_os_str().as_encoded_bytes().strip_prefix(b"@")
}

impl BoundSocket {
    /// Begins to accept, on the current runtime.
    pub(crate) fn accept(self) -> io::Result<Acceptor> {
        match self {
            Self::Tcp(listener, liveness) => {
                Ok(Acceptor::Tcp(TcpListener::from_std(listener)?, liveness))
            }
            Self::Unix(listener, file) => {
                Ok(Acceptor::Unix { listener: UnixListener::from_std(listener)?, _file: file })
            }
        }
    }

    /// The TCP address, with the port that was taken.
    pub(crate) fn tcp_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener, _) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }
}

impl Acceptor {
    /// Waits for a connection.
    ///
    /// # Cancel safety
    /// No connection is lost.
    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener, liveness) => {
                let (stream, address) = listener.accept().await?;
                Ok(Accepted::Tcp(stream.into_std()?, address, *liveness))
            }
            Self::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok(Accepted::Unix(stream.into_std()?))
            }
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Whoever finds it there later sees that nobody answers.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with(['/', '@']) {
            return Ok(Self::Unix(text.into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!(
                "`{text}` is not an address to listen on: write 127.0.0.1:6432, [::]:6432, or the path of a unix \
                 socket such as /run/pgtrack/.s.PGSQL.6432"
            )
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}
