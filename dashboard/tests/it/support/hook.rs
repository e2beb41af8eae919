//! A web server that digests are sent to: keeps what it gets, and answers what it was told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What was sent.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) path: String,
    head: String,
    pub(crate) body: String,
}

impl Delivery {
    /// A header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.into_iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// The server.
pub(crate) struct Hook {
    address: SocketAddr,
    deliveries: mpsc::UnboundedReceiver<Delivery>,
    answers: Arc<Mutex<VecDeque<String>>>,
}

impl Hook {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let (sender, deliveries) = mpsc::unbounded_channel();
        let answers: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let planned = answers.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sender.clone(), planned.clone()));
            }
        });
        Self { address, deliveries, answers }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// An address of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers as often with this status.
    pub(crate) fn answer(&self, times: usize, status: &str) {
        self.answer_with(times, &format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n"));
    }

    /// Answers as often with these bytes; with none, not at all.
    pub(crate) fn answer_with(&self, times: usize, answer: &str) {
        let mut answers = self.answers.lock().expect("nobody panics with it");
        answers.extend(std::iter::repeat_n(answer.to_owned(), times));
    }

    /// What is sent next.
    pub(crate) async fn next(&mut self) -> Delivery {
        let delivery = timeout(Duration::from_secs(20), self.deliveries.recv()).await;
        delivery.expect("it is sent in time").expect("the server runs")
    }

    /// Whether something was sent that has not been looked at.
    pub(crate) fn has_more(&mut self) -> bool {
        !self.deliveries.is_empty()
    }
}

async fn serve(
    mut stream: TcpStream,
    deliveries: mpsc::UnboundedSender<Delivery>,
    answers: Arc<Mutex<VecDeque<String>>>,
) -> Option<()> {
    let mut received = Vec::new();
    let (head, length) = loop {
        let text = String::from_utf8_lossy(&received).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let delivery =
                Delivery { path: String::new(), head: head.to_owned(), body: String::new() };
            let length = delivery.header("content-length").parse::<usize>().ok()?;
            break (head.to_owned(), length);
        }
        read_more(&mut stream, &mut received).await?;
    };
    while received.len() < head.len() + 4 + length {
        read_more(&mut stream, &mut received).await?;
    }
    let body = String::from_utf8(received.split_off(head.len() + 4)).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    let answer = answers.lock().expect("nobody panics with it").pop_front();
    // A test that has ended does not want it.
    let _ = deliveries.send(Delivery { path, head, body });
    let answer =
        answer.unwrap_or_else(|| "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned());
    if answer.is_empty() {
        // Until the client gives up.
        while read_more(&mut stream, &mut received).await.is_some() {}
    }
    // A client that has seen enough hangs up.
    let _ = stream.write_all(answer.as_bytes()).await;
    Some(())
}

async fn read_more(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
    received.extend_from_slice(&buffer[..length]);
    Some(())
}
