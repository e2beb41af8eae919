//! Whatever arrives, in whatever pieces, goes on as it is.

use std::future::poll_fn;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::Pump;
use crate::buffer::Buffer;
use crate::session::activity::Activity;
use crate::session::gate::{ClientGate, Look};
use crate::stream::Stream;

/// Pumps a stream that arrives in these pieces, after some bytes that had arrived before. Returns what came out, and
/// what was made of it.
async fn pumped(pieces: Vec<Vec<u8>>) -> (Vec<u8>, u64, bool) {
    let (mut peer, source) = UnixStream::pair().unwrap();
    let (mut reader, sink) = UnixStream::pair().unwrap();
    let (mut source, mut sink) = (Stream::Unix(source), Stream::Unix(sink));
    let mut activity = Activity::new(None, None);
    let mut look = Look::glance();
    let mut pump = Pump::new(Buffer::default());
    let writing = async {
        for piece in pieces {
            peer.write_all(&piece).await.unwrap();
            // The pump takes it before the next comes.
            tokio::task::yield_now().await;
        }
        drop(peer);
    };
    let mut received = Vec::new();
    let pumping = poll_fn(|cx| {
        let mut gate = ClientGate { look: &mut look, activity: &mut activity };
        pump.poll(cx, &mut source, &mut sink, &mut gate)
    });
    // As in a session: turns are its own.
    let pumping = tokio::task::unconstrained(pumping);
    let ((), pumped, read) = tokio::join!(writing, pumping, reader.read_to_end(&mut received));
    pumped.unwrap();
    read.unwrap();
    (received, activity.client_messages, look.is_client_at_boundary())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_of_a_stream_is_relayed_alike(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..200), 0..20),
        messages in 0_usize..20,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let start = b"Q\0\0\0\x06x\0".repeat(messages);
        let stream = [start, pieces.concat()].concat();
        let whole = runtime.block_on(pumped(vec![stream.clone()]));
        prop_assert_eq!(&whole.0, &stream);
        prop_assert!(whole.1 >= messages as u64);
        let split = [vec![stream[..stream.len() - pieces.concat().len()].to_vec()], pieces].concat();
        prop_assert_eq!(runtime.block_on(pumped(split)), whole.clone());
        let bytes = stream.iter().map(|byte| vec![*byte]).collect();
        prop_assert_eq!(runtime.block_on(pumped(bytes)), whole);
    }
}
