//! A plain TCP relay that keeps a copy of everything that passes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Waits for one connection and records it.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    recording: JoinHandle<Recording>,
}

/// One connection, from its first byte to its last.
pub(crate) struct Recording {
    pub(crate) from_client: Vec<u8>,
    pub(crate) from_server: Vec<u8>,
}

impl Recorder {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let recording = tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let (client_read, client_write) = client.into_split();
            let (server_read, server_write) =
                TcpStream::connect(server).await.unwrap().into_split();
            let (from_client, from_server) =
                tokio::join!(copy(client_read, server_write), copy(server_read, client_write));
            Recording { from_client, from_server }
        });
        Self { address, recording }
    }

    /// What was recorded, once both sides have closed.
    pub(crate) async fn recording(self) -> Recording {
        self.recording.await.unwrap()
    }
}

impl Recording {
    /// What the client sent: its startup packet and the rest.
    pub(crate) fn startup_and_rest(&self) -> (&[u8], &[u8]) {
        let length = u32::from_be_bytes(*self.from_client.first_chunk().unwrap());
        self.from_client.split_at(usize::try_from(length).unwrap())
    }
}

async fn copy(mut source: OwnedReadHalf, mut sink: OwnedWriteHalf) -> Vec<u8> {
    let mut copied = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = source.read(&mut buffer).await {
        copied.extend_from_slice(&buffer[..count]);
        if sink.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = sink.shutdown().await;
    copied
}
