//! `/c/{connection}/changes`: every recorded change that passes the filter in the query string.

use axum::response::Html;
use pgtrack_tracker::activity::{Filter, Rest};
use pgtrack_tracker::{feed, tracked_tables};

use super::{Page, State};
use crate::app_error::AppError;
use crate::connections::Shown;
use crate::extract::Query;
use crate::reading::{Listed, Reader};
use crate::search::{Grouping, Search, Span};
use crate::store::views;
use crate::tally::Tallied;
use crate::view::activity::{Activity, Entries, page};
use crate::visit::{SignedIn, Visit};
use crate::words::Why;

const PAGE: usize = 50;

/// The query string as pairs: some of its names come more than once.
pub(super) type Pairs = Query<Vec<(String, String)>>;

pub(crate) async fn get(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Query(pairs): Pairs,
) -> Page {
    let search = Search::read(&pairs);
    let reader = Reader::open(&shown, &visit).await?;
    let saved = {
        let client = state.database.read().await?;
        views::list(&client, person.account.id, &shown.info.slug).await?
    };
    let tables = tracked_tables(&reader).await?;
    let filter = match search.filter(&visit.clock) {
        Ok(filter) => filter,
        Err(why) => return Ok(refused(&visit, &search, &tables, &saved, why)),
    };
    // The cursor first: what is committed in between comes twice to the feed, which knows it, not never.
    let cursor = feed::now(&reader).await?;
    let (found, tallied) = tokio::join!(
        list(&reader, &search, &filter),
        chart(&state, &shown, &search, &filter, &visit)
    );
    let (entries, rest, ignored) = match found {
        Ok(found) => found,
        Err(AppError::Unsearchable(why)) => {
            return Ok(refused(&visit, &search, &tables, &saved, why));
        }
        Err(error) => return Err(error),
    };
    let is_live = search.before.is_none() && filter.until.is_none();
    Ok(page(
        &visit,
        &Activity {
            search: &search,
            tables: &tables,
            saved: &saved,
            refusal: None,
            entries,
            rest,
            ignored,
            cursor: is_live.then_some(cursor),
            chart: tallied,
        },
    ))
}

/// One page of changes or transactions.
async fn list(
    reader: &Reader,
    search: &Search,
    filter: &Filter,
) -> Result<(Entries, Rest, usize), AppError> {
    let (before, shows_all) = (search.before, search.shows_ignored);
    Ok(match search.grouping {
        Grouping::Changes => {
            let Listed { items, rest, ignored } =
                reader.statements(filter, before, PAGE, shows_all).await?;
            (Entries::Changes(items), rest, ignored)
        }
        Grouping::Transactions => {
            let Listed { items, rest, ignored } =
                reader.transactions(filter, before, PAGE, shows_all).await?;
            (Entries::Transactions(items), rest, ignored)
        }
    })
}

/// The chart of the first page. A search inside of rows or texts would take too long to count.
async fn chart(
    state: &State,
    shown: &Shown,
    search: &Search,
    filter: &Filter,
    visit: &Visit,
) -> Option<(Span, Tallied)> {
    if search.before.is_some() || filter.text.is_some() || !filter.row.is_open() {
        return None;
    }
    let span = Span::around(filter.since, filter.until, visit.clock.now);
    // The filter's own times move with the clock; the parts of the chart do not.
    let counted = Filter { since: None, until: None, ..filter.clone() };
    let name = format!("{counted:?}");
    Some((span, state.tally.of(&shown.0, name, counted, span).await))
}

fn refused(
    visit: &Visit,
    search: &Search,
    tables: &[pgtrack_tracker::TrackedTable],
    saved: &[views::SavedView],
    why: Why,
) -> Html<String> {
    let entries = Entries::Changes(Vec::new());
    page(
        visit,
        &Activity {
            search,
            tables,
            saved,
            refusal: Some(why),
            entries,
            rest: Rest::None,
            ignored: 0,
            cursor: None,
            chart: None,
        },
    )
}
