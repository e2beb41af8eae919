//! The bytes in flight in one direction of a session.
//!
//! A buffer takes its memory from a pool of the current thread when there is something to read and
//! gives it back when the last byte is written, so an idle session holds none.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;

/// How many unused blocks of memory a thread keeps; a busy session needs two.
const POOLED_BLOCKS: usize = 16;

thread_local! {
    static POOL: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes that were read and not yet written.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// `None` exactly when there are no bytes.
    block: Option<Box<[u8]>>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// The most it can hold: with 32 KiB, large transfers cost a twentieth more CPU time; with 4 KiB, twice as much.
    pub(crate) const CAPACITY: usize = 64 * 1024;

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.block.as_ref().map_or(&[], |block| &block[self.start..self.end])
    }

    /// The bytes behind the first `offset`, to be changed.
    pub(crate) fn bytes_from(&mut self, offset: usize) -> &mut [u8] {
        let start = self.end.min(self.start + offset);
        self.block.as_mut().map_or(&mut [], |block| &mut block[start..self.end])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Drops bytes from the front.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.is_empty() {
            self.release();
        }
    }

    /// Reads once. Resolves to 0 at the end of the stream; must not be called when the buffer is full.
    /// Makes room behind the bytes that it holds.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut Stream,
    ) -> Poll<io::Result<usize>> {
        ready!(source.poll_read_ready(cx))?;
        let block = self.block.get_or_insert_with(rent);
        if self.start > 0 {
            block.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let mut free = ReadBuf::new(&mut block[self.end..]);
        let polled = Pin::new(source).poll_read(cx, &mut free);
        let count = free.filled().len();
        self.end += count;
        if self.is_empty() {
            self.release();
        }
        polled.map_ok(|()| count)
    }

    /// Writes the first `count` bytes, and counts down what is left of them.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut Stream,
        count: &mut usize,
    ) -> Poll<io::Result<()>> {
        while *count > 0 {
            let bytes = self.bytes();
            let written = ready!(Pin::new(&mut *sink).poll_write(cx, &bytes[..*count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.consume(written);
            *count -= written;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes everything, and sees that nothing of it stays behind in TLS.
    #[cfg(test)]
    pub(crate) fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut Stream,
    ) -> Poll<io::Result<()>> {
        let mut count = self.bytes().len();
        ready!(self.poll_write(cx, sink, &mut count))?;
        Pin::new(sink).poll_flush(cx)
    }

    fn release(&mut self) {
        self.start = 0;
        self.end = 0;
        if let Some(block) = self.block.take() {
            give_back(block);
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.release();
    }
}

fn rent() -> Box<[u8]> {
    let pooled = POOL.try_with(|pool| pool.borrow_mut().pop()).ok().flatten();
    pooled.unwrap_or_else(|| vec![0; Buffer::CAPACITY].into_boxed_slice())
}

/// Keeps a block for later, unless there are enough or the thread is ending.
fn give_back(block: Box<[u8]>) {
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() < POOLED_BLOCKS {
            pool.push(block);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    use super::Buffer;
    use crate::stream::Stream;

    #[tokio::test]
    async fn memory_is_held_only_while_there_are_bytes() {
        let (mut peer, source) = UnixStream::pair().unwrap();
        let (mut reader, sink) = UnixStream::pair().unwrap();
        let (mut source, mut sink) = (Stream::Unix(source), Stream::Unix(sink));
        let mut buffer = Buffer::default();
        {
            let mut fill = Box::pin(poll_fn(|cx| buffer.poll_fill(cx, &mut source)));
            let early = tokio::time::timeout(std::time::Duration::ZERO, &mut fill).await;
            assert!(early.is_err(), "there is nothing to read yet");
        }
        assert!(buffer.block.is_none());

        peer.write_all(b"bytes").await.unwrap();
        assert_eq!(poll_fn(|cx| buffer.poll_fill(cx, &mut source)).await.unwrap(), 5);
        assert_eq!((buffer.bytes(), buffer.block.is_some()), (b"bytes".as_slice(), true));

        poll_fn(|cx| buffer.poll_drain(cx, &mut sink)).await.unwrap();
        assert!(buffer.block.is_none());
        let mut written = [0; 5];
        reader.read_exact(&mut written).await.unwrap();
        assert_eq!(&written, b"bytes");

        drop(peer);
        assert_eq!(poll_fn(|cx| buffer.poll_fill(cx, &mut source)).await.unwrap(), 0);
        assert!(buffer.block.is_none());
    }
}
