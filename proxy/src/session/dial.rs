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
use crate::security::Snapshot;
use crate::stream::Stream;
use crate::{Error, SessionContext, uplink};

/// Opens a connection for the session that `packet` asks for.
/// Returns it with what the server has answered so far, which may be nothing.
pub(super) async fn open(
    packet: &[u8],
    context: &SessionContext,
    deadline: Instant,
    security: &Snapshot,
    shared: &Shared,
) -> Result<(Stream, Buffer), Error> {
    let dial = Dial { deadline, security, shared };
    let Some(startup) = Startup::parse(packet) else {
        // Not understood: the server says what is wrong with it.
        return Ok((dial.send(packet).await?, Buffer::default()));
    };
    if let Some(packet) = with_context(startup, context, shared) {
        let (upstream, answer, verdict) = dial.ask(&packet).await?;
        if verdict != Verdict::ContextRefused || startup.mentions_context() {
            return Ok((upstream, answer));
        }
        note_refusal(shared);
    }
    let (upstream, answer, _) = dial.ask(&startup.stripped()).await?;
    Ok((upstream, answer))
}

/// What it takes to open a connection.
struct Dial<'a> {
    deadline: Instant,
    security: &'a Snapshot,
    shared: &'a Shared,
}

impl Dial<'_> {
    /// Sends a startup packet and waits for the answer, without TLS if the server admits nobody with it and that
    /// is as good.
    async fn ask(&self, packet: &[u8]) -> Result<(Stream, Buffer, Verdict), Error> {
        let mut upstream = self.send(packet).await?;
        let (verdict, answer) = self.answer(&mut upstream).await?;
        if verdict == Verdict::NotAdmitted
            && upstream.is_tls()
            && self.security.connector.prefers_tls()
        {
            let mut plain = uplink::connect_plain(self.shared).await?;
            self.write(&mut plain, packet).await?;
            let (verdict, answer) = self.answer(&mut plain).await?;
            if verdict != Verdict::NotAdmitted {
                return Ok((plain, answer, verdict));
            }
        }
        Ok((upstream, answer, verdict))
    }

    async fn answer(&self, upstream: &mut Stream) -> Result<(Verdict, Buffer), Error> {
        let answered = timeout_at(self.deadline, first_answer(upstream)).await;
        answered.map_err(|elapsed| unreachable(self.shared, elapsed.into()))
    }

    async fn send(&self, packet: &[u8]) -> Result<Stream, Error> {
        let mut upstream = uplink::connect(self.security, self.shared).await?;
        self.write(&mut upstream, packet).await?;
        Ok(upstream)
    }

    async fn write(&self, upstream: &mut Stream, packet: &[u8]) -> Result<(), Error> {
        let failed = |source| unreachable(self.shared, source);
        upstream.write_all(packet).await.map_err(failed)?;
        upstream.flush().await.map_err(failed)
    }
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
