//! Client → recorder → proxy → recorder → server.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Recorder, Recording, TestProxy, terminate, within};

/// Proves that the server gets what clients send, and the other way round.
pub(crate) struct Bench {
    before: Recorder,
    behind: Recorder,
    _proxy: TestProxy,
}

impl Bench {
    pub(crate) async fn new(server: SocketAddr) -> Self {
        let behind = Recorder::to(server).await;
        let proxy = TestProxy::to(behind.address).await;
        let before = Recorder::to(proxy.address).await;
        Self { before, behind, _proxy: proxy }
    }

    /// Where to connect to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.before.address
    }

    /// Compares both recordings of all connections, which have ended. Returns how many bytes clients have received.
    pub(crate) async fn check(self) -> usize {
        let Self { before, behind, _proxy } = self;
        within(Duration::from_secs(20), async {
            while before.begun() != behind.begun() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let both = tokio::join!(before.recordings(), behind.recordings());
        let (before, behind) = within(Duration::from_secs(20), async { both }).await;
        let received = before.iter().map(|recording| recording.answers().len()).sum();
        // Connections may reach the server in another order; their answers tell them apart.
        let (before, behind) = (sorted(before), sorted(behind));
        for (sent, received) in before.iter().zip(&behind) {
            assert!(sent.answers() == received.answers(), "the server's bytes differ");
            let (sent_startup, sent) = sent.startup_and_rest();
            let (received_startup, received) = received.startup_and_rest();
            let (sent, received) = (without_goodbye(sent), without_goodbye(received));
            let common = sent.iter().zip(received).take_while(|(a, b)| a == b).count();
            assert!(
                sent == received,
                "the client's bytes differ: it sent {}, the server got {}",
                sent[common..].escape_ascii(),
                received[common..].escape_ascii()
            );
            check_startup(sent_startup, received_startup);
        }
        received
    }
}

fn sorted(mut recordings: Vec<Recording>) -> Vec<Recording> {
    recordings.sort_unstable_by(|a, b| {
        let key = |recording: &Recording| {
            (recording.answers().to_vec(), recording.startup_and_rest().0[4..].to_vec())
        };
        key(a).cmp(&key(b))
    });
    recordings
}

/// A client that closes without reading everything resets its connection, and the reset may overtake its goodbye. Some
/// say goodbye twice: before and after a fork.
fn without_goodbye(mut stream: &[u8]) -> &[u8] {
    while let Some(rest) = stream.strip_suffix(&*terminate()) {
        stream = rest;
    }
    stream
}

/// The startup packet is the same up to its end, where the context is added.
fn check_startup(sent: &[u8], received: &[u8]) {
    if sent[4..].starts_with(&[4, 210, 22, 46]) {
        assert_eq!(sent, received, "the cancel request differs");
        return;
    }
    let sent_parameters = &sent[4..sent.len() - 1];
    let added = received[4..].strip_prefix(sent_parameters).expect("what was sent comes first");
    let added = added.strip_prefix(b"pgtrack.ctx\x002 127.0.0.1 ").expect("then the context");
    assert!(added.ends_with(b"\0\0"));
}
