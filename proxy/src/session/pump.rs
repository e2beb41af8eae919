//! One direction of a session: reads from one side, observes, and writes the same bytes to the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

use crate::buffer::Buffer;
use crate::protocol::scanner::{Observer, Scanner};
use crate::stream::Stream;

/// How many reads a session may do in one go while others wait.
const READS_PER_TURN: u32 = 16;

/// The state of one direction.
#[derive(Debug)]
pub(super) struct Pump {
    buffer: Buffer,
    scanner: Scanner,
    has_source_ended: bool,
    bytes: u64,
}

/// Which side of a direction failed.
#[derive(Debug)]
pub(super) enum Broken {
    Source(io::Error),
    Sink(io::Error),
}

impl Pump {
    /// Begins with bytes that were read before.
    pub(super) fn new(buffer: Buffer, observer: &mut impl Observer) -> Self {
        let mut scanner = Scanner::new();
        scanner.scan(buffer.bytes(), observer);
        let bytes = buffer.bytes().len() as u64;
        Self { buffer, scanner, has_source_ended: false, bytes }
    }

    /// How many bytes have come from the source.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether everything read was written, and ended with a complete message.
    pub(super) fn is_between_messages(&self) -> bool {
        self.buffer.is_empty() && self.scanner.is_at_boundary()
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
        observer: &mut impl Observer,
    ) -> Poll<Result<(), Broken>> {
        for _ in 0..READS_PER_TURN {
            ready!(self.buffer.poll_drain(cx, sink)).map_err(Broken::Sink)?;
            if self.has_source_ended {
                return Pin::new(sink).poll_shutdown(cx).map_err(Broken::Sink);
            }
            let count = ready!(self.buffer.poll_fill(cx, source)).map_err(Broken::Source)?;
            self.has_source_ended = count == 0;
            self.bytes += count as u64;
            self.scanner.scan(self.buffer.bytes(), observer);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests;
