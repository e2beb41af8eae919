//! `/c/{connection}`: what is tracked, what was changed lately, and the latest transactions.

use pgtrack_tracker::activity::Filter;
use pgtrack_tracker::tracked_tables;

use super::{Page, State};
use crate::connections::Shown;
use crate::reading::Reader;
use crate::search::Span;
use crate::view::overview::{Overview, page};
use crate::visit::Visit;

const MOST: usize = 20;

pub(crate) async fn get(state: State, shown: Shown, visit: Visit) -> Page {
    let reader = Reader::open(&shown, &visit).await?;
    let span = Span::around(None, None, visit.clock.now);
    // One more than is shown tells whether there are older ones.
    let limit = i64::try_from(MOST + 1).unwrap_or(i64::MAX);
    let counts = state.tally.of(&shown.0, String::new(), Filter::default(), span);
    let (tables, newest, tallied) =
        tokio::join!(tracked_tables(&reader), reader.newest(limit), counts);
    let (tables, (mut transactions, ignored, cursor)) = (tables?, newest?);
    let has_older = transactions.len() + ignored > MOST;
    transactions.truncate(MOST);
    let overview = Overview {
        tables: &tables,
        transactions: &transactions,
        cursor: &cursor,
        has_older,
        ignored,
        chart: (span, tallied),
    };
    Ok(page(&visit, &overview))
}
