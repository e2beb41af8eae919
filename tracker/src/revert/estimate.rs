//! How long a revert will take, to be said before anybody says yes.

use std::time::Duration;

/// A revert looks at the plan once more, and then writes. On PostgreSQL 15, for updates, deletes and inserts of 1,000 to
/// 200,000 rows with and without triggers, references and indexes, that took 1.8 to 6 times as long as the plan.
const AT_ONCE: u32 = 3;
/// The same in batches of a thousand rows, the split included: 7 to 10 times as long.
const IN_BATCHES: u32 = 9;

/// About how long a revert takes whose plan has just taken so long. The plan has read every row that the revert will
/// read, of the same table, on the same server and under the same load, so its time for a row is the measure: there is
/// one for every table, also where nothing was ever undone.
pub fn estimate(planning: Duration, is_in_batches: bool) -> Duration {
    planning * if is_in_batches { IN_BATCHES } else { AT_ONCE }
}
