//! A client that speaks the protocol by hand.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{messages, tls_connector, within};

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A message from the server.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) tag: u8,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} \"{}\"", char::from(self.tag), self.body.escape_ascii())
    }
}

/// A connection without any knowledge of what is sent over it.
pub(crate) struct Wire<S = TcpStream> {
    pub(crate) stream: S,
}

impl Wire {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    /// Opens a session as the superuser and reads until it is ready.
    pub(crate) async fn session(address: SocketAddr, database: &str) -> Self {
        let mut wire = Self::connect(address).await;
        wire.send(&messages::startup(&[("user", "postgres"), ("database", database)])).await;
        wire.until(b'Z').await;
        wire
    }

    /// Asks for TLS, which is expected to be granted, and begins it.
    pub(crate) async fn start_tls(mut self) -> Wire<TlsStream<TcpStream>> {
        self.send(&messages::SSL_REQUEST).await;
        assert_eq!(self.byte().await, b'S');
        self.handshake(&[]).await.unwrap()
    }

    /// Begins TLS, offering these protocols.
    pub(crate) async fn handshake(
        self,
        protocols: &[&str],
    ) -> std::io::Result<Wire<TlsStream<TcpStream>>> {
        let name = "localhost".try_into().unwrap();
        let connecting = tls_connector(protocols, None).connect(name, self.stream);
        Ok(Wire { stream: within(PATIENCE, connecting).await? })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        within(PATIENCE, self.stream.write_all(bytes)).await.unwrap();
        within(PATIENCE, self.stream.flush()).await.unwrap();
    }

    pub(crate) async fn query(&mut self, sql: &str) -> Vec<Message> {
        self.send(&messages::query(sql)).await;
        self.until(b'Z').await
    }

    /// The first column of the first row.
    pub(crate) async fn value(&mut self, sql: &str) -> String {
        let rows = self.query(sql).await;
        let row = rows.iter().find(|message| message.tag == b'D').expect("there is a row");
        String::from_utf8(row.body[6..].to_vec()).unwrap()
    }

    pub(crate) async fn byte(&mut self) -> u8 {
        within(PATIENCE, self.stream.read_u8()).await.unwrap()
    }

    /// The tag and body length of the next message; the body is left unread.
    pub(crate) async fn header(&mut self) -> (u8, usize) {
        let tag = self.byte().await;
        let length = within(PATIENCE, self.stream.read_u32()).await.unwrap();
        (tag, usize::try_from(length).unwrap() - 4)
    }

    pub(crate) async fn message(&mut self) -> Message {
        let (tag, length) = self.header().await;
        let mut body = vec![0; length];
        within(PATIENCE, self.stream.read_exact(&mut body)).await.unwrap();
        Message { tag, body }
    }

    /// Reads messages up to the first of this kind.
    pub(crate) async fn until(&mut self, tag: u8) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.message().await;
            let is_last_word = message.tag == b'E' && field(&message, b'V') == "FATAL";
            assert!(tag == b'E' || !is_last_word, "{message:?}");
            messages.push(message);
            if messages.last().is_some_and(|last| last.tag == tag) {
                return messages;
            }
        }
    }

    /// Reads and drops everything up to the next message of this kind, with little memory.
    pub(crate) async fn skip_until(&mut self, tag: u8) {
        let mut sink = vec![0; 64 * 1024];
        loop {
            let (found, mut length) = self.header().await;
            while length > 0 {
                let part = length.min(sink.len());
                let count = within(PATIENCE, self.stream.read(&mut sink[..part])).await.unwrap();
                assert_ne!(count, 0, "end of stream in a message");
                length -= count;
            }
            if found == tag {
                return;
            }
        }
    }

    /// Reads everything to the end of the stream; a reset is an end, too.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = within(PATIENCE, self.stream.read_to_end(&mut bytes)).await;
        bytes
    }

    /// Reads messages to the end of the stream.
    pub(crate) async fn messages_to_end(&mut self) -> Vec<Message> {
        split(&self.rest().await)
    }
}

/// Splits a stream of backend messages.
fn split(mut bytes: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while let [tag, a, b, c, d, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap() - 4;
        let (body, rest) = rest.split_at(length);
        messages.push(Message { tag: *tag, body: body.to_vec() });
        bytes = rest;
    }
    assert!(bytes.is_empty(), "trailing bytes: {}", bytes.escape_ascii());
    messages
}

/// A field of an `ErrorResponse`, such as `C` for its SQLSTATE.
pub(crate) fn field(error: &Message, code: u8) -> String {
    assert_eq!(error.tag, b'E', "{error:?}");
    let mut fields = error.body.split(|byte| *byte == 0);
    let found = fields.find(|field| field.first() == Some(&code)).expect("the field is there");
    String::from_utf8(found[1..].to_vec()).unwrap()
}
