//! Opens the upstream side of a session: dials, sends the startup packet, and sees that it is accepted.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::buffer::Buffer;
use crate::protocol::refusal::{self, Verdict};
use crate::protocol::startup::Startup;
use crate::proxy::Shared;
use crate::stream::Stream;
use crate::{Error, SessionContext};

/// Opens a connection for the session that `packet` asks for.
/// Returns it with what the server has answered so far, which may be nothing.
pub(super) async fn open(
    packet: &[u8],
    context: &SessionContext,
    deadline: Instant,
    shared: &Shared,
) -> Result<(Stream, Buffer), Error> {
    let Some(startup) = Startup::parse(packet) else {
        // Not understood: the server says what is wrong with it.
        return Ok((send(packet, shared).await?, Buffer::default()));
    };
    if let Some(packet) = with_context(startup, context, shared) {
        let mut upstream = send(&packet, shared).await?;
        let answered = timeout_at(deadline, first_answer(&mut upstream)).await;
        let (verdict, answer) = answered.map_err(|elapsed| unreachable(shared, elapsed.into()))?;
        if verdict != Verdict::ContextRefused || startup.mentions_context() {
            return Ok((upstream, answer));
        }
        note_refusal(shared);
    }
    Ok((send(&startup.stripped(), shared).await?, Buffer::default()))
}

/// The packet that names the client, if the upstream takes it.
fn with_context(startup: Startup, context: &SessionContext, shared: &Shared) -> Option<Vec<u8>> {
    if shared.context_refused.load(Ordering::Relaxed) {
        return None;
    }
    let packet = startup.with_context(&context.to_string());
    if packet.is_none() {
        warn!(
            session = %context.session,
            "the startup packet has no room for the client's address: changes are recorded without it"
        );
    }
    packet
}

async fn send(packet: &[u8], shared: &Shared) -> Result<Stream, Error> {
    let connecting = shared.config.upstream.connect(shared.config.connect_timeout);
    let mut upstream = connecting.await.map_err(|source| unreachable(shared, source))?;
    upstream.write_all(packet).await.map_err(|source| unreachable(shared, source))?;
    Ok(upstream)
}

/// Reads until the server's first message shows whether it takes offence at our context.
/// The server speaks first, so this does not hold up a client.
async fn first_answer(upstream: &mut Stream) -> (Verdict, Buffer) {
    let mut answer = Buffer::default();
    loop {
        let verdict = refusal::judge(answer.bytes(), Buffer::CAPACITY - 1);
        if verdict != Verdict::Incomplete {
            return (verdict, answer);
        }
        // However the connection ends, the relay will see it, too.
        let count = poll_fn(|cx| answer.poll_fill(cx, upstream)).await.unwrap_or(0);
        if count == 0 {
            return (Verdict::Silent, answer);
        }
    }
}

fn note_refusal(shared: &Shared) {
    if !shared.context_refused.swap(true, Ordering::Relaxed) {
        warn!(
            upstream = %shared.config.upstream,
            "the upstream refuses the startup parameter pgtrack.ctx, as poolers do unless they are told to \
             ignore it: changes are recorded without the client's address"
        );
    }
}

fn unreachable(shared: &Shared, source: io::Error) -> Error {
    Error::ConnectUpstream { upstream: shared.config.upstream.clone(), source }
}
