//! One session under observation: bytes in, records out.

use std::sync::Arc;
use std::time::Instant;

use super::answer::{self, Answer};
use super::bound::Bound;
use super::capture::Capture;
use super::executed::{Executed, StatementText};
use super::first_look::FirstLook;
use super::judgement::Judgement;
use super::pairing::{Meaning, Pairing};
use super::request::{self, Errand, Request};
use super::words::is_followed;
use crate::protocol::scanner::{Body, Nobody, Observer, Scanner};
use crate::protocol::{backend, frontend};

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
            pending_requests: 8 * 1024,
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
    /// `application_name`.
    pub application_name: Box<str>,
    /// `session_authorization`: who logged in, or became somebody else by `SET SESSION AUTHORIZATION`.
    pub session_authorization: Box<str>,
    /// `search_path`, from servers that report it: PostgreSQL 18 and later.
    pub search_path: Option<Box<str>>,
    /// The server process.
    pub backend_pid: i32,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            client_encoding: "".into(),
            standard_conforming_strings: true,
            application_name: "".into(),
            session_authorization: "".into(),
            search_path: None,
            backend_pid: 0,
        }
    }
}

impl SessionSettings {
    pub(super) fn changed(&mut self, name: &str, value: &str) {
        match name {
            "client_encoding" => self.client_encoding = value.into(),
            "application_name" => self.application_name = value.into(),
            "session_authorization" => self.session_authorization = value.into(),
            "search_path" => self.search_path = Some(value.into()),
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
    client: Scanner,
    server: Scanner,
    request: Capture,
    answer: Capture,
    pairing: Pairing,
    is_opaque: bool,
    /// Which messages are to be held up.
    look: FirstLook,
    /// A message that was, until something is decided about it.
    held: Option<Box<Request>>,
    /// A text has mattered, so that the execution of a prepared one may.
    has_judged: bool,
    /// The length of the body of a function call that has begun and is not looked at.
    function_call: Option<u32>,
    /// What the client is told instead of the answer to the function call that has begun.
    function_refusal: Option<Arc<[u8]>>,
}

impl Observation {
    /// Begins behind the startup packet.
    pub fn new(limits: Limits) -> Self {
        Self {
            client: Scanner::new(),
            server: Scanner::new(),
            request: Capture::default(),
            answer: Capture::default(),
            pairing: Pairing::new(limits),
            is_opaque: false,
            look: FirstLook::default(),
            held: None,
            has_judged: false,
            function_call: None,
            function_refusal: None,
        }
    }

    /// Holds up messages from the client that may matter.
    pub(crate) fn holding(self, look: FirstLook) -> Self {
        Self { look, ..self }
    }

    /// Has calls without a schema held up from now on.
    pub(crate) fn hold_verbs(&mut self) {
        self.look.verbs = true;
    }

    /// A function call has begun, with a body of so many bytes, of which none was looked at.
    pub(crate) fn take_function_call(&mut self) -> Option<u32> {
        self.function_call.take()
    }

    /// The server is going to refuse the function call that has begun, and the client to be told this.
    pub(crate) fn refuse_function_call(&mut self, refusal: Arc<[u8]>) {
        self.function_refusal = Some(refusal);
    }

    /// Reports only statements with calls that were recorded.
    pub(crate) fn only_calls(mut self) -> Self {
        self.pairing.executed.only_calls();
        self
    }

    /// The client sent these bytes.
    pub fn client_sent(&mut self, mut bytes: &[u8], now: Instant) {
        while !bytes.is_empty() {
            let count = self.client_step(bytes, now, &mut Nobody);
            bytes = bytes.get(count..).unwrap_or_default();
            self.release(None, Errand::default());
        }
    }

    /// The client sent these bytes. Returns how many of them were looked at: up to the end of a message that is held,
    /// or the header of a function call that may be refused, if there is one. `other` observes them, too.
    pub(crate) fn client_step(
        &mut self,
        bytes: &[u8],
        now: Instant,
        other: &mut impl Observer,
    ) -> usize {
        let Self {
            client,
            request,
            pairing,
            is_opaque,
            look,
            held,
            has_judged,
            function_call,
            function_refusal,
            ..
        } = self;
        let mut observer = FromClient {
            request,
            pairing,
            is_opaque,
            now,
            look: *look,
            held,
            has_judged: *has_judged,
            function_call,
            function_refusal,
            other,
        };
        let mut count = 0_usize;
        while count < bytes.len() && observer.held.is_none() && observer.function_call.is_none() {
            let step = client.step(bytes.get(count..).unwrap_or_default(), &mut observer);
            count = count.saturating_add(step);
        }
        count
    }

    /// How many of the last bytes from the client must not pass yet, because an `Execute` that is not complete may be
    /// held: as many as there are of its last `tail` bytes.
    pub(crate) fn unfinished_tail(&self, tail: usize) -> usize {
        match self.request.missing(frontend::EXECUTE) {
            Some(missing) if self.has_judged || self.is_ignorant() => tail.saturating_sub(missing),
            _ => 0,
        }
    }

    /// What is to be decided about the message that is held.
    pub(crate) fn held(&mut self) -> Option<Held> {
        let is_ignorant = self.is_ignorant();
        match self.held.as_deref()? {
            Request::Query { text: Some(text), .. } => {
                Some(match self.pairing.executed_by_sql(text) {
                    Some(text) => Held::Execution { text, values: None, by_name: true },
                    None if is_ignorant && self.pairing.executes_unknown(text) => {
                        Held::Forgotten { by_name: true }
                    }
                    None => Held::Query(text.clone()),
                })
            }
            Request::Parse { text: Some(text), .. } => Some(Held::Parse(text.clone())),
            Request::Execute { portal, .. } => Some(match self.pairing.meaning_of(portal) {
                Some(Meaning { text, values, .. }) => {
                    Held::Execution { text, values, by_name: false }
                }
                None => Held::Forgotten { by_name: false },
            }),
            _ => None,
        }
    }

    /// Whether what is not known is not harmless.
    fn is_ignorant(&self) -> bool {
        self.look.is_strict && self.pairing.has_forgotten
    }

    /// Lets the message go that was held.
    pub(crate) fn release(&mut self, found: Option<Arc<Judgement>>, does: Errand) {
        let Some(mut request) = self.held.take() else { return };
        self.has_judged |= found.is_some();
        match &mut *request {
            Request::Query { text: Some(text), errand, .. } => {
                (text.judgement, *errand) = (found, does.if_any());
            }
            Request::Execute { errand, .. } => *errand = does.if_any(),
            Request::Parse { text: Some(text), .. } => text.judgement = found,
            _ => {}
        }
        self.pairing.requested(*request);
    }

    /// Whether an answer to come is to be replaced.
    pub(crate) fn has_refusals(&self) -> bool {
        self.pairing.has_refusals()
    }

    /// What the client is told instead, if the next error is the server's answer to a refused request.
    pub(crate) fn next_refusal(&self) -> Option<&Arc<[u8]>> {
        self.pairing.next_refusal()
    }

    /// Whether the next byte from the client begins a message.
    pub(crate) fn is_client_at_boundary(&self) -> bool {
        self.client.is_at_boundary()
    }

    /// Whether the next byte from the server begins a message.
    pub(crate) fn is_server_at_boundary(&self) -> bool {
        self.server.is_at_boundary()
    }

    /// The server sent these bytes. Returns how many of them were looked at: up to the end of a header or a body.
    /// `other` observes them, too.
    pub(crate) fn server_step(
        &mut self,
        bytes: &[u8],
        now: Instant,
        other: &mut impl Observer,
    ) -> usize {
        let Self { server, answer, pairing, is_opaque, .. } = self;
        server.step(bytes, &mut FromServer { answer, pairing, is_opaque, now, other })
    }

    /// The server sent all these bytes. `other` observes them, too.
    pub(crate) fn server_scan(&mut self, bytes: &[u8], now: Instant, other: &mut impl Observer) {
        let Self { server, answer, pairing, is_opaque, .. } = self;
        server.scan(bytes, &mut FromServer { answer, pairing, is_opaque, now, other });
    }

    /// The server sent these bytes.
    pub fn server_sent(&mut self, bytes: &[u8], now: Instant) {
        self.server_scan(bytes, now, &mut Nobody);
    }

    /// The session ended: what has no answer will get none.
    pub fn ended(&mut self, now: Instant) {
        self.pairing.ended(now);
    }

    /// Takes the next record, in the order of the server's answers.
    pub fn next_executed(&mut self) -> Option<Executed> {
        self.pairing.executed.pop()
    }

    /// Whether a transaction has ended, since this was asked last, that may have defined a table or what belongs to one.
    pub fn take_definition(&mut self) -> bool {
        self.pairing.definitions.take()
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

/// What a held message asks for.
pub(crate) enum Held {
    /// To execute this text, which nobody has looked at.
    Query(StatementText),
    /// To prepare it.
    Parse(StatementText),
    /// To execute a text that was judged; `by_name` with `EXECUTE` in SQL.
    Execution { text: StatementText, values: Option<Arc<Bound>>, by_name: bool },
    /// To execute one that is not known any more.
    Forgotten { by_name: bool },
}

struct FromClient<'a, O> {
    request: &'a mut Capture,
    pairing: &'a mut Pairing,
    is_opaque: &'a mut bool,
    now: Instant,
    look: FirstLook,
    held: &'a mut Option<Box<Request>>,
    has_judged: bool,
    function_call: &'a mut Option<u32>,
    function_refusal: &'a mut Option<Arc<[u8]>>,
    other: &'a mut O,
}

impl<O: Observer> FromClient<'_, O> {
    /// Takes the next part of a body; the message is complete with the last.
    fn take(&mut self, part: &[u8]) {
        let look = self.look;
        let mut may_matter = false;
        let is_of_interest = |text: &[u8], is_all| {
            may_matter = look.may_matter(text, is_all);
            may_matter || !look.calls || is_followed(text)
        };
        if let Some(message) = self.request.extend(part)
            && let Some(mut request) = Request::read(&message, self.now, is_of_interest)
        {
            match &mut request {
                Request::Bind { statement, values, .. } => {
                    if self.has_judged && self.pairing.wants_values(statement) {
                        *values = request::bound(&message).map(Arc::new);
                    }
                }
                Request::FunctionCall { errand, .. } => {
                    let refusal = self.function_refusal.take();
                    *errand = Errand { calls: None, refusal }.if_any();
                }
                _ => {}
            }
            if self.is_to_be_held(&request, may_matter) {
                *self.held = Some(Box::new(request));
                return;
            }
            self.pairing.requested(request);
        }
    }

    /// Whether something has to be decided before this is forwarded. Its text may matter, or not.
    fn is_to_be_held(&mut self, request: &Request, may_matter: bool) -> bool {
        match request {
            Request::Query { text: Some(text), .. } => {
                may_matter
                    || self.has_judged && self.pairing.executed_by_sql(text).is_some()
                    || self.is_ignorant() && self.pairing.executes_unknown(text)
            }
            Request::Parse { .. } => may_matter,
            Request::Execute { portal, .. } if self.has_judged || self.is_ignorant() => {
                match self.pairing.meaning_of(portal) {
                    // However often a portal is executed for more rows, it is one statement.
                    Some(meaning) => !meaning.is_begun && meaning.text.judgement.is_some(),
                    None => self.is_ignorant(),
                }
            }
            _ => false,
        }
    }

    fn is_ignorant(&self) -> bool {
        self.look.is_strict && self.pairing.has_forgotten
    }
}

impl<O: Observer> Observer for FromClient<'_, O> {
    fn message(&mut self, tag: u8, body_bytes: u32) -> Body {
        let others = self.other.message(tag, body_bytes);
        let interest = request::interest(tag, &self.pairing.limits, self.has_judged);
        let Some(interest) = interest.filter(|_| !*self.is_opaque) else { return others };
        self.request.begin(tag, body_bytes, interest);
        if tag == frontend::FUNCTION_CALL && self.look.is_strict {
            *self.function_call = Some(body_bytes);
        }
        if body_bytes == 0 {
            self.take(&[]);
        }
        Body::Show
    }

    fn body(&mut self, part: &[u8]) {
        self.other.body(part);
        self.take(part);
    }

    fn opaque(&mut self) {
        self.other.opaque();
        *self.is_opaque = true;
    }
}

struct FromServer<'a, O> {
    answer: &'a mut Capture,
    pairing: &'a mut Pairing,
    is_opaque: &'a mut bool,
    now: Instant,
    other: &'a mut O,
}

impl<O: Observer> FromServer<'_, O> {
    /// Takes the next part of a body; the message is complete with the last.
    fn take(&mut self, part: &[u8]) {
        if let Some(message) = self.answer.extend(part)
            && let Some(answer) = Answer::read(&message)
        {
            self.pairing.answered(&answer, self.now);
        }
    }
}

impl<O: Observer> Observer for FromServer<'_, O> {
    fn message(&mut self, tag: u8, body_bytes: u32) -> Body {
        let others = self.other.message(tag, body_bytes);
        if tag == backend::DATA_ROW {
            self.pairing.row();
            return others;
        }
        let Some(interest) = answer::interest(tag).filter(|_| !*self.is_opaque) else {
            return others;
        };
        self.answer.begin(tag, body_bytes, interest);
        if body_bytes == 0 || interest == 0 {
            // Nothing of the body matters, so there is no need to wait for it.
            self.answer.skip_body();
            self.take(&[]);
            return Body::Skip;
        }
        Body::Show
    }

    fn body(&mut self, part: &[u8]) {
        self.other.body(part);
        self.take(part);
    }

    fn opaque(&mut self) {
        self.other.opaque();
        *self.is_opaque = true;
    }
}
