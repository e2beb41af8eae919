//! Counts the open streams, so that no browser can take them all, and ends those of a session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::app_error::AppError;
use crate::auth::SessionId;
use crate::visit::SignedIn;
use crate::words::problem::Text;

const PER_PERSON: usize = 3;
const ALTOGETHER: usize = 200;

/// The open streams.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next_number: u64,
    streams: HashMap<u64, Stream>,
}

#[derive(Debug)]
struct Stream {
    account: i64,
    session: SessionId,
    end: CancellationToken,
}

/// The right to one stream, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    streams: Arc<Streams>,
    number: u64,
    /// Cancelled when the session ends.
    pub(crate) end: CancellationToken,
}

impl Streams {
    /// Admits a stream, if this person and everybody together have not too many.
    pub(crate) fn open(self: &Arc<Self>, signed_in: &SignedIn) -> Result<Ticket, AppError> {
        let mut open = self.lock();
        let account = signed_in.account.id;
        if open.streams.values().filter(|stream| stream.account == account).count() >= PER_PERSON {
            return Err(AppError::TooMany(Text::FeedOpenOften));
        }
        if open.streams.len() >= ALTOGETHER {
            return Err(AppError::TooMany(Text::FeedsOpen));
        }
        let number = open.next_number;
        let end = CancellationToken::new();
        let stream = Stream { account, session: signed_in.session.clone(), end: end.clone() };
        open.next_number += 1;
        open.streams.insert(number, stream);
        Ok(Ticket { streams: self.clone(), number, end })
    }

    /// Ends the streams of a session.
    pub(crate) fn end_session(&self, session: &SessionId) {
        for stream in self.lock().streams.values().filter(|stream| stream.session == *session) {
            stream.end.cancel();
        }
    }

    /// Ends all of them; browsers that may go on come back.
    pub(crate) fn end_all(&self) {
        for stream in self.lock().streams.values() {
            stream.end.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.streams.lock().streams.remove(&self.number);
    }
}
