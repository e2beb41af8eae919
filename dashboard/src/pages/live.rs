//! `/c/{connection}/changes/live`: new transactions as server-sent events.
//!
//! A stream goes on after the `Last-Event-ID` that a reconnecting browser sends, else after `?after=`, which is the
//! cursor of the page.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use jiff::Timestamp;
use pgtrack_tracker::Transaction;
use pgtrack_tracker::activity::Filter;
use tokio::time::{MissedTickBehavior, interval};

use super::State;
use super::activity::Pairs;
use crate::app_error::AppError;
use crate::bidi::shown_in_html;
use crate::clock::Clock;
use crate::connections::Shown;
use crate::extract::Query;
use crate::live::{Delivery, Follower, Position, Ticket};
use crate::reading::Reader;
use crate::rules::{Rule, Rules};
use crate::search::{Grouping, Search};
use crate::state::AppState;
use crate::store::{rules, sessions};
use crate::view::{feed, statement};
use crate::visit::{SignedIn, Visit};
use crate::words::problem::Text;

const RETRY: Duration = Duration::from_secs(3);
/// How often a comment is sent, so that nothing between us and the browser thinks the stream is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is checked that the session is still alive.
const SESSION_CHECK: Duration = Duration::from_secs(15);

/// What is shown of the new transactions, and how.
struct Showing {
    shown: Shown,
    visit: Visit,
    search: Search,
    filter: Filter,
    may_select: bool,
}

pub(crate) async fn get(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    headers: HeaderMap,
    Query(pairs): Pairs,
) -> Result<impl IntoResponse, AppError> {
    let last_event_id = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let position = last_event_id
        .or_else(|| given(&pairs, "after"))
        .and_then(Position::parse)
        .ok_or_else(|| AppError::BadRequest(Text::NoPlace))?;
    let search = Search::read(&pairs);
    let filter = search
        .filter(&visit.clock)
        .map_err(|why| AppError::BadRequest(Text::CannotBeLookedFor(why)))?;
    let may_select = visit.may_revert() && given(&pairs, "select").is_some();
    let rules = Watched { slug: shown.info.slug.clone(), rules: visit.rules.clone() };
    if let Some(why) = rules.rules.objection(&filter) {
        return Err(AppError::Unsearchable(why));
    }
    let ticket = state.streams.open(&person)?;
    let follower = Follower::start(shown.hub.clone(), position).await?;
    let showing = Showing { shown, visit, search, filter, may_select };
    let events = events(follower, showing).take_until(end(state, ticket, person, rules));
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        // A reverse proxy must not collect events before it passes them on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))))
}

/// The events of one stream; the first one only tells the browser how soon to reconnect.
fn events(follower: Follower, showing: Showing) -> impl Stream<Item = Result<Event, Infallible>> {
    let first = stream::iter([Ok(Event::default().retry(RETRY).comment("the feed is open"))]);
    first.chain(stream::unfold(Some((follower, showing)), |next| async {
        let (mut follower, showing) = next?;
        loop {
            match follower.next().await? {
                Delivery::Transaction { transaction, position } => {
                    let html = match showing.render(&transaction).await {
                        Ok(Some(html)) => html,
                        Ok(None) => continue,
                        // The browser comes back and asks for it again.
                        Err(_) => return None,
                    };
                    let event = Event::default().event("transaction").id(position.to_string());
                    return Some((Ok(event.data(html)), Some((follower, showing))));
                }
                Delivery::Resync => {
                    return Some((Ok(Event::default().event("resync").data("")), None));
                }
            }
        }
    }))
}

impl Showing {
    /// The entries of a transaction; `None` if nothing of it passes the filter.
    async fn render(&self, transaction: &Transaction) -> Result<Option<String>, AppError> {
        let clock = Clock { now: Timestamp::now(), ..self.visit.clock.clone() };
        let visit = Visit { clock, ..self.visit.clone() };
        let whole = || {
            let mut seen = [transaction.clone()];
            self.visit.rules.hide_transactions(&mut seen);
            shown_in_html(feed::item(&visit, &seen[0], self.may_select).into_string())
        };
        let shows_all = self.search.shows_ignored || !self.visit.rules.ignores_any();
        if self.filter.is_open() && shows_all && self.search.grouping == Grouping::Transactions {
            return Ok(Some(whole()));
        }
        let reader = Reader::open(&self.shown, &self.visit).await?;
        let statements = reader.among(&self.filter, transaction.xid, shows_all).await?;
        if statements.is_empty() {
            return Ok(None);
        }
        Ok(Some(match self.search.grouping {
            Grouping::Transactions => whole(),
            Grouping::Changes => {
                let entries = statements
                    .iter()
                    .map(|one| statement::item(&visit, one, self.may_select).into_string());
                shown_in_html(entries.collect())
            }
        }))
    }
}

fn given<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|pair| pair.0 == name).map(|pair| &*pair.1)
}

/// The rules that a stream began with.
struct Watched {
    slug: String,
    rules: Arc<Rules>,
}

/// Returns when the stream has to end: the server stops, the session has ended, or other rules hold. A browser opens
/// another one then. Holds the ticket until then.
async fn end(state: State, ticket: Ticket, person: SignedIn, watched: Watched) {
    let mut checks = interval(SESSION_CHECK);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = state.shutdown.cancelled() => return,
            () = ticket.end.cancelled() => return,
            _ = checks.tick() => if has_ended(&state, &person, &watched).await { return },
        }
    }
}

/// A database that is down says nothing about the session.
async fn has_ended(state: &AppState, person: &SignedIn, watched: &Watched) -> bool {
    let Ok(client) = state.database.read().await else { return false };
    let is_other = |rules: Vec<Rule>| Rules::new(&rules, person.role) != *watched.rules;
    matches!(sessions::find(&client, &person.session).await, Ok(None))
        || rules::list(&client, &watched.slug).await.is_ok_and(is_other)
}
