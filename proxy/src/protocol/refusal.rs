//! Tells from the first message of a server whether it refuses our context, or us.
//!
//! A pooler such as `PgBouncer` ends a session with "unsupported startup parameter: pgtrack.ctx".
//! PostgreSQL never does, and both say so before anything else.

use super::LENGTH_FIELD_BYTES;
use super::backend::ERROR_RESPONSE;
use super::startup::CONTEXT_SETTING;

/// What the first bytes from a server say about the startup packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// More bytes are needed to know.
    Incomplete,
    /// It says nothing about the context.
    Silent,
    /// An error names the context.
    ContextRefused,
    /// No rule of `pg_hba.conf` admits such a connection, or one rejects it: SQLSTATE 28000.
    NotAdmitted,
}

/// Judges the first bytes from a server. An error longer than `limit` is none of ours.
pub(crate) fn judge(received: &[u8], limit: usize) -> Verdict {
    match received.first() {
        None => return Verdict::Incomplete,
        Some(&ERROR_RESPONSE) => {}
        Some(_) => return Verdict::Silent,
    }
    let Some(([_, length @ ..], fields)) = received.split_first_chunk::<5>() else {
        return Verdict::Incomplete;
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > limit {
        return Verdict::Silent;
    }
    if received.len() <= length {
        return Verdict::Incomplete;
    }
    let fields = fields.get(..length.saturating_sub(LENGTH_FIELD_BYTES as usize)).unwrap_or(fields);
    let setting = CONTEXT_SETTING.as_bytes();
    if fields.windows(setting.len()).any(|window| window == setting) {
        Verdict::ContextRefused
    } else if fields.split(|byte| *byte == 0).any(|field| field == b"C28000") {
        Verdict::NotAdmitted
    } else {
        Verdict::Silent
    }
}

#[cfg(test)]
mod tests {
    use super::{Verdict, judge};

    const LIMIT: usize = 1000;

    fn error(message: &str) -> Vec<u8> {
        error_with("08P01", message)
    }

    fn error_with(sqlstate: &str, message: &str) -> Vec<u8> {
        let body = format!("SFATAL\0C{sqlstate}\0M{message}\0\0");
        let length = u32::try_from(body.len() + 4).unwrap();
        [b"E", length.to_be_bytes().as_slice(), body.as_bytes()].concat()
    }

    #[test]
    fn an_error_that_names_the_context_refuses_it_once_it_is_complete() {
        let refusal = error("unsupported startup parameter: pgtrack.ctx");
        for end in 0..refusal.len() {
            assert_eq!(judge(&refusal[..end], LIMIT), Verdict::Incomplete, "{end}");
        }
        assert_eq!(judge(&refusal, LIMIT), Verdict::ContextRefused);
    }

    #[test]
    fn a_connection_that_no_rule_admits_is_told_from_other_failures() {
        let refused = error_with("28000", "no pg_hba.conf entry for host \"127.0.0.1\"");
        assert_eq!(judge(&refused, LIMIT), Verdict::NotAdmitted);
    }

    #[test]
    fn everything_else_is_for_the_client() {
        for answer in [
            b"R\0\0\0\x08\0\0\0\0".to_vec(),
            error("role \"ada\" does not exist"),
            [error("too many clients"), error("pgtrack.ctx")].concat(),
            // The postmaster's last resort has no length; `report_fork_failure_to_client`.
            b"Ecould not fork new process for connection: pgtrack.ctx\n\0".to_vec(),
        ] {
            assert_eq!(judge(&answer, LIMIT), Verdict::Silent, "{}", answer.escape_ascii());
        }
    }
}
