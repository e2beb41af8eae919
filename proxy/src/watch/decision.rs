//! What is done about a message before it is forwarded.

use std::sync::Arc;

use pgtrack_tracker::calls::{Call, CallId};
use pgtrack_tracker::statement::{ClientEncoding, Text};
use tracing::warn;

use super::{Watch, Who};
use crate::guard::{Guard, Response, Subject};
use crate::notice::Notice;
use crate::observe::{Acts, Errand, Held, Judgement, RecordedCall, SessionSettings, StatementText};

/// How much of a text is recorded, in characters, as the functions do themselves.
const STATEMENT_CHARS: usize = 4000;

/// What was decided.
#[derive(Default)]
pub(super) struct Decision {
    /// What the text will do.
    pub(super) judgement: Option<Arc<Judgement>>,
    pub(super) errand: Errand,
    pub(super) warning: Option<Vec<u8>>,
}

/// Who sends what.
pub(super) struct Question {
    pub(super) watch: Arc<Watch>,
    pub(super) who: Arc<Who>,
    pub(super) settings: SessionSettings,
    pub(super) held: Held,
}

impl Question {
    pub(super) async fn decide(self) -> Decision {
        match &self.held {
            Held::Parse(text) => {
                Decision { judgement: self.judge(text).await, ..Decision::default() }
            }
            Held::Query(text) => match self.judge(text).await {
                Some(judgement) => {
                    let decision = self.allow(text, &judgement, &judgement.runs).await;
                    Decision { judgement: Some(judgement), ..decision }
                }
                None => Decision::default(),
            },
            Held::Execution { text, by_name } => match &text.judgement {
                Some(judgement) if *by_name => {
                    self.allow(text, judgement, judgement.executed_by_name()).await
                }
                Some(judgement) => self.allow(text, judgement, &judgement.runs).await,
                None => Decision::default(),
            },
        }
    }

    async fn judge(&self, text: &StatementText) -> Option<Arc<Judgement>> {
        let text = Text {
            bytes: Arc::clone(&text.head),
            encoding: self.encoding(),
            standard_conforming_strings: self.settings.standard_conforming_strings,
        };
        self.watch.judge(&text).await
    }

    /// Decides about the execution of a text.
    async fn allow(&self, text: &StatementText, judgement: &Judgement, acts: &Acts) -> Decision {
        let guard = self.who.guard();
        let subject = self.subject();
        if let Some(verb) = guard.forbidden(subject.role, acts) {
            return self.deny(text, judgement, acts, forbidden(subject.role, verb)).await;
        }
        let mut warning = None;
        match guard.response(subject, acts) {
            None | Some((Response::Allow, _)) => {}
            Some((Response::Deny, danger)) => {
                return self.deny(text, judgement, acts, refused(danger.describe(), None)).await;
            }
            Some((Response::Warn, danger)) => warning = Some(warned(danger.describe()).warning()),
            Some((Response::Tag, danger)) => {
                let name = format!(
                    "before {} in {}/{}",
                    danger.describe(),
                    self.who.session,
                    self.who.next_number()
                );
                let kept = self.watch.log.protect(&self.who.database, &name, &acts.drops).await;
                match kept {
                    Ok(()) => warning = Some(tagged(danger.describe(), &name).warning()),
                    Err(error) => {
                        warn!(session = %self.who.session, error = error.for_log(), "could not tag first");
                        let refusal = refused(danger.describe(), Some(error.to_string()));
                        return self.deny(text, judgement, acts, refusal).await;
                    }
                }
            }
        }
        match self.record(text, judgement, acts, false).await {
            Ok(calls) => {
                Decision { judgement: None, errand: Errand { calls, refusal: None }, warning }
            }
            Err(notice) => Decision { errand: refusal(notice), ..Decision::default() },
        }
    }

    async fn deny(
        &self,
        text: &StatementText,
        judgement: &Judgement,
        acts: &Acts,
        notice: Notice,
    ) -> Decision {
        // Whatever becomes of the records, it is not forwarded.
        if let Err(unrecorded) = self.record(text, judgement, acts, true).await {
            warn!(session = %self.who.session, reason = ?unrecorded.detail, "a denied call is not recorded");
        }
        Decision { errand: refusal(notice), ..Decision::default() }
    }

    /// Records the calls of a text.
    async fn record(
        &self,
        text: &StatementText,
        judgement: &Judgement,
        acts: &Acts,
        is_denied: bool,
    ) -> Result<Option<Arc<[RecordedCall]>>, Notice> {
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
                arguments: called.arguments.clone(),
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
