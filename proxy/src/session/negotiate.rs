//! Talks with a new client until it is clear what it wants.

use std::future::poll_fn;

use tokio::io::AsyncWriteExt;

use crate::Error;
use crate::buffer::Buffer;
use crate::protocol::opening::{Opening, Step};
use crate::stream::Stream;

/// The answer to a request for encryption that is not available; manual, "SSL Session Encryption".
/// Never an `ErrorResponse`: a client cannot trust one before TLS (CVE-2024-10977).
const NO_ENCRYPTION: &[u8] = b"N";

/// What a client wants.
#[derive(Debug)]
pub(super) enum Request {
    /// It left again, as health checks do.
    Nothing,
    /// To cancel the statement of another session.
    Cancel { packet: Vec<u8> },
    /// A session. It may have sent more than its startup packet already.
    Session { packet: Vec<u8>, rest: Buffer },
}

/// Reads what a client wants. How long that may take is up to the caller.
pub(super) async fn negotiate(client: &mut Stream) -> Result<Request, Error> {
    let mut opening = Opening::default();
    let mut received = Buffer::default();
    loop {
        match opening.step(received.bytes())? {
            Step::Incomplete => {
                let count = poll_fn(|cx| received.poll_fill(cx, client));
                if count.await.map_err(Error::LostClient)? == 0 {
                    return Ok(Request::Nothing);
                }
            }
            Step::Decline { length } => {
                received.consume(length);
                client.write_all(NO_ENCRYPTION).await.map_err(Error::LostClient)?;
            }
            Step::Cancel { length } => {
                return Ok(Request::Cancel { packet: take(&mut received, length) });
            }
            Step::Startup { length } => {
                let packet = take(&mut received, length);
                return Ok(Request::Session { packet, rest: received });
            }
        }
    }
}

fn take(received: &mut Buffer, length: usize) -> Vec<u8> {
    let packet = received.bytes().iter().take(length).copied().collect();
    received.consume(length);
    packet
}
