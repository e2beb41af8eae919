//! The PostgreSQL server that sessions go to, and how it is dialled.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use crate::Liveness;
use crate::stream::Stream;

/// Where a PostgreSQL server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Upstream {
    /// A name, which is resolved for each connection; an IP address; or the absolute path of the
    /// directory that holds the server's unix socket.
    pub host: String,
    /// The port; for a unix socket, the number in its name.
    pub port: u16,
}

impl Upstream {
    /// Connects, trying every address of the host in turn.
    pub(crate) async fn connect(&self, within: Duration, liveness: Liveness) -> io::Result<Stream> {
        let deadline = Instant::now() + within;
        if let Some(path) = self.socket_path() {
            return Ok(Stream::Unix(timeout_at(deadline, UnixStream::connect(path)).await??));
        }
        let found = timeout_at(deadline, lookup_host((self.host.as_str(), self.port))).await??;
        let mut addresses = found.collect::<Vec<_>>().into_iter();
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        while let Some(address) = addresses.next() {
            // An address that swallows packets must leave time for those behind it.
            let untried = u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
            let share = deadline.saturating_duration_since(Instant::now()) / untried;
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Stream::tcp(stream, liveness),
                Ok(Err(refused)) => failure = refused,
                Err(elapsed) => failure = elapsed.into(),
            }
        }
        Err(failure)
    }

    fn socket_path(&self) -> Option<PathBuf> {
        self.host
            .starts_with('/')
            .then(|| PathBuf::from(&self.host).join(format!(".s.PGSQL.{}", self.port)))
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket_path() {
            Some(path) => path.display().fmt(f),
            None if self.host.contains(':') => write!(f, "[{}]:{}", self.host, self.port),
            None => write!(f, "{}:{}", self.host, self.port),
        }
    }
}
