//! Takes each answer to the request that it answers.
//!
//! The server answers in the order of the requests, so the oldest one without its last answer is the one that is
//! being answered. Prepared statements and portals change when the server says so, not when the client asks:
//! a name means what it meant to the server at that place of the pipeline.

mod meaning;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::answer::{Answer, rows};
use super::definition::Definitions;
use super::executed::{Executed, Outcome, Source, StatementText};
use super::judgement::RecordedCall;
use super::observation::{Limits, SessionSettings};
use super::portal::Portals;
use super::prepared::Prepared;
use super::records::Records;
use super::request::{Name, Request, calls};
use super::skipping::Skipping;
use super::words::{Verb, verb};
use crate::protocol::backend;
pub(super) use meaning::Meaning;

/// For how many requests a session keeps room while it is idle: those of one statement in the extended protocol.
const KEPT_REQUESTS: usize = 8;

#[derive(Debug)]
pub(super) struct Pairing {
    pub(super) limits: Limits,
    pub(super) settings: SessionSettings,
    /// Requests that are not answered completely, oldest first.
    pending: VecDeque<Request>,
    /// The memory of the texts in `pending`.
    pending_text_bytes: usize,
    prepared: Prepared,
    portals: Portals,
    /// There was an error, and the `Sync` behind it has not been sent yet.
    skipping: Option<Box<Skipping>>,
    /// The server reads the rows of a `COPY`, and ignores `Sync`.
    is_copying_in: bool,
    /// The number of the statement within the current `Query`.
    index: u32,
    /// Whether the current `Query` has failed.
    has_failed: bool,
    /// The rows of the current answer so far.
    data_rows: u64,
    /// When the last answer was complete.
    answered: Option<Instant>,
    /// How many `ReadyForQuery` will answer requests that were too many to keep.
    unobserved: Option<u64>,
    /// The server has not answered the startup packet completely.
    is_starting: bool,
    /// How many of `pending` are refused.
    refusals: usize,
    pub(super) definitions: Definitions,
    /// How many requests were too many to keep.
    pub(super) unobserved_requests: u64,
    /// A statement may be executed of which it is not known any more what it does.
    pub(super) has_forgotten: bool,
    pub(super) executed: Records,
}

impl Pairing {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            settings: SessionSettings::default(),
            pending: VecDeque::new(),
            pending_text_bytes: 0,
            prepared: Prepared::new(limits.prepared_count, limits.prepared_bytes),
            portals: Portals::default(),
            skipping: None,
            is_copying_in: false,
            index: 0,
            has_failed: false,
            data_rows: 0,
            answered: None,
            unobserved: None,
            is_starting: true,
            refusals: 0,
            definitions: Definitions::default(),
            unobserved_requests: 0,
            has_forgotten: false,
            executed: Records::default(),
        }
    }

    /// The client sent a message that will be answered.
    pub(super) fn requested(&mut self, mut request: Request) {
        if self.is_copying_in {
            // The server ignores `Sync` and `Flush`, and fails the COPY over anything else.
            if matches!(request, Request::CopyEnd) {
                self.is_copying_in = false;
            }
            if matches!(request, Request::CopyEnd | Request::Sync { .. }) {
                return;
            }
        }
        if let Some(mut skipping) = self.skipping.take()
            && !matches!(request, Request::Sync { .. })
        {
            self.executed.extend(skipping.skip(request, &mut self.prepared, &mut self.portals));
            self.skipping = Some(skipping);
            return;
        }
        let is_full = self.pending.len() >= self.limits.pending_requests;
        if is_full || self.unobserved.is_some() {
            self.overflow(&request);
            return;
        }
        let text_bytes = request.text_bytes();
        if self.pending_text_bytes.saturating_add(text_bytes) > self.limits.pending_text_bytes
            && let Request::Query { text: Some(text), .. } | Request::Parse { text: Some(text), .. } =
                &mut request
        {
            text.head = Arc::default();
        }
        self.pending_text_bytes = self.pending_text_bytes.saturating_add(request.text_bytes());
        if request.refusal().is_some() {
            self.refusals = self.refusals.saturating_add(1);
        }
        self.pending.push_back(request);
    }

    /// There is no room for a request: only the answers that end it are counted.
    fn overflow(&mut self, request: &Request) {
        let unobserved = self.unobserved.get_or_insert(0);
        if request.is_answered_by_ready() {
            *unobserved = unobserved.saturating_add(1);
        }
        if let Request::Parse { statement, .. } = request {
            // What the name will mean is not known any more.
            self.prepared.remove(statement);
        }
        self.unobserved_requests = self.unobserved_requests.saturating_add(1);
        self.has_forgotten = true;
    }

    /// Whether an answer to come is to be replaced.
    pub(super) fn has_refusals(&self) -> bool {
        self.refusals > 0
    }

    /// What the client is told instead, if the next error is the server's answer to a refused request.
    pub(super) fn next_refusal(&self) -> Option<&Arc<[u8]>> {
        let refused = self.pending.iter().find(|request| !matches!(request, Request::CopyEnd))?;
        refused.refusal()
    }

    /// The server sent a row.
    pub(super) fn row(&mut self) {
        self.data_rows = self.data_rows.saturating_add(1);
    }

    /// The server sent a message that is no row.
    pub(super) fn answered(&mut self, answer: &Answer<'_>, now: Instant) {
        if let Answer::Setting { name, value } = answer {
            self.settings.changed(name, value);
            return;
        }
        if let Answer::BackendKey { pid } = answer {
            self.settings.backend_pid = *pid;
            return;
        }
        if self.is_starting {
            self.is_starting = !matches!(answer, Answer::Ready { .. });
            return;
        }
        self.drop_ignored(answer);
        match answer {
            Answer::ParseComplete => self.parse_complete(),
            Answer::BindComplete => self.bind_complete(),
            Answer::CloseComplete => self.close_complete(),
            Answer::Described => {
                self.data_rows = 0;
                if let Some(Request::Describe(_)) = self.pending.front() {
                    self.pop();
                }
            }
            Answer::Parameters { types } => {
                if let Some(Request::Describe(Some(name))) = self.pending.front() {
                    self.prepared.describe(name, types);
                }
            }
            Answer::CopyIn => self.copy_in(),
            Answer::CommandComplete { tag } => self.command_complete(tag, now),
            Answer::EmptyQuery => self.finish(|| Outcome::Empty, now),
            Answer::PortalSuspended => self.suspended(now),
            Answer::Error { sqlstate, is_fatal } => self.error(*sqlstate, *is_fatal, now),
            Answer::Ready { status } => self.ready(*status, now),
            Answer::Begun | Answer::Setting { .. } | Answer::BackendKey { .. } => {}
        }
        if !matches!(answer, Answer::Begun | Answer::CopyIn) {
            self.answered = Some(now);
        }
    }

    /// The session ended: what is not answered will not be.
    pub(super) fn ended(&mut self, now: Instant) {
        self.executed.extend(self.portals.close_all());
        let mut skipping = Skipping::default();
        let mut is_first = true;
        while let Some(request) = self.pop() {
            let record = match request {
                Request::Query { text, sent, .. } if !self.has_failed => {
                    let index = if is_first { self.index } else { 0 };
                    Some(self.record(
                        text,
                        Source::Simple { index },
                        sent,
                        now,
                        Outcome::Unanswered,
                    ))
                }
                Request::FunctionCall { function, sent, .. } => Some(self.record(
                    None,
                    Source::FunctionCall { function },
                    sent,
                    now,
                    Outcome::Unanswered,
                )),
                request => {
                    let skipped = skipping.skip(request, &mut self.prepared, &mut self.portals);
                    skipped.map(|record| Executed { outcome: Outcome::Unanswered, ..record })
                }
            };
            self.executed.extend(record);
            is_first = false;
        }
    }

    fn pop(&mut self) -> Option<Request> {
        let request = self.pending.pop_front()?;
        self.pending_text_bytes = self.pending_text_bytes.saturating_sub(request.text_bytes());
        if request.refusal().is_some() {
            self.refusals = self.refusals.saturating_sub(1);
        }
        Some(request)
    }

    /// Drops a `Sync` that the server has ignored because it came within a COPY: it does not answer it.
    fn drop_ignored(&mut self, answer: &Answer<'_>) {
        let may_answer_sync = matches!(answer, Answer::Ready { .. } | Answer::Error { .. });
        while let Some(head) = self.pending.front() {
            match head {
                Request::CopyEnd => {}
                Request::Sync { .. } if !may_answer_sync => {}
                _ => return,
            }
            self.pop();
        }
    }

    fn parse_complete(&mut self) {
        if let Some(Request::Parse { statement, text, .. }) =
            self.pending.pop_front_if(|head| matches!(head, Request::Parse { .. }))
        {
            let text_bytes = text.as_ref().map_or(0, |text| text.head.len());
            self.pending_text_bytes = self.pending_text_bytes.saturating_sub(text_bytes);
            match text.filter(|text| !self.executed.is_for_calls() || !text.is_forgotten()) {
                Some(text) => self.has_forgotten |= self.prepared.insert(statement, text),
                None => self.prepared.remove(&statement),
            }
        }
    }

    fn bind_complete(&mut self) {
        if let Some(Request::Bind { portal, statement, parameters, values, .. }) =
            self.pending.pop_front_if(|head| matches!(head, Request::Bind { .. }))
        {
            let text = self.prepared.get(&statement);
            if self.executed.is_for_calls() && text.is_none() {
                self.executed.extend(self.portals.close(&portal));
                return;
            }
            let parameters = (parameters, values);
            let given_up = self.portals.bind(portal, text, parameters, self.limits.portals);
            self.has_forgotten |= given_up.has_forgotten;
            self.executed.extend(given_up.records);
        }
    }

    fn close_complete(&mut self) {
        match self.pending.pop_front_if(|head| {
            matches!(head, Request::CloseStatement(_) | Request::ClosePortal(_))
        }) {
            Some(Request::CloseStatement(name)) => self.prepared.remove(&name),
            Some(Request::ClosePortal(name)) => self.executed.extend(self.portals.close(&name)),
            _ => {}
        }
    }

    /// The server begins to read rows. It ignores each `Sync` up to the end of the rows.
    fn copy_in(&mut self) {
        let behind = self.pending.iter().skip(1);
        let end = behind.take_while(|request| !matches!(request, Request::CopyEnd)).count();
        let has_end = self.pending.len() > end.saturating_add(1);
        let mut position = 0_usize;
        self.pending.retain(|request| {
            let is_within = position > 0 && position <= end;
            let is_end = has_end && position == end.saturating_add(1);
            position = position.saturating_add(1);
            !(is_end || is_within && matches!(request, Request::Sync { .. }))
        });
        self.is_copying_in = !has_end;
    }

    fn command_complete(&mut self, tag: &[u8], now: Instant) {
        self.is_copying_in = false;
        self.completed(tag);
        let outcome = || {
            let tag = String::from_utf8_lossy(tag);
            Outcome::Completed { rows: rows(&tag), tag: tag.into() }
        };
        self.finish(outcome, now);
        match tag {
            b"DISCARD ALL" => {
                self.prepared.clear();
                self.executed.extend(self.portals.close_all());
            }
            b"DEALLOCATE ALL" => self.prepared.clear(),
            _ => {}
        }
    }

    /// Follows what a completed statement has defined, prepared or forgotten.
    fn completed(&mut self, tag: &[u8]) {
        let text = match self.pending.front() {
            Some(Request::Query { text, .. }) => text.as_ref(),
            Some(Request::Execute { portal, .. }) => {
                self.portals.get(portal).and_then(|portal| portal.text.as_ref())
            }
            _ => None,
        };
        self.definitions.completed(tag, text.map(|text| &*text.head));
        let is_first = self.index == 0;
        let Some(text) = text.filter(|_| is_first) else { return };
        match (tag, verb(&text.head)) {
            (b"PREPARE", Some(Verb::Prepare(name))) => {
                self.has_forgotten |= self.prepared.insert(name, text.clone());
            }
            (b"DEALLOCATE", Some(Verb::Deallocate(name))) => self.prepared.remove(&name),
            _ => {}
        }
    }

    /// The text that prepared what this one executes in SQL.
    fn executed_text(&mut self, text: &StatementText, outcome: &Outcome) -> Option<StatementText> {
        match (outcome, verb(&text.head)?) {
            (Outcome::Completed { .. }, Verb::Execute(name)) => self.prepared.get(&name),
            _ => None,
        }
    }

    /// The statement that is being executed is done.
    fn finish(&mut self, outcome: impl FnOnce() -> Outcome, now: Instant) {
        let rows_now = std::mem::take(&mut self.data_rows);
        match self.pending.front() {
            Some(Request::Query { text, sent, errand }) => {
                let calls = calls(errand.as_deref());
                if self.executed.want(calls) {
                    let (text, sent, calls) = (text.clone(), *sent, calls.cloned());
                    let outcome = outcome();
                    let first = text.as_ref().filter(|_| self.index == 0);
                    let prepared = first.and_then(|text| self.executed_text(text, &outcome));
                    let source = Source::Simple { index: self.index };
                    let record = self.record(text, source, sent, now, outcome);
                    self.executed.push(Executed { prepared, calls, ..record });
                }
                self.index = self.index.saturating_add(1);
            }
            Some(Request::Execute { .. }) => {
                if let Some(Request::Execute { portal, sent, errand }) = self.pop() {
                    let calls = errand.and_then(|errand| errand.calls);
                    self.finish_portal(portal, sent, calls, rows_now, outcome, now);
                }
            }
            _ => {}
        }
    }

    fn finish_portal(
        &mut self,
        name: Name,
        sent: Instant,
        calls: Option<Arc<[RecordedCall]>>,
        rows_now: u64,
        outcome: impl FnOnce() -> Outcome,
        now: Instant,
    ) {
        let busy = self.busy(sent, now);
        let Some(portal) = self.portals.get(&name) else {
            // A cursor that SQL declared, a portal that was forgotten, or one of no interest.
            if self.executed.want(calls.as_ref()) {
                let source = Source::Extended { portal: name, parameters: 0 };
                let record = self.record(None, source, sent, now, outcome());
                self.executed.push(Executed { calls, ..record });
            }
            return;
        };
        portal.calls = portal.calls.take().or(calls);
        portal.started.get_or_insert(busy.0);
        portal.busy = portal.busy.saturating_add(busy.1);
        if std::mem::replace(&mut portal.is_finished, true)
            || !self.executed.want(portal.calls.as_ref())
        {
            return;
        }
        let outcome = match outcome() {
            // The tag counts the rows of the last execution alone.
            Outcome::Completed { tag, .. } if portal.rows > 0 => {
                Outcome::Completed { tag, rows: Some(portal.rows.saturating_add(rows_now)) }
            }
            outcome => outcome,
        };
        if let Some(mut record) = portal.finished(name, outcome) {
            if let Some(text) = &record.text {
                record.prepared = self.executed_text(text, &record.outcome);
            }
            self.executed.push(record);
        }
    }

    fn suspended(&mut self, now: Instant) {
        let rows_now = std::mem::take(&mut self.data_rows);
        if !matches!(self.pending.front(), Some(Request::Execute { .. })) {
            return;
        }
        if let Some(Request::Execute { portal, sent, errand }) = self.pop() {
            let (started, busy) = self.busy(sent, now);
            if let Some(portal) = self.portals.get(&portal) {
                portal.calls = portal.calls.take().or_else(|| errand?.calls);
                portal.started.get_or_insert(started);
                portal.busy = portal.busy.saturating_add(busy);
                portal.rows = portal.rows.saturating_add(rows_now);
            }
        }
    }

    fn error(&mut self, sqlstate: [u8; 5], is_fatal: bool, now: Instant) {
        let outcome = Outcome::Failed { sqlstate };
        self.is_copying_in = false;
        match self.pending.front() {
            // An error of the session, not of a statement.
            None => return,
            Some(Request::Query { .. }) => {
                self.finish(|| outcome, now);
                self.has_failed = true;
                return;
            }
            Some(Request::FunctionCall { function, sent, .. }) => {
                let source = Source::FunctionCall { function: *function };
                let record = self.record(None, source, *sent, now, outcome);
                self.executed.push(record);
                self.has_failed = true;
                return;
            }
            Some(Request::Sync { sent }) => {
                if !is_fatal {
                    let record = self.record(None, Source::Commit, *sent, now, outcome);
                    self.executed.push(record);
                }
                return;
            }
            Some(_) => {}
        }
        let head = self.pending.front();
        let Some(head) = head else { return };
        let mut skipping = Skipping::behind(head);
        match head {
            Request::Execute { .. } => self.finish(|| outcome, now),
            Request::Parse { .. } | Request::Bind { .. } => {
                let record = match self.pop() {
                    Some(Request::Parse { text, sent, .. }) => {
                        let source = Source::Extended { portal: [].into(), parameters: 0 };
                        Some(self.record(text, source, sent, now, outcome))
                    }
                    Some(Request::Bind { portal, statement, parameters, sent, .. }) => {
                        let text = self.prepared.get(&statement);
                        let source = Source::Extended { portal, parameters };
                        Some(self.record(text, source, sent, now, outcome))
                    }
                    _ => None,
                };
                self.executed.extend(record);
            }
            _ => {
                self.pop();
            }
        }
        while self.pending.front().is_some_and(|head| !matches!(head, Request::Sync { .. })) {
            let Some(request) = self.pop() else { break };
            self.executed.extend(skipping.skip(request, &mut self.prepared, &mut self.portals));
        }
        if self.pending.is_empty() && self.unobserved.is_none() {
            self.skipping = Some(Box::new(skipping));
        }
    }

    fn ready(&mut self, status: u8, now: Instant) {
        self.is_copying_in = false;
        if self.pending.is_empty() {
            // Beyond what could be kept, or the end of the start-up.
            self.unobserved =
                self.unobserved.map(|count| count.saturating_sub(1)).filter(|count| *count > 0);
        }
        while let Some(request) = self.pop() {
            let is_last = request.is_answered_by_ready();
            match request {
                Request::FunctionCall { function, sent, .. } if !self.has_failed => {
                    let outcome = Outcome::Completed { tag: "".into(), rows: None };
                    let record =
                        self.record(None, Source::FunctionCall { function }, sent, now, outcome);
                    self.executed.push(record);
                }
                Request::Query { .. } => {
                    // A simple query takes the unnamed statement and portal away.
                    self.prepared.remove(b"");
                    self.executed.extend(self.portals.close(b""));
                }
                _ => {}
            }
            if is_last {
                break;
            }
        }
        if status == backend::IDLE {
            self.executed.extend(self.portals.close_all());
            self.definitions.transaction_ended();
        }
        if self.pending.is_empty() && self.pending.capacity() > KEPT_REQUESTS {
            // An idle session keeps no room for a pipeline.
            self.pending = VecDeque::new();
        }
        (self.index, self.has_failed, self.data_rows) = (0, false, 0);
    }

    /// When the server could begin with what was sent at this time, and how long it took.
    fn busy(&self, sent: Instant, now: Instant) -> (Instant, Duration) {
        let started = self.answered.map_or(sent, |answered| answered.max(sent));
        (started, now.saturating_duration_since(started))
    }

    fn record(
        &self,
        text: Option<StatementText>,
        source: Source,
        sent: Instant,
        now: Instant,
        outcome: Outcome,
    ) -> Executed {
        let (started, duration) = self.busy(sent, now);
        Executed { text, prepared: None, source, started, duration, calls: None, outcome }
    }
}
