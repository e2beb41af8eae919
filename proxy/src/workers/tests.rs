use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use tokio_util::sync::CancellationToken;

use super::{Job, Workers};
use crate::Counters;

/// Returns what it reads, and panics when that is a `!`.
fn echo(mut stream: DuplexStream) -> Job {
    Box::new(|| {
        Box::pin(async move {
            while let Ok(byte) = stream.read_u8().await {
                assert_ne!(byte, b'!', "told to panic");
                stream.write_u8(byte).await.unwrap();
            }
        })
    })
}

#[tokio::test]
async fn case_84_a_panic_ends_only_its_own_connection() {
    let counters = Arc::<Counters>::default();
    let workers = Workers::start(1, &counters, &CancellationToken::new()).unwrap();
    let (mut healthy, ours) = duplex(1);
    workers.serve(echo(ours));
    let (mut doomed, ours) = duplex(1);
    workers.serve(echo(ours));

    doomed.write_u8(b'!').await.unwrap();
    assert_eq!(doomed.read(&mut [0]).await.unwrap(), 0, "the connection is closed");
    healthy.write_u8(b'x').await.unwrap();
    assert_eq!(healthy.read_u8().await.unwrap(), b'x');

    drop(healthy);
    workers.finish().await;
    assert_eq!(counters.panics.value(), 1);
}

#[tokio::test]
async fn connections_go_to_the_thread_with_the_fewest() {
    let workers = Workers::start(3, &Arc::default(), &CancellationToken::new()).unwrap();
    let (names, seen) = channel();
    let mut open = Vec::new();
    for _ in 0..3 {
        let (client, ours) = duplex(1);
        open.push(client);
        let names = names.clone();
        workers.serve(Box::new(move || {
            names.send(thread::current().name().unwrap().to_owned()).unwrap();
            echo(ours)()
        }));
    }
    let mut used: Vec<String> = seen.iter().take(3).collect();
    used.sort();
    assert_eq!(used, ["pgtrack-proxy-0", "pgtrack-proxy-1", "pgtrack-proxy-2"]);
}

#[tokio::test]
async fn connections_can_be_ended_at_once() {
    let abort = CancellationToken::new();
    let workers = Workers::start(1, &Arc::default(), &abort).unwrap();
    let (mut client, ours) = duplex(1);
    workers.serve(echo(ours));
    client.write_u8(b'x').await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
    abort.cancel();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}
