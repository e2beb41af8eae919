//! `/c/{connection}`: what is tracked, and the latest transactions. `?before=` pages back.

use pgtrack_tracker::{feed, tracked_tables};
use serde::Deserialize;

use super::{Page, State};
use crate::extract::Query;
use crate::view::overview::{Overview, page};
use crate::visit::Visit;

const PAGE: usize = 50;

#[derive(Deserialize)]
pub(crate) struct Place {
    before: Option<i64>,
}

pub(crate) async fn get(state: State, visit: Visit, Query(place): Query<Place>) -> Page {
    let client = state.database.read().await?;
    // One more than is shown tells whether there are older ones.
    let limit = i64::try_from(PAGE + 1).unwrap_or(i64::MAX);
    let (tables, (mut transactions, cursor)) =
        tokio::try_join!(tracked_tables(&client), feed::newest(&client, limit, place.before))?;
    let has_older = transactions.len() > PAGE;
    transactions.truncate(PAGE);
    let overview = Overview {
        tables: &tables,
        transactions: &transactions,
        cursor: &cursor,
        is_newest: place.before.is_none(),
        has_older,
    };
    Ok(page(&visit, &overview))
}
