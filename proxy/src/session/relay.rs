//! The relay: both directions of a session in one task.
//!
//! Neither direction waits for the other, as a client may send a whole pipeline before it reads.
//! Backpressure is the peers' own: what cannot be written is not read.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::unconstrained;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::gate::{ClientGate, Look, ServerGate};
use super::pump::{Broken, Pump};
use crate::Counters;
use crate::buffer::Buffer;
use crate::stream::Stream;
use crate::watch::SessionWatch;

/// A session in progress. It closes the upstream's connection when it is dropped.
pub(super) struct Relay<'a> {
    client: &'a mut Stream,
    upstream: Stream,
    /// From the client to the upstream.
    up: Pump,
    /// From the upstream to the client.
    down: Pump,
    /// The client will send nothing more, or the upstream reads nothing more.
    is_up_over: bool,
    activity: Activity,
    look: Look,
}

/// How a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The client has been sent everything.
    #[error("the upstream closed")]
    UpstreamClosed,
    /// The client has been sent everything that arrived. A server also ends a session so when it
    /// closes while bytes of the client are unread.
    #[error("lost the upstream")]
    UpstreamLost(#[source] io::Error),
    #[error("lost the client")]
    ClientLost(#[source] io::Error),
    #[error("the proxy is shutting down")]
    Drained,
    /// A message to the client is unfinished, so it cannot be told.
    #[error("the proxy is shutting down and the session is in the middle of a message")]
    DrainedInMessage,
}

impl<'a> Relay<'a> {
    /// Begins with what each side has sent since the startup packet.
    pub(super) fn new(
        client: &'a mut Stream,
        upstream: Stream,
        from_client: Buffer,
        from_upstream: Buffer,
        activity: Activity,
        watch: Option<Box<SessionWatch>>,
    ) -> Self {
        let (up, down) = (Pump::new(from_client), Pump::new(from_upstream));
        let look = watch.map_or_else(Look::glance, Look::Watch);
        Self { client, upstream, up, down, is_up_over: false, activity, look }
    }

    /// Relays until a side ends the session, or `shutdown` is cancelled: then there is no end yet.
    ///
    /// # Cancel safety
    /// Nothing is lost; it can be called again.
    pub(super) async fn run(&mut self, shutdown: &CancellationToken) -> Option<End> {
        let mut cancelled = pin!(shutdown.cancelled());
        if poll_fn(|cx| Poll::Ready(cancelled.as_mut().poll(cx).is_ready())).await {
            return None;
        }
        // The token wakes this task now, so it is enough to look at it. The pumps have turns of their own.
        let relaying = poll_fn(|cx| match self.poll(cx) {
            Poll::Pending if shutdown.is_cancelled() => Poll::Ready(None),
            polled => polled.map(Some),
        });
        unconstrained(relaying).await
    }

    /// Relays until the session is idle, for at most `within`.
    pub(super) async fn drain(&mut self, within: Duration) -> End {
        let draining = unconstrained(poll_fn(|cx| self.poll_until_idle(cx)));
        let drained = timeout(within, draining).await;
        drained.unwrap_or(if self.down.is_empty() && self.look.is_server_at_boundary() {
            End::Drained
        } else {
            End::DrainedInMessage
        })
    }

    /// Adds what was relayed to the counters.
    pub(super) fn count(&self, counters: &Counters) {
        counters.client_messages.add(self.activity.client_messages);
        counters.upstream_messages.add(self.activity.upstream_messages);
        counters.client_bytes.add(self.up.bytes());
        counters.upstream_bytes.add(self.down.bytes());
    }

    /// The session ended: what is open will not be answered.
    pub(super) fn finish(&mut self) {
        if let Look::Watch(watch) = &mut self.look {
            watch.ended();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut gate = ServerGate { look: &mut self.look, activity: &mut self.activity };
        match self.down.poll(cx, &mut self.upstream, self.client, &mut gate) {
            Poll::Ready(Ok(())) => return Poll::Ready(End::UpstreamClosed),
            Poll::Ready(Err(Broken::Source(error))) => {
                return Poll::Ready(End::UpstreamLost(error));
            }
            Poll::Ready(Err(Broken::Sink(error))) => return Poll::Ready(End::ClientLost(error)),
            Poll::Pending => {}
        }
        if !self.is_up_over {
            let mut gate = ClientGate { look: &mut self.look, activity: &mut self.activity };
            match self.up.poll(cx, self.client, &mut self.upstream, &mut gate) {
                // Either the client has finished and waits for its answers, or the upstream has closed
                // and its last words are on their way down.
                Poll::Ready(Ok(()) | Err(Broken::Sink(_))) => self.is_up_over = true,
                Poll::Ready(Err(Broken::Source(error))) => {
                    return Poll::Ready(End::ClientLost(error));
                }
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    fn poll_until_idle(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let is_idle = |relay: &Self| {
            relay.activity.is_idle()
                && relay.up.is_empty()
                && relay.down.is_empty()
                && relay.look.is_client_at_boundary()
                && relay.look.is_server_at_boundary()
        };
        match self.poll(cx) {
            Poll::Pending if is_idle(self) => Poll::Ready(End::Drained),
            polled => polled,
        }
    }
}
