//! When a session is idle.

use super::{Activity, FromClient, FromUpstream};
use crate::protocol::scanner::Scanner;

/// A session and its two streams, fed by message tags.
struct Session {
    activity: Activity,
    client: Scanner,
    upstream: Scanner,
}

impl Session {
    /// Admitted, and idle.
    fn ready() -> Self {
        let mut session = Self {
            activity: Activity::new(None, None),
            client: Scanner::new(),
            upstream: Scanner::new(),
        };
        assert!(!session.activity.is_idle(), "a session that is being authenticated is busy");
        session.client(b"p");
        session.ready_for_query(b'I');
        session
    }

    fn client(&mut self, tags: &[u8]) {
        for tag in tags {
            let message = [*tag, 0, 0, 0, 5, b'x'];
            self.client.scan(&message, &mut FromClient(&mut self.activity));
        }
    }

    fn ready_for_query(&mut self, status: u8) {
        let message = [b'Z', 0, 0, 0, 5, status];
        self.upstream.scan(&message, &mut FromUpstream(&mut self.activity));
    }

    #[track_caller]
    fn check_idle(&self, is_idle: bool) {
        assert_eq!(self.activity.is_idle(), is_idle);
    }
}

#[test]
fn a_session_is_idle_again_after_each_request_was_answered() {
    for request in [b"Q".as_slice(), b"F", b"PBDES", b"S", b"Qddc", b"PBESPBES"] {
        let mut session = Session::ready();
        session.check_idle(true);
        session.client(request);
        let answers = request.iter().filter(|tag| b"QFS".contains(tag)).count();
        for _ in 0..answers {
            session.check_idle(false);
            session.ready_for_query(b'I');
        }
        session.check_idle(true);
    }
}

#[test]
fn a_session_in_a_transaction_is_not_idle() {
    let mut session = Session::ready();
    for status in *b"TE" {
        session.client(b"Q");
        session.ready_for_query(status);
        session.check_idle(false);
    }
}

#[test]
fn a_session_that_has_not_synced_is_not_idle() {
    let mut session = Session::ready();
    session.client(b"PDH");
    session.check_idle(false);
    session.client(b"S");
    session.ready_for_query(b'I');
    session.check_idle(true);
}

#[test]
fn a_session_that_is_not_understood_is_never_idle() {
    let mut session = Session::ready();
    session.client.scan(b"Q\0\0\0\x03", &mut FromClient(&mut session.activity));
    session.check_idle(false);
}

#[test]
fn an_answer_that_arrives_in_parts_is_one_answer() {
    let mut session = Session::ready();
    session.client(b"QQ");
    for byte in *b"Z\0\0\0\x07IxI" {
        session.upstream.scan(&[byte], &mut FromUpstream(&mut session.activity));
    }
    session.check_idle(false);
    session.ready_for_query(b'I');
    session.check_idle(true);
}
