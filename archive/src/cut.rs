//! Which transactions the next run holds.

use serde::{Deserialize, Serialize};
use tokio_postgres::Transaction;

use crate::Error;

/// A range of transactions of one cluster.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The cluster: transaction numbers of different ones are never compared.
    pub(crate) system_identifier: i64,
    /// Statements from this one on were recorded there,
    pub(crate) first_statement_id: i64,
    /// and none after this one, as far as is known.
    pub(crate) last_statement_id: i64,
    /// The first transaction.
    pub(crate) from_xid: u64,
    /// The first transaction after them.
    pub(crate) to_xid: u64,
}

impl Cut {
    /// The condition for its statements `s`.
    pub(crate) fn condition(&self) -> String {
        format!(
            "s.statement_id BETWEEN {} AND {} AND s.xid >= '{}'::xid8 AND s.xid < '{}'::xid8",
            self.first_statement_id, self.last_statement_id, self.from_xid, self.to_xid
        )
    }
}

/// A time in one cluster, see `pgtrack.epoch`.
struct Epoch {
    first: i64,
    last: i64,
    system_identifier: i64,
    /// Whether it is now: transactions may follow.
    is_present: bool,
}

const EPOCHS: &str = "
    SELECT e.first_statement_id AS first, e.system_identifier,
           coalesce(lead(e.first_statement_id) OVER w - 1, 9223372036854775807) AS last,
           lead(e.first_statement_id) OVER w IS NULL
             AND e.system_identifier = (SELECT c.system_identifier FROM pg_control_system() c) AS is_present
    FROM pgtrack.epoch e WINDOW w AS (ORDER BY e.first_statement_id) ORDER BY 1";

/// The transactions after `last` that can be archived; `None` if there are none that changed anything.
///
/// Every transaction before the oldest running one has ended, and later ones get higher numbers.
pub(crate) async fn next(
    transaction: &Transaction<'_>,
    last: Option<&Cut>,
) -> Result<Option<Cut>, Error> {
    let failed = || Error::query("ask how far the history goes");
    let rows = transaction.query(EPOCHS, &[]).await.map_err(failed())?;
    let epochs = rows.iter().map(|row| Epoch {
        first: row.get("first"),
        last: row.get("last"),
        system_identifier: row.get("system_identifier"),
        is_present: row.get("is_present"),
    });
    let epochs: Vec<Epoch> = epochs.collect();
    if let Some(last) = last
        && !epochs.iter().any(|epoch| is_of(last, epoch))
    {
        return Err(Error::OtherDatabase);
    }
    for epoch in epochs {
        let from_xid = match last {
            Some(last) if epoch.first < last.first_statement_id => continue,
            Some(last) if is_of(last, &epoch) => last.to_xid,
            _ => 0,
        };
        let row = transaction
            .query_one(
                "SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin,
                        (SELECT s.xid FROM pgtrack.statement s WHERE s.statement_id BETWEEN $1 AND $2
                         ORDER BY s.xid DESC LIMIT 1)::text AS newest",
                &[&epoch.first, &epoch.last],
            )
            .await
            .map_err(failed())?;
        let number =
            |name| row.get::<_, Option<&str>>(name).and_then(|text| text.parse::<u64>().ok());
        let to_xid = if epoch.is_present {
            number("xmin").unwrap_or(0)
        } else {
            number("newest").map_or(from_xid, |newest| newest + 1)
        };
        if epoch.is_present && to_xid < from_xid {
            return Err(Error::Behind { archived: from_xid, present: to_xid });
        }
        let cut = Cut {
            system_identifier: epoch.system_identifier,
            first_statement_id: epoch.first,
            last_statement_id: epoch.last,
            from_xid,
            to_xid,
        };
        let query =
            format!("SELECT EXISTS (SELECT FROM pgtrack.statement s WHERE {})", cut.condition());
        if transaction.query_one(&query, &[]).await.map_err(failed())?.get(0) {
            return Ok(Some(cut));
        }
    }
    Ok(None)
}

fn is_of(cut: &Cut, epoch: &Epoch) -> bool {
    cut.first_statement_id == epoch.first && cut.system_identifier == epoch.system_identifier
}
