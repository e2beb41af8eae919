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
use crate::{Error, SessionContext, Target, Upstream, uplink};

/// A connection to a server that was sent a startup packet.
pub(super) struct Opened {
    pub(super) upstream: Stream,
    pub(super) server: Upstream,
    /// What the server has answered so far, which may be nothing.
    pub(super) answer: Buffer,
}

/// Opens a connection for the session that `packet` asks for.
pub(super) async fn open(
    packet: &[u8],
    context: &SessionContext,
    target: &Target,
    deadline: Instant,
    shared: &Shared,
) -> Result<Opened, Error> {
    let Some(startup) = Startup::parse(packet) else {
        // Not understood: the server says what is wrong with it.
        return send(packet, target, shared).await;
    };
    if let Some(packet) = with_context(startup, context, shared) {
        let mut opened = send(&packet, target, shared).await?;
        let answered = timeout_at(deadline, first_answer(&mut opened.upstream)).await;
        let (verdict, answer) =
            answered.map_err(|elapsed| unreachable(&opened.server, elapsed.into()))?;
        if verdict != Verdict::ContextRefused || startup.mentions_context() {
            return Ok(Opened { answer, ..opened });
        }
        note_refusal(&opened.server, shared);
    }
    send(&startup.stripped(), target, shared).await
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

async fn send(packet: &[u8], target: &Target, shared: &Shared) -> Result<Opened, Error> {
    let (mut upstream, server) = uplink::connect(target, shared).await?;
    upstream.write_all(packet).await.map_err(|source| unreachable(&server, source))?;
    Ok(Opened { upstream, server, answer: Buffer::default() })
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

fn note_refusal(server: &Upstream, shared: &Shared) {
    if !shared.context_refused.swap(true, Ordering::Relaxed) {
        warn!(
            upstream = %server,
            "the upstream refuses the startup parameter pgtrack.ctx, as poolers do unless they are told to \
             ignore it: changes are recorded without the client's address"
        );
    }
}

fn unreachable(server: &Upstream, source: io::Error) -> Error {
    Error::ConnectUpstream { upstream: server.clone(), source }
}
