//! Opens the upstream side of a session: dials, sends the startup packet, and sees that it is accepted.

use std::future::poll_fn;
use std::io;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::buffer::Buffer;
use crate::protocol::refusal::{self, Verdict};
use crate::protocol::startup::Startup;
use crate::proxy::Shared;
use crate::stream::Stream;
use crate::{Error, SessionContext, SigningKey, Target, Upstream, uplink};

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
        let (upstream, server) = uplink::connect(target, shared).await?;
        return begin(upstream, server, packet).await;
    };
    let database = startup.database().and_then(|name| std::str::from_utf8(name).ok());
    let key = database.and_then(|name| shared.provisioner.signing_key(name));
    let introduction = Introduction { startup, context, key };
    let mut redials = target.servers.len();
    loop {
        let (opened, verdict) = introduction.send(target, deadline, shared).await?;
        let is_refused = verdict == Verdict::ContextRefused && !startup.mentions_context();
        if !is_refused || redials == 0 {
            return Ok(opened);
        }
        // Every server may be such a one.
        redials -= 1;
        note_refusal(&opened.server, shared);
    }
}

/// A startup packet, which tells the server who the client is.
struct Introduction<'a> {
    startup: Startup<'a>,
    context: &'a SessionContext,
    key: Option<SigningKey>,
}

impl Introduction<'_> {
    /// Sends it and waits for the answer: without TLS if the server admits nobody with it, and without is as good.
    async fn send(
        &self,
        target: &Target,
        deadline: Instant,
        shared: &Shared,
    ) -> Result<(Opened, Verdict), Error> {
        let (upstream, server) = uplink::connect(target, shared).await?;
        let packet = self.packet(&upstream, &server, shared);
        let first = begin(upstream, server, &packet).await?;
        let is_tls = first.upstream.is_tls();
        let (first, verdict) = answered(first, deadline).await?;
        if verdict == Verdict::NotAdmitted && is_tls && shared.security.connector.prefers_tls() {
            let plain = uplink::connect_plain(&first.server, shared).await?;
            let packet = self.packet(&plain, &first.server, shared);
            let plain = begin(plain, first.server.clone(), &packet).await?;
            let (second, verdict) = answered(plain, deadline).await?;
            if verdict != Verdict::NotAdmitted {
                return Ok((second, verdict));
            }
        }
        Ok((first, verdict))
    }

    /// The packet for one connection. The server sees that come from our end of it, so the signature is for that.
    fn packet(&self, upstream: &Stream, server: &Upstream, shared: &Shared) -> Vec<u8> {
        if shared.refuses_context(server) {
            return self.startup.stripped();
        }
        let context = self.context;
        let now = std::time::Instant::now();
        let signed = context.signed(self.key.as_ref(), upstream.local_address(), now);
        self.startup.with_context(&signed).unwrap_or_else(|| {
            warn!(
                session = %context.session,
                "the startup packet has no room for the client's address: changes are recorded without it"
            );
            self.startup.stripped()
        })
    }
}

async fn answered(mut opened: Opened, deadline: Instant) -> Result<(Opened, Verdict), Error> {
    let answer = timeout_at(deadline, first_answer(&mut opened.upstream)).await;
    let (verdict, answer) =
        answer.map_err(|elapsed| unreachable(&opened.server, elapsed.into()))?;
    Ok((Opened { answer, ..opened }, verdict))
}

async fn begin(mut upstream: Stream, server: Upstream, packet: &[u8]) -> Result<Opened, Error> {
    upstream.write_all(packet).await.map_err(|source| unreachable(&server, source))?;
    upstream.flush().await.map_err(|source| unreachable(&server, source))?;
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
    if shared.note_context_refusal(server) {
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
