//! The end of a client connection.

use std::future::poll_fn;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::buffer::Buffer;
use crate::fatal::Fatal;
use crate::stream::Stream;

/// How long a client may take to read the last message and close.
const LINGER: Duration = Duration::from_secs(2);

/// How to part with a client.
#[derive(Debug)]
pub(super) enum Farewell {
    /// Close at once.
    Silent,
    /// Let the client read what it was sent, then close.
    EndOfStream,
    /// Say why, then close.
    Fatal(Fatal),
}

impl Farewell {
    pub(super) async fn say(self, mut client: Stream) {
        let last_words = match self {
            Self::Silent if client.is_tls() => {
                // TLS has a goodbye of its own, without which libpq takes a cancel request to have failed.
                let _ = timeout(LINGER, client.shutdown()).await;
                return;
            }
            Self::Silent => return,
            Self::EndOfStream => bytes::BytesMut::new(),
            Self::Fatal(fatal) => fatal.encode(),
        };
        // The client may be gone already, or never read: neither matters any more.
        let _ = timeout(LINGER, async {
            client.write_all(&last_words).await?;
            client.shutdown().await?;
            discard(&mut client).await
        })
        .await;
    }
}

/// Reads until the client closes. To close with unread bytes would reset the connection, and some
/// systems then drop what their application has not read yet: the message that says why.
async fn discard(client: &mut Stream) -> std::io::Result<()> {
    let mut ignored = Buffer::default();
    while poll_fn(|cx| ignored.poll_fill(cx, client)).await? > 0 {
        ignored.consume(Buffer::CAPACITY);
    }
    Ok(())
}
