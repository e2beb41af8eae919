//! Talks with a new client until it is clear what it wants.

use std::future::poll_fn;

use tokio::io::AsyncWriteExt;

use crate::buffer::Buffer;
use crate::protocol::opening::{Opening, Step};
use crate::stream::Stream;
use crate::tls::Acceptor;
use crate::{Error, Violation};

/// The answer to a request for encryption that is not available; manual, "SSL Session Encryption".
/// Never an `ErrorResponse`: a client cannot trust one before TLS (CVE-2024-10977).
const NO_ENCRYPTION: &[u8] = b"N";
/// The answer to a request for TLS.
const TLS: &[u8] = b"S";

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
pub(super) async fn negotiate(
    client: &mut Stream,
    acceptor: Option<&Acceptor>,
) -> Result<Request, Error> {
    // As the server: those on a unix socket have no use for TLS.
    let acceptor = acceptor.filter(|_| !matches!(client, Stream::Unix(_)));
    let mut opening = Opening::new(acceptor.is_some());
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
                answer(client, NO_ENCRYPTION).await?;
            }
            Step::StartTls { length } => {
                received.consume(length);
                answer(client, TLS).await?;
                start_tls(client, acceptor, &mut received).await?;
            }
            Step::StartDirectTls => {
                start_tls(client, acceptor, &mut received).await?;
                if client.alpn_protocol().is_none() {
                    return Err(Violation::NoAlpn.into());
                }
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

async fn answer(client: &mut Stream, answer: &[u8]) -> Result<(), Error> {
    client.write_all(answer).await.map_err(Error::LostClient)?;
    client.flush().await.map_err(Error::LostClient)
}

/// From here on, only what is received within TLS counts.
async fn start_tls(
    client: &mut Stream,
    acceptor: Option<&Acceptor>,
    received: &mut Buffer,
) -> Result<(), Error> {
    if let Some(acceptor) = acceptor {
        let started = client.accept_tls(acceptor.library(), received.bytes()).await;
        started.map_err(Error::TlsHandshake)?;
    }
    *received = Buffer::default();
    Ok(())
}

fn take(received: &mut Buffer, length: usize) -> Vec<u8> {
    let packet = received.bytes().iter().take(length).copied().collect();
    received.consume(length);
    packet
}
