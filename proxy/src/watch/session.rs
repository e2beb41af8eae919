//! One watched session.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use pgtrack_tracker::calls::CallOutcome;

use super::Watch;
use super::decision::{Decision, Question, SCHEMA};
use crate::notice::Notice;
use crate::observe::{
    Executed, FirstLook, Held, Limits, NotAnalysed, Observation, Outcome, Source,
};
use crate::protocol::backend;
use crate::protocol::scanner::Observer;
use crate::session::gate::Passage;
use crate::{Config, SessionId};

/// The tag and the length field; manual, "Message Formats".
const HEADER_BYTES: usize = 5;
/// The end of the portal's name and the row limit, which end an `Execute`.
const EXECUTE_TAIL: usize = 5;
/// What a function call begins with.
const FUNCTION_NUMBER: usize = 4;

/// Who is behind a session.
pub(crate) struct Who {
    pub(crate) session: SessionId,
    pub(crate) client: Option<SocketAddr>,
    pub(crate) tls_identity: Option<String>,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) config: Arc<Config>,
    /// The startup packet puts `pgtrack` on the `search_path`.
    pub(crate) has_path: bool,
    /// How many of its calls were recorded.
    pub(crate) calls: AtomicI32,
}

impl Who {
    pub(super) fn next_number(&self) -> i32 {
        self.calls.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }
}

/// What is known of a session, and what was decided about it.
pub(crate) struct SessionWatch {
    watch: Arc<Watch>,
    who: Arc<Who>,
    observation: Observation,
    deciding: Option<Pin<Box<dyn Future<Output = Decision> + Send>>>,
    /// How many bytes before the end of the held message the one is that has to be spoiled to refuse it.
    spoil_at: usize,
    /// How many bytes from the client were looked at and not passed: up to the end of the held message, or those of
    /// one that is not complete and may be held.
    held_bytes: usize,
    /// What to tell the client between two messages from the server.
    notices: Vec<u8>,
    /// An error that is left out, with what the client is told instead.
    replacing: Option<(usize, Arc<[u8]>)>,
    max_rows: Option<u64>,
    /// `pgtrack` may be on the session's `search_path`. Only where there is a policy.
    has_path: bool,
    /// How many of the next bytes from the client are the number of a function that must not be called.
    spoil_function: usize,
    /// Time stands still: how long statements take is not asked here, and the clock is.
    now: Instant,
}

impl SessionWatch {
    pub(crate) fn new(watch: Arc<Watch>, who: Who) -> Self {
        let guard = who.guard();
        let has_path = guard.has_policy() && who.has_path;
        let look = FirstLook {
            calls: true,
            dangers: guard.has_rails(),
            paths: guard.has_policy(),
            verbs: has_path || guard.has_policy() && guard.is_strict(),
            is_strict: guard.is_strict(),
        };
        let mut observation = Observation::new(Limits::default()).holding(look);
        let max_rows = who.guard().rails.iter().filter_map(|rail| rail.max_rows).min();
        if max_rows.is_none() {
            observation = observation.only_calls();
        }
        Self {
            watch,
            who: Arc::new(who),
            observation,
            deciding: None,
            spoil_at: 0,
            held_bytes: 0,
            notices: Vec::new(),
            replacing: None,
            max_rows,
            has_path,
            spoil_function: 0,
            now: Instant::now(),
        }
    }

    /// Whether the last message from the client is complete.
    pub(crate) fn is_client_at_boundary(&self) -> bool {
        self.observation.is_client_at_boundary()
    }

    /// Whether the last message from the server is complete.
    pub(crate) fn is_server_at_boundary(&self) -> bool {
        self.observation.is_server_at_boundary()
    }

    /// Looks at bytes from the client that were not passed yet, as does `other`; says how many of them may pass.
    /// `None`: a message is to be refused, and of its bytes none is left that could be changed.
    pub(crate) fn poll_client(
        &mut self,
        cx: &mut Context<'_>,
        fresh: &mut [u8],
        is_last: bool,
        other: &mut impl Observer,
    ) -> Poll<Option<usize>> {
        self.note_path();
        if self.deciding.is_none() {
            let unseen = fresh.get_mut(self.held_bytes..).unwrap_or_default();
            let number = unseen.len().min(self.spoil_function);
            unseen.iter_mut().take(number).for_each(|byte| *byte = 0);
            self.spoil_function -= number;
            let count = self.held_bytes + self.observation.client_step(unseen, self.now, other);
            if let Some(body_bytes) = self.observation.take_function_call() {
                self.refuse_function_call(body_bytes);
            }
            let Some(held) = self.observation.held() else {
                let tail = if is_last { 0 } else { self.observation.unfinished_tail(EXECUTE_TAIL) };
                self.held_bytes = tail.min(count);
                return Poll::Ready(Some(count - self.held_bytes));
            };
            // Of `Query`, the end of the text; of `Execute`, the end of the portal's name before the row limit.
            self.spoil_at = match &held {
                Held::Execution { by_name: false, .. } | Held::Forgotten { by_name: false } => {
                    EXECUTE_TAIL
                }
                _ => 1,
            };
            self.held_bytes = count;
            let question = Question {
                watch: Arc::clone(&self.watch),
                who: Arc::clone(&self.who),
                settings: self.observation.settings().clone(),
                has_path: self.has_path,
                held,
            };
            self.deciding = Some(Box::pin(question.decide()));
        }
        if let Some(deciding) = &mut self.deciding {
            let decision = ready!(deciding.as_mut().poll(cx));
            self.deciding = None;
            if decision.errand.refusal.is_some() {
                let place = self.held_bytes.checked_sub(self.spoil_at);
                let Some(byte) = place.and_then(|place| fresh.get_mut(place)) else {
                    return Poll::Ready(None);
                };
                // Without its terminator the string is invalid: `pq_getmsgstring` (`pqformat.c`).
                *byte = b'x';
            }
            self.notices.extend(decision.warning.into_iter().flatten());
            self.has_path |= decision.sets_path;
            self.note_path();
            self.observation.release(decision.judgement, decision.errand);
        }
        Poll::Ready(Some(std::mem::take(&mut self.held_bytes)))
    }

    /// With a policy, calls without a schema matter once `pgtrack` is on the `search_path`.
    fn note_path(&mut self) {
        if !self.who.guard().has_policy() {
            return;
        }
        let reported = self.observation.settings().search_path.as_deref();
        self.has_path |= reported.is_some_and(|path| SCHEMA.is_in(path.as_bytes()));
        if self.has_path {
            self.observation.hold_verbs();
        }
    }

    /// Sees that the server refuses the function call that has begun, if it must not be made: there is no function of the
    /// number 0.
    fn refuse_function_call(&mut self, body_bytes: u32) {
        let settings = self.observation.settings();
        if let Some(notice) = self.who.unanalysed(settings, NotAnalysed::FunctionCall) {
            self.watch.overload.counters().refused.add(1);
            self.observation.refuse_function_call(notice.error().into());
            self.spoil_function = FUNCTION_NUMBER.min(body_bytes as usize);
        }
    }

    /// Looks at bytes from the server that were not passed yet, as does `other`.
    pub(crate) fn server(
        &mut self,
        fresh: &[u8],
        is_last: bool,
        other: &mut impl Observer,
    ) -> Passage {
        let now = self.now;
        if self.replacing.is_some() {
            return self.replace(fresh, other);
        }
        if self.notices.is_empty() && self.max_rows.is_none() && !self.observation.has_refusals() {
            // Nearly always: there is nothing to add, and nothing to leave out.
            self.observation.server_scan(fresh, now, other);
            self.take_note();
            return Passage::of(fresh.len());
        }
        let mut passed = 0;
        while let Some(rest) = fresh.get(passed..).filter(|rest| !rest.is_empty()) {
            if self.observation.is_server_at_boundary() {
                if !self.notices.is_empty() {
                    let insert = std::mem::take(&mut self.notices);
                    return Passage { pass: passed, insert, drop: 0 };
                }
                if self.observation.has_refusals() {
                    let Some(header) = rest.first_chunk::<HEADER_BYTES>() else {
                        if is_last {
                            return Passage::of(fresh.len());
                        }
                        break;
                    };
                    if header[0] == backend::ERROR_RESPONSE
                        && let Some(refusal) = self.observation.next_refusal()
                    {
                        let length =
                            u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
                        self.replacing = Some((length as usize + 1, Arc::clone(refusal)));
                        let replaced = self.replace(rest, other);
                        return Passage { pass: passed, ..replaced };
                    }
                }
            }
            passed += self.observation.server_step(rest, now, other);
            self.take_note();
        }
        Passage::of(passed)
    }

    /// Leaves out the error that is being replaced.
    fn replace(&mut self, fresh: &[u8], other: &mut impl Observer) -> Passage {
        let Some((remaining, refusal)) = &mut self.replacing else { return Passage::of(0) };
        let drop = fresh.len().min(*remaining);
        *remaining -= drop;
        let insert = if *remaining == 0 { refusal.to_vec() } else { Vec::new() };
        if *remaining == 0 {
            self.replacing = None;
        }
        let mut looked = 0;
        while looked < drop {
            looked += self.observation.server_step(&fresh[looked..drop], self.now, other);
        }
        self.take_note();
        Passage { pass: 0, insert, drop }
    }

    /// The session ended.
    pub(crate) fn ended(&mut self) {
        self.observation.ended(self.now);
        self.take_note();
    }

    /// Completes the records of what was executed, and tells of definitions.
    fn take_note(&mut self) {
        while let Some(executed) = self.observation.next_executed() {
            self.finish(&executed);
            self.count_rows(&executed);
        }
        if self.observation.take_definition() {
            self.watch.defined(&self.who.database);
        }
    }

    fn finish(&self, executed: &Executed) {
        let index = match executed.source {
            Source::Simple { index } => index,
            _ => 0,
        };
        // A text in which a statement has failed goes no further.
        let has_failed = matches!(executed.outcome, Outcome::Failed { .. } | Outcome::Skipped);
        for call in executed.calls.iter().flat_map(|calls| calls.iter()) {
            let is_it = match executed.source {
                Source::Simple { .. } => call.index == index || has_failed && call.index > index,
                _ => true,
            };
            if let Some(outcome) = call_outcome(&executed.outcome).filter(|_| is_it) {
                self.watch.log.finish(call.id.clone(), outcome);
            }
        }
    }

    fn count_rows(&mut self, executed: &Executed) {
        let (Some(least), Outcome::Completed { tag, rows: Some(rows) }) =
            (self.max_rows, &executed.outcome)
        else {
            return;
        };
        if *rows <= least || !(tag.starts_with("UPDATE") || tag.starts_with("DELETE")) {
            return;
        }
        let limit = self.who.guard().max_rows(self.who.subject(self.observation.settings()));
        if let Some(limit) = limit.filter(|limit| rows > limit) {
            let notice = Notice {
                message: format!("{rows} rows were changed by one statement"),
                detail: Some(format!("The guard rail of this session warns of more than {limit}.")),
                hint: "If it was a mistake: roll back, or pgtrack.undo_transaction() undoes it.",
            };
            self.notices.extend(notice.warning());
        }
    }
}

fn call_outcome(outcome: &Outcome) -> Option<CallOutcome> {
    Some(match outcome {
        Outcome::Completed { rows, .. } => {
            CallOutcome::Done { row_count: rows.and_then(|rows| i64::try_from(rows).ok()) }
        }
        Outcome::Suspended { rows } => CallOutcome::Done { row_count: i64::try_from(*rows).ok() },
        Outcome::Empty => CallOutcome::Done { row_count: None },
        Outcome::Failed { sqlstate } => {
            CallOutcome::Failed { sqlstate: String::from_utf8_lossy(sqlstate).into_owned() }
        }
        Outcome::Skipped => CallOutcome::Skipped,
        Outcome::Unanswered => return None,
    })
}
