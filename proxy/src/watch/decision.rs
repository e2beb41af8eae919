//! What is done about a message before it is forwarded.

use std::sync::Arc;

use pgtrack_tracker::calls::{Call, CallId};
use pgtrack_tracker::statement::{ClientEncoding, Keyword, Text};
use serde_json::Value;
use tracing::warn;

use super::{Judged, Watch, Who};
use crate::guard::{Guard, Response, Subject};
use crate::notice::Notice;
use crate::observe::{
    Acts, Bound, CalledFunction, Errand, Held, Judgement, NotAnalysed, Reading, RecordedCall,
    SessionSettings, Shown, StatementText, cut,
};

/// What the `search_path` is looked through for.
pub(super) const SCHEMA: Keyword = Keyword::new("pgtrack");

/// How much of a text is recorded, in characters, as the functions do themselves.
const STATEMENT_CHARS: usize = 4000;

/// What was decided.
#[derive(Default)]
pub(super) struct Decision {
    /// What the text will do.
    pub(super) judgement: Option<Arc<Judgement>>,
    pub(super) errand: Errand,
    pub(super) warning: Option<Vec<u8>>,
    /// The text may put `pgtrack` on the session's `search_path`.
    pub(super) sets_path: bool,
}

/// Who sends what.
pub(super) struct Question {
    pub(super) watch: Arc<Watch>,
    pub(super) who: Arc<Who>,
    pub(super) settings: SessionSettings,
    /// A text of the session may have put `pgtrack` on its `search_path`.
    pub(super) has_path: bool,
    pub(super) held: Held,
}

/// What is going to be executed.
#[derive(Clone, Copy)]
struct Execution<'a> {
    text: &'a StatementText,
    judgement: &'a Judgement,
    /// What it does.
    acts: &'a Acts,
    values: Option<&'a Bound>,
}

impl Question {
    pub(super) async fn decide(self) -> Decision {
        match &self.held {
            Held::Parse(text) => {
                let Judged { judgement, sets_path } = self.judge(text).await;
                Decision { judgement, sets_path, ..Decision::default() }
            }
            Held::Query(text) => {
                let Judged { judgement, sets_path } = self.judge(text).await;
                let decision = match &judgement {
                    Some(judgement) => self.execute(text, judgement, None).await,
                    None => Decision::default(),
                };
                Decision { judgement, sets_path, ..decision }
            }
            Held::Execution { text, values, by_name } => match &text.judgement {
                Some(judgement) if *by_name => {
                    let acts = judgement.executed_by_name();
                    self.allow(Execution { text, judgement, acts, values: None }).await
                }
                Some(judgement) => self.execute(text, judgement, values.as_deref()).await,
                None => Decision::default(),
            },
            Held::Forgotten { .. } => {
                match self.who.unanalysed(&self.settings, NotAnalysed::Forgotten) {
                    Some(notice) => {
                        self.watch.overload.counters().refused.add(1);
                        Decision { errand: refusal(notice), ..Decision::default() }
                    }
                    None => Decision::default(),
                }
            }
        }
    }

    async fn judge(&self, text: &StatementText) -> Judged {
        let guard = self.who.guard();
        let has_path = match &self.settings.search_path {
            _ if self.has_path => true,
            Some(path) => SCHEMA.is_in(path.as_bytes()),
            // Only newer servers say it. A role or a database may have it as its default.
            None => guard.refuses_unknown_calls(self.subject().role),
        };
        let reading = Reading { has_path, is_strict: guard.is_strict() };
        let text = Text {
            bytes: Arc::clone(&text.head),
            encoding: self.encoding(),
            standard_conforming_strings: self.settings.standard_conforming_strings,
        };
        self.watch.judge(&text, reading).await
    }

    /// Decides about the execution of a text. What it prepares in SQL is decided about, too: how that is going to be
    /// executed may not be seen.
    async fn execute(
        &self,
        text: &StatementText,
        judgement: &Judgement,
        values: Option<&Bound>,
    ) -> Decision {
        if let Some(prepared) = &judgement.prepares {
            let execution = Execution { text, judgement, acts: prepared, values: None };
            if let Some(notice) = self.denial(prepared) {
                return self.deny(execution, notice).await;
            }
        }
        self.allow(Execution { text, judgement, acts: &judgement.runs, values }).await
    }

    /// Why what is to be done is refused, if it is.
    fn denial(&self, acts: &Acts) -> Option<Notice> {
        let (guard, subject) = (self.who.guard(), self.subject());
        if let Some(verb) = guard.forbidden(subject.role, acts) {
            return Some(forbidden(subject.role, verb));
        }
        match guard.response(subject, acts) {
            Some((Response::Deny, danger)) => Some(refused(danger.describe(), None)),
            _ => None,
        }
    }

    /// Decides about what is going to be done.
    async fn allow(&self, execution: Execution<'_>) -> Decision {
        let acts = execution.acts;
        if let Some(notice) = self.denial(acts) {
            return self.deny(execution, notice).await;
        }
        let not_analysed = execution.judgement.not_analysed;
        let unknown = not_analysed.and_then(|why| self.who.unanalysed(&self.settings, why));
        if let Some(notice) = unknown {
            self.watch.overload.counters().refused.add(1);
            return self.deny(execution, notice).await;
        }
        let subject = self.subject();
        let mut warning = None;
        match self.who.guard().response(subject, acts) {
            None | Some((Response::Allow | Response::Deny, _)) => {}
            Some((Response::Warn, danger)) => warning = Some(warned(danger.describe()).warning()),
            Some((Response::Tag, danger)) => {
                let name = format!(
                    "before {} in {}/{}",
                    danger.describe(),
                    self.who.session,
                    self.who.next_number()
                );
                let (log, database) = (&self.watch.log, &self.who.database);
                match log.protect(database, subject.role, &name, &acts.targets).await {
                    Ok(true) => warning = Some(tagged(danger.describe(), &name).warning()),
                    // The server refuses it: the role has no right to do it.
                    Ok(false) => {}
                    Err(error) => {
                        warn!(session = %self.who.session, error = error.for_log(), "could not tag first");
                        let refusal = refused(danger.describe(), Some(error.to_string()));
                        return self.deny(execution, refusal).await;
                    }
                }
            }
        }
        match self.record(execution, false).await {
            Ok(calls) => {
                let errand = Errand { calls, refusal: None };
                Decision { errand, warning, ..Decision::default() }
            }
            Err(notice) => Decision { errand: refusal(notice), ..Decision::default() },
        }
    }

    async fn deny(&self, execution: Execution<'_>, notice: Notice) -> Decision {
        // Whatever becomes of the records, it is not forwarded.
        if let Err(unrecorded) = self.record(execution, true).await {
            warn!(session = %self.who.session, reason = ?unrecorded.detail, "a denied call is not recorded");
        }
        Decision { errand: refusal(notice), ..Decision::default() }
    }

    /// Records the calls of a text.
    async fn record(
        &self,
        execution: Execution<'_>,
        is_denied: bool,
    ) -> Result<Option<Arc<[RecordedCall]>>, Notice> {
        let Execution { text, judgement, acts, values } = execution;
        let mut recorded = Vec::new();
        let subject = self.subject();
        for called in &acts.calls {
            let id = CallId {
                database: self.who.database.clone(),
                session: self.who.session.to_string(),
                number: self.who.next_number(),
            };
            let statement = self.encoding().decode(&text.head);
            let statement = statement.unwrap_or_else(|| String::from_utf8_lossy(&text.head));
            let call = Call {
                id: id.clone(),
                verb: called.verb.clone(),
                arguments: self.arguments(called, text, values),
                statement: statement.chars().filter(|c| *c != '\0').take(STATEMENT_CHARS).collect(),
                user: subject.role.to_owned(),
                application: subject.application.to_owned(),
                client_addr: self.who.client.map(|address| address.ip().to_canonical()),
                client_port: self.who.client.map(|address| address.port()),
                tls_identity: self.who.tls_identity.clone(),
                backend_pid: self.settings.backend_pid,
                actor: judgement.actor.clone(),
                is_denied,
            };
            self.watch.log.begin(call).await.map_err(|error| unrecorded(&error))?;
            recorded.push(RecordedCall { index: called.index, id });
        }
        Ok((!recorded.is_empty()).then(|| recorded.into()))
    }

    /// The arguments of a call, with what was bound to their parameters, as far as that can be read.
    fn arguments(
        &self,
        called: &CalledFunction,
        text: &StatementText,
        values: Option<&Bound>,
    ) -> Option<Value> {
        let mut arguments = called.arguments.clone()?;
        let types = text.types.as_deref().unwrap_or_default();
        for (name, number) in &called.parameters {
            let shown = values.and_then(|values| values.show(*number, types, self.encoding()));
            if let (Some(shown), Some(argument)) = (shown, arguments.get_mut(name)) {
                *argument = match shown {
                    Shown::Null => Value::Null,
                    Shown::Text(text) => Value::from(cut(&text)),
                };
            }
        }
        Some(arguments)
    }

    fn encoding(&self) -> ClientEncoding {
        ClientEncoding::named(&self.settings.client_encoding)
    }

    fn subject(&self) -> Subject<'_> {
        self.who.subject(&self.settings)
    }
}

impl Who {
    /// Whose session it is now.
    pub(super) fn subject<'a>(&'a self, settings: &'a SessionSettings) -> Subject<'a> {
        // Poolers do not report it.
        let role = match &*settings.session_authorization {
            "" => &self.user,
            role => role,
        };
        Subject { database: &self.database, role, application: &settings.application_name }
    }

    pub(super) fn guard(&self) -> &Guard {
        &self.config.guard
    }

    /// Why something that is not known is refused in this session, if it is.
    pub(super) fn unanalysed(
        &self,
        settings: &SessionSettings,
        why: NotAnalysed,
    ) -> Option<Notice> {
        self.guard().refuses_unanalysed(self.subject(settings)).then(|| Notice {
            message: format!("this is refused here, because it {}", why.describe()),
            detail: Some(
                "The pg_track proxy has to know what this session does (unanalysed = \"deny\").".into(),
            ),
            hint: "Send less in one statement (parameters, COPY), or ask who runs the proxy for an exception ([[guard]] and [[policy]] in its configuration).",
        })
    }
}

fn refusal(notice: Notice) -> Errand {
    Errand { calls: None, refusal: Some(notice.error().into()) }
}

fn refused(danger: &str, reason: Option<String>) -> Notice {
    match reason {
        None => Notice {
            message: format!("{danger} is refused here"),
            detail: Some("A guard rail of the pg_track proxy forbids it in this session.".into()),
            hint: "Name the rows in a WHERE clause, or ask who runs the proxy for an exception ([[guard]] in its configuration).",
        },
        Some(reason) => Notice {
            message: format!(
                "{danger} is refused here, because what it destroys could not be kept first"
            ),
            detail: Some(reason),
            hint: "Write the table with its schema. It cannot be kept while its transaction holds a lock on it.",
        },
    }
}

fn forbidden(role: &str, verb: &str) -> Notice {
    Notice {
        message: format!("role \"{role}\" may not call pgtrack.{verb} through this proxy"),
        detail: None,
        hint: "Ask who runs the proxy: [[policy]] in its configuration says which roles may.",
    }
}

fn unrecorded(error: &pgtrack_tracker::calls::NotRecorded) -> Notice {
    Notice {
        message: "a call of pg_track was refused, because it could not be recorded".into(),
        detail: Some(error.to_string()),
        hint: "Ask who runs the proxy: its log says why the audit takes no records.",
    }
}

fn warned(danger: &str) -> Notice {
    Notice {
        message: format!("this was {danger}"),
        detail: None,
        hint: "If it was a mistake: pgtrack.log() names the transaction, pgtrack.undo_transaction() undoes it.",
    }
}

fn tagged(danger: &str, name: &str) -> Notice {
    Notice {
        message: format!("this is {danger}: there is a tag \"{name}\" from before it"),
        detail: None,
        hint: "pgtrack.revert_table() and pgtrack.recover() go back to it.",
    }
}
