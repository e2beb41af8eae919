//! A peer in the place of a server, for what a real server cannot be made to do.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use super::{Wire, within};

/// `AuthenticationOk`, and `ReadyForQuery` outside any transaction.
pub(crate) const READY: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// Accepts connections as a server would.
pub(crate) struct Scripted {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Scripted {
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// The next connection, and the first packet on it.
    pub(crate) async fn accept(&self) -> (Wire, Vec<u8>) {
        within(Duration::from_secs(20), async {
            let (mut stream, _) = self.listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let length = stream.read_u32().await.unwrap();
            let mut packet = length.to_be_bytes().to_vec();
            packet.resize(usize::try_from(length).unwrap(), 0);
            stream.read_exact(&mut packet[4..]).await.unwrap();
            (Wire { stream }, packet)
        })
        .await
    }

    /// The next connection, with a session that was admitted.
    pub(crate) async fn admit(&self) -> Wire {
        let (mut server, _startup) = self.accept().await;
        server.send(READY).await;
        server
    }
}
