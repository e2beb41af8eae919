//! Which transactions have defined something that matters to tracking.

use super::words::creates;

/// The definitions of a session.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    /// A statement of the current transaction was one.
    is_in_transaction: bool,
    /// One of a transaction that is over was, and nobody has asked about it yet.
    is_over: bool,
}

impl Definitions {
    /// A statement was completed, with this command tag; its text may be known.
    pub(super) fn completed(&mut self, tag: &[u8], text: Option<&[u8]>) {
        self.is_in_transaction |= is_definition(tag, text);
    }

    pub(super) fn transaction_ended(&mut self) {
        self.is_over |= std::mem::take(&mut self.is_in_transaction);
    }

    /// Whether a transaction has ended, since this was asked last, that had one; it may have been rolled back.
    pub(super) fn take(&mut self) -> bool {
        std::mem::take(&mut self.is_over)
    }
}

/// Whether a statement may have made, altered or dropped a table, or what belongs to one.
///
/// What functions and `DO` blocks define does not show, nor does `SELECT INTO`, whose tag is that of a query.
fn is_definition(tag: &[u8], text: Option<&[u8]>) -> bool {
    // `CREATE TABLE AS` has the tag of a query.
    if tag.starts_with(b"SELECT ") {
        return text.is_some_and(creates);
    }
    let mut words = tag.split(|byte| *byte == b' ');
    match words.next() {
        Some(b"CREATE" | b"ALTER" | b"DROP") => matches!(
            words.next(),
            Some(
                b"TABLE" | b"FOREIGN" | b"SCHEMA" | b"TRIGGER" | b"FUNCTION" | b"INDEX" | b"OWNED"
            )
        ),
        verb => verb == Some(b"IMPORT"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_definition;

    #[test]
    fn definitions_are_known_by_their_tags() {
        for tag in ["CREATE TABLE", "ALTER TABLE", "DROP SCHEMA", "CREATE TRIGGER", "DROP OWNED"] {
            assert!(is_definition(tag.as_bytes(), None), "{tag}");
        }
        assert!(is_definition(b"IMPORT FOREIGN SCHEMA", None));
        for tag in ["SELECT 1", "INSERT 0 1", "CREATE ROLE", "ALTER SYSTEM", "COMMIT", ""] {
            assert!(!is_definition(tag.as_bytes(), None), "{tag}");
        }
        assert!(is_definition(b"SELECT 1", Some(b" /* x */ Create table t as select 1")));
        assert!(!is_definition(b"SELECT 1", Some(b"SELECT 1")));
    }
}
