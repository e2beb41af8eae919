//! A place in the feed, read closely enough to tell single transactions apart.

use std::collections::BTreeSet;
use std::fmt;

use pgtrack_tracker::feed::Cursor;

/// A snapshot: it sees the transactions below `next`, except those that were still running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    next: i64,
    running: BTreeSet<i64>,
}

impl Position {
    /// Reads what [`Display`](fmt::Display) writes, which is `pg_snapshot`'s own form; `None` if the text is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Cursor::parse(text)?;
        let mut parts = text.split(':');
        let first: i64 = parts.next()?.parse().ok()?;
        let next = parts.next()?.parse().ok()?;
        let running: Option<BTreeSet<i64>> = parts
            .next()?
            .split(',')
            .filter(|xid| !xid.is_empty())
            .map(|xid| xid.parse().ok())
            .collect();
        let running = running?;
        (first > 0 && running.iter().all(|xid| (first..next).contains(xid)))
            .then_some(Self { next, running })
    }

    /// Whether this transaction has been delivered to whoever is here.
    pub(crate) fn sees(&self, xid: i64) -> bool {
        xid < self.next && !self.running.contains(&xid)
    }

    /// The place of somebody to whom everything up to here was delivered except these transactions: they count as
    /// still running.
    pub(crate) fn without(&self, xids: impl IntoIterator<Item = i64>) -> Self {
        let mut running = self.running.clone();
        running.extend(xids);
        Self { next: self.next, running }
    }

    /// The place as the tracker takes it.
    pub(crate) fn cursor(&self) -> Option<Cursor> {
        Cursor::parse(&self.to_string())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.running.first().unwrap_or(&self.next);
        write!(formatter, "{first}:{}:", self.next)?;
        for (index, xid) in self.running.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(formatter, "{separator}{xid}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Position;

    fn position(text: &str) -> Position {
        Position::parse(text).unwrap()
    }

    #[test]
    fn a_position_reads_back_as_it_was_written() {
        for text in ["10:10:", "10:20:10,15", "12:20:12"] {
            assert_eq!(position(text).to_string(), text);
        }
        // The first running transaction is the lowest that matters; below it all is seen either way.
        assert_eq!(position("10:20:12").to_string(), "12:20:12");
    }

    #[test]
    fn what_is_no_snapshot_is_refused() {
        for text in
            ["", "1:2", "0:5:", "5:4:", "1:2:7", "5:9:4", "1:2:x", "1:99999999999999999999:"]
        {
            assert_eq!(Position::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn it_sees_what_was_committed() {
        let position = position("10:20:12,15");
        for (xid, seen) in
            [(9, true), (10, true), (12, false), (15, false), (19, true), (20, false)]
        {
            assert_eq!(position.sees(xid), seen, "{xid}");
        }
    }

    #[test]
    fn undelivered_transactions_count_as_running() {
        let rest = position("10:20:12").without([5, 17]);
        assert_eq!(rest.to_string(), "5:20:5,12,17");
        assert!(!rest.sees(5) && !rest.sees(17) && rest.sees(16) && rest.sees(4));
        assert_eq!(position("10:20:12").without([]), position("10:20:12"));
    }
}
