//! What a session is doing, learned from its messages.

use std::sync::Arc;

use crate::cancel_keys::CancelKey;
use crate::protocol::scanner::{Body, Observer};
use crate::protocol::{backend, frontend};
use crate::provision::Provisioner;

/// The database of a session that has not been admitted to it yet.
pub(crate) struct FirstUse {
    pub(super) database: Box<str>,
    pub(super) provisioner: Arc<Provisioner>,
}

/// The state of one session.
pub(crate) struct Activity {
    /// How many `ReadyForQuery` are to come. The startup packet is the first request.
    ///
    /// A `Sync` within `COPY FROM STDIN` is ignored by the server and leaves this too high:
    /// such a session then counts as busy.
    awaited: u32,
    /// Messages of the extended protocol were sent and no `Sync` after them.
    is_unsynced: bool,
    /// A direction is not understood any more, so nothing can be said about it.
    is_opaque: bool,
    /// The status in the last `ReadyForQuery`: idle, in a transaction block, or in a failed one.
    status: u8,
    /// The first `ReadyForQuery` was seen.
    is_admitted: bool,
    /// Taken by it.
    first_use: Option<FirstUse>,
    /// Where it is of use to know the session's cancel key.
    cancel_key: Option<CancelKey>,
    /// The tag of the message from the upstream whose body is shown.
    shown: u8,
    pub(crate) client_messages: u64,
    pub(crate) upstream_messages: u64,
}

impl Activity {
    pub(crate) fn new(first_use: Option<FirstUse>, cancel_key: Option<CancelKey>) -> Self {
        Self {
            awaited: 1,
            is_unsynced: false,
            is_opaque: false,
            status: 0,
            is_admitted: false,
            first_use,
            cancel_key,
            shown: 0,
            client_messages: 0,
            upstream_messages: 0,
        }
    }

    /// Whether the client has its last answer and is not in a transaction.
    pub(crate) fn is_idle(&self) -> bool {
        self.awaited == 0 && !self.is_unsynced && !self.is_opaque && self.status == backend::IDLE
    }

    fn ready(&mut self, status: u8) {
        self.awaited = self.awaited.saturating_sub(1);
        self.status = status;
        if !self.is_admitted {
            self.admit();
        }
    }

    fn admit(&mut self) {
        self.is_admitted = true;
        if let Some(key) = &self.cancel_key {
            key.remember();
        }
        if let Some(FirstUse { database, provisioner }) = self.first_use.take() {
            provisioner.ensure(&database);
        }
    }
}

/// Observes what the client sends. It may be shown bodies that it did not ask for.
pub(crate) struct FromClient<'a>(pub(crate) &'a mut Activity);

impl Observer for FromClient<'_> {
    fn message(&mut self, tag: u8, _body_bytes: u32) -> Body {
        let activity = &mut *self.0;
        activity.client_messages += 1;
        match tag {
            frontend::QUERY | frontend::SYNC | frontend::FUNCTION_CALL => {
                activity.awaited += 1;
                activity.is_unsynced = false;
            }
            frontend::PARSE
            | frontend::BIND
            | frontend::DESCRIBE
            | frontend::EXECUTE
            | frontend::CLOSE
            | frontend::FLUSH => activity.is_unsynced = true,
            _ => {}
        }
        Body::Skip
    }

    fn body(&mut self, _part: &[u8]) {}

    fn opaque(&mut self) {
        self.0.is_opaque = true;
    }
}

/// Observes what the upstream sends. It may be shown bodies that it did not ask for.
pub(crate) struct FromUpstream<'a>(pub(crate) &'a mut Activity);

impl Observer for FromUpstream<'_> {
    fn message(&mut self, tag: u8, _body_bytes: u32) -> Body {
        self.0.upstream_messages += 1;
        self.0.shown = tag;
        match tag {
            backend::READY_FOR_QUERY => Body::Show,
            backend::BACKEND_KEY_DATA if self.0.cancel_key.is_some() => Body::Show,
            _ => Body::Skip,
        }
    }

    fn body(&mut self, part: &[u8]) {
        if self.0.shown == backend::BACKEND_KEY_DATA {
            if let Some(key) = &mut self.0.cancel_key {
                key.append(part);
            }
        } else if self.0.shown == backend::READY_FOR_QUERY
            && let [status, ..] = part
        {
            // One message is ready once, in however many parts it comes.
            self.0.shown = 0;
            self.0.ready(*status);
        }
    }

    fn opaque(&mut self) {
        self.0.is_opaque = true;
    }
}

#[cfg(test)]
mod tests;
