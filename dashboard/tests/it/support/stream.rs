//! The live feed as a browser reads it.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, Response, StatusCode};
use futures_util::StreamExt;
use tokio::time::timeout;

/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Event {
    /// The transaction that it tells of.
    pub(crate) fn xid(&self) -> i64 {
        let rest = self.data.split_once("data-xid=\"").expect("it is a transaction").1;
        rest.split('"').next().and_then(|xid| xid.parse().ok()).expect("it is a number")
    }
}

/// An open stream.
pub(crate) struct Stream {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: BodyDataStream,
    received: String,
}

impl Stream {
    pub(crate) fn new(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let (status, headers) = (parts.status, parts.headers);
        Self { status, headers, body: body.into_data_stream(), received: String::new() }
    }

    /// The next event; `None` if the stream ends first.
    ///
    /// # Panics
    /// When nothing comes for some seconds.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.received.split_once("\n\n") {
                let event = parse(block);
                self.received.replace_range(..self.received.len() - rest.len(), "");
                if event.is_some() {
                    return event;
                }
            }
            let chunk = timeout(PATIENCE, self.body.next()).await;
            let bytes = chunk.expect("something comes in time")?.expect("the body can be read");
            self.received.push_str(std::str::from_utf8(&bytes).expect("events are UTF-8"));
        }
    }

    /// Whether the stream ends without another event.
    pub(crate) async fn ended(&mut self) -> bool {
        self.next().await.is_none()
    }

    /// The ids of the next transactions, with the event ids.
    pub(crate) async fn transactions(&mut self, count: usize) -> Vec<(i64, String)> {
        let mut list = Vec::new();
        for _ in 0..count {
            let event = self.next().await.expect("the stream goes on");
            list.push((event.xid(), event.id));
        }
        list
    }

    /// Whether nothing more comes for a while in which the poller looks more than once.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(1200), self.next()).await.is_err()
    }
}

/// Reads one block; `None` for a comment or a retry time alone.
fn parse(block: &str) -> Option<Event> {
    let mut event = Event { name: String::new(), id: String::new(), data: String::new() };
    for line in block.lines() {
        let (field, value) = line.split_once(':')?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "id" => value.clone_into(&mut event.id),
            "data" => event.data.push_str(value),
            _ => {}
        }
    }
    (!event.name.is_empty()).then_some(event)
}
