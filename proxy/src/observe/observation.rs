//! One session under observation: bytes in, records out.

use std::time::Instant;

use super::answer::{self, Answer};
use super::capture::Capture;
use super::executed::Executed;
use super::pairing::Pairing;
use super::request::{self, Request};
use crate::protocol::scanner::{Body, Observer, Scanner};

/// How much is kept of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of a text, in bytes.
    pub text_bytes: usize,
    /// Of the name of a prepared statement or a portal, in bytes; a longer one is not followed.
    pub name_bytes: usize,
    /// How many prepared statements.
    pub prepared_count: usize,
    /// How much of all their texts, in bytes.
    pub prepared_bytes: usize,
    /// How many portals.
    pub portals: usize,
    /// How many messages that wait for their answer.
    pub pending_requests: usize,
    /// How much of all their texts, in bytes; of further ones only the length is kept.
    pub pending_text_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // One more than is parsed, so that a longer text is seen to be longer.
            text_bytes: 64 * 1024 + 1,
            name_bytes: 256,
            prepared_count: 1024,
            prepared_bytes: 1024 * 1024,
            portals: 256,
            pending_requests: 64 * 1024,
            pending_text_bytes: 1024 * 1024,
        }
    }
}

/// The settings of a session that say how its texts are to be read. The server reports their changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// `client_encoding`; empty until the server has said it.
    pub client_encoding: Box<str>,
    /// `standard_conforming_strings`.
    pub standard_conforming_strings: bool,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { client_encoding: "".into(), standard_conforming_strings: true }
    }
}

impl SessionSettings {
    pub(super) fn changed(&mut self, name: &str, value: &str) {
        match name {
            "client_encoding" => self.client_encoding = value.into(),
            "standard_conforming_strings" => self.standard_conforming_strings = value == "on",
            _ => {}
        }
    }
}

/// Observes a session, from its startup packet's answer on.
///
/// Feed it the bytes of each direction in the order in which they pass, a request before its answer.
#[derive(Debug)]
pub struct Observation {
    limits: Limits,
    client: Scanner,
    server: Scanner,
    request: Capture,
    answer: Capture,
    pairing: Pairing,
    is_opaque: bool,
}

impl Observation {
    /// Begins behind the startup packet.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            client: Scanner::new(),
            server: Scanner::new(),
            request: Capture::default(),
            answer: Capture::default(),
            pairing: Pairing::new(limits),
            is_opaque: false,
        }
    }

    /// The client sent these bytes.
    pub fn client_sent(&mut self, bytes: &[u8], now: Instant) {
        let Self { limits, client, request, pairing, is_opaque, .. } = self;
        client.scan(bytes, &mut FromClient { limits: *limits, request, pairing, is_opaque, now });
    }

    /// The server sent these bytes.
    pub fn server_sent(&mut self, bytes: &[u8], now: Instant) {
        let Self { server, answer, pairing, is_opaque, .. } = self;
        server.scan(bytes, &mut FromServer { answer, pairing, is_opaque, now });
    }

    /// The session ended: what has no answer will get none.
    pub fn ended(&mut self, now: Instant) {
        self.pairing.ended(now);
    }

    /// Takes the next record, in the order of the server's answers.
    pub fn next_executed(&mut self) -> Option<Executed> {
        self.pairing.executed.pop_front()
    }

    /// How the texts are to be read from now on.
    pub fn settings(&self) -> &SessionSettings {
        &self.pairing.settings
    }

    /// How many requests were not observed, because too many were waiting for their answers.
    pub fn unobserved_requests(&self) -> u64 {
        self.pairing.unobserved_requests
    }

    /// Whether a direction is not understood any more, so that no further records will come.
    pub fn is_opaque(&self) -> bool {
        self.is_opaque
    }
}

struct FromClient<'a> {
    limits: Limits,
    request: &'a mut Capture,
    pairing: &'a mut Pairing,
    is_opaque: &'a mut bool,
    now: Instant,
}

impl Observer for FromClient<'_> {
    fn message(&mut self, tag: u8, body_bytes: u32) -> Body {
        let interest = request::interest(tag, self.limits.text_bytes, self.limits.name_bytes);
        let Some(interest) = interest.filter(|_| !*self.is_opaque) else { return Body::Skip };
        self.request.begin(tag, body_bytes, interest);
        if body_bytes == 0 {
            self.body(&[]);
        }
        Body::Show
    }

    fn body(&mut self, part: &[u8]) {
        if let Some(message) = self.request.extend(part)
            && let Some(request) = Request::read(&message, self.now)
        {
            self.pairing.requested(request);
        }
    }

    fn opaque(&mut self) {
        *self.is_opaque = true;
    }
}

struct FromServer<'a> {
    answer: &'a mut Capture,
    pairing: &'a mut Pairing,
    is_opaque: &'a mut bool,
    now: Instant,
}

impl Observer for FromServer<'_> {
    fn message(&mut self, tag: u8, body_bytes: u32) -> Body {
        let Some(interest) = answer::interest(tag).filter(|_| !*self.is_opaque) else {
            return Body::Skip;
        };
        self.answer.begin(tag, body_bytes, interest);
        if body_bytes == 0 || interest == 0 {
            // Nothing of the body matters, so there is no need to wait for it.
            self.answer.skip_body();
            self.body(&[]);
            return Body::Skip;
        }
        Body::Show
    }

    fn body(&mut self, part: &[u8]) {
        if let Some(message) = self.answer.extend(part)
            && let Some(answer) = Answer::read(&message)
        {
            self.pairing.answered(&answer, self.now);
        }
    }

    fn opaque(&mut self) {
        *self.is_opaque = true;
    }
}
