//! A plain TCP relay that keeps a copy of everything that passes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// Records connections.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    begun: Arc<AtomicUsize>,
    stop: oneshot::Sender<()>,
    recording: JoinHandle<Vec<Recording>>,
}

/// One connection, from its first byte to its last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Recording {
    pub(crate) from_client: Vec<u8>,
    pub(crate) from_server: Vec<u8>,
}

impl Recorder {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, mut stopped) = oneshot::channel();
        let begun = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&begun);
        let recording = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    _ = &mut stopped => break,
                    accepted = listener.accept() => {
                        counter.fetch_add(1, Ordering::Relaxed);
                        connections.spawn(record(accepted.unwrap().0, server));
                    }
                }
            }
            connections.join_all().await
        });
        Self { address, begun, stop, recording }
    }

    /// How many connections have begun.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    /// What was recorded, once both sides of every connection have closed.
    pub(crate) async fn recordings(self) -> Vec<Recording> {
        let _ = self.stop.send(());
        self.recording.await.unwrap()
    }
}

impl Recording {
    /// What the client sent: its startup packet or cancel request, and the rest. Requests for encryption
    /// in front of it were declined, and are left out on both sides.
    pub(crate) fn startup_and_rest(&self) -> (&[u8], &[u8]) {
        let packets = &self.from_client[8 * self.declined()..];
        let length = u32::from_be_bytes(*packets.first_chunk().unwrap());
        packets.split_at(usize::try_from(length).unwrap())
    }

    /// What the server sent for it.
    pub(crate) fn answers(&self) -> &[u8] {
        &self.from_server[self.declined()..]
    }

    fn declined(&self) -> usize {
        let is_request = |packet: &&[u8]| packet.starts_with(&[0, 0, 0, 8, 4, 210, 22]);
        self.from_client.chunks(8).take_while(is_request).count()
    }
}

async fn record(client: TcpStream, server: SocketAddr) -> Recording {
    let server = TcpStream::connect(server).await.unwrap();
    for stream in [&client, &server] {
        stream.set_nodelay(true).unwrap();
    }
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let (from_client, from_server) =
        tokio::join!(copy(client_read, server_write), copy(server_read, client_write));
    Recording { from_client, from_server }
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
