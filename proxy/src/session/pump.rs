//! One direction of a session: reads from one side, and writes to the other what the gate lets pass: the same bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::buffer::Buffer;
use crate::pacing::Flow;
use crate::stream::Stream;

use super::gate::Gate;

/// How many reads a session may do in one go while others wait.
const READS_PER_TURN: u32 = 16;

/// The state of one direction.
#[derive(Debug)]
pub(super) struct Pump {
    buffer: Buffer,
    /// How many bytes of the buffer may be written.
    passed: usize,
    /// What is written behind them, and what is then left out of the buffer.
    insert: Vec<u8>,
    drop: usize,
    /// There was nothing to read, and the task will be woken when there is.
    is_awaiting: bool,
    /// What was written may wait in TLS.
    is_unflushed: bool,
    has_source_ended: bool,
    bytes: u64,
    flow: Flow,
}

/// Which side of a direction failed.
#[derive(Debug)]
pub(super) enum Broken {
    Source(io::Error),
    Sink(io::Error),
}

impl Pump {
    /// Begins with bytes that were read before.
    pub(super) fn new(buffer: Buffer) -> Self {
        let bytes = buffer.bytes().len() as u64;
        Self {
            buffer,
            passed: 0,
            insert: Vec::new(),
            drop: 0,
            is_awaiting: false,
            is_unflushed: false,
            has_source_ended: false,
            bytes,
            flow: Flow::default(),
        }
    }

    /// How many bytes have come from the source.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether everything read was written.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.insert.is_empty()
    }

    /// Moves bytes until neither side can go on. Ready when the source has ended, everything is written,
    /// and the sink was told that no more will come.
    ///
    /// Each read is written as a whole: a write for each message would cost eight times the CPU time.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        sink: &mut Stream,
        gate: &mut impl Gate,
    ) -> Poll<Result<(), Broken>> {
        let before = self.bytes;
        let polled = self.poll_turn(cx, source, sink, gate);
        if self.bytes > before {
            self.flow.turn(usize::try_from(self.bytes - before).unwrap_or(usize::MAX));
        }
        polled
    }

    fn poll_turn(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
        sink: &mut Stream,
        gate: &mut impl Gate,
    ) -> Poll<Result<(), Broken>> {
        for _ in 0..READS_PER_TURN {
            if self.is_unflushed || !self.buffer.is_empty() {
                ready!(self.poll_pass(cx, sink, gate))?;
            }
            if self.has_source_ended {
                return Pin::new(sink).poll_shutdown(cx).map_err(Broken::Sink);
            }
            if self.is_awaiting && !source.may_be_readable() {
                return Poll::Pending;
            }
            let filled = self.buffer.poll_fill(cx, source);
            self.is_awaiting = filled.is_pending();
            let count = ready!(filled).map_err(Broken::Source)?;
            self.has_source_ended = count == 0;
            self.bytes += count as u64;
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what may pass, and sees that nothing of it stays behind in TLS.
    fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut Stream,
        gate: &mut impl Gate,
    ) -> Poll<Result<(), Broken>> {
        self.is_unflushed = true;
        loop {
            ready!(self.buffer.poll_write(cx, sink, &mut self.passed)).map_err(Broken::Sink)?;
            while !self.insert.is_empty() {
                let written = Pin::new(&mut *sink).poll_write(cx, &self.insert);
                let count = ready!(written).map_err(Broken::Sink)?;
                self.insert.drain(..count);
            }
            if self.drop > 0 {
                self.buffer.consume(std::mem::take(&mut self.drop));
            }
            if self.buffer.is_empty() {
                break;
            }
            let fresh = self.buffer.bytes_from(0);
            let Poll::Ready(passage) = gate.poll_pass(cx, fresh, self.has_source_ended) else {
                // What has passed is not held up.
                ready!(Pin::new(&mut *sink).poll_flush(cx)).map_err(Broken::Sink)?;
                return Poll::Pending;
            };
            let passage =
                passage.ok_or_else(|| Broken::Source(io::ErrorKind::InvalidData.into()))?;
            if passage.is_nothing() {
                break;
            }
            (self.passed, self.insert, self.drop) = (passage.pass, passage.insert, passage.drop);
        }
        ready!(Pin::new(sink).poll_flush(cx)).map_err(Broken::Sink)?;
        self.is_unflushed = false;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
