//! `/c/{connection}/changes/live`: new transactions as server-sent events.
//!
//! A stream goes on after the `Last-Event-ID` that a reconnecting browser sends, else after `?after=`, which is the
//! cursor of the page.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio::time::{MissedTickBehavior, interval};

use super::State;
use crate::app_error::AppError;
use crate::auth::SessionId;
use crate::extract::Query;
use crate::live::{Delivery, Follower, Position, Ticket};
use crate::state::AppState;
use crate::store::sessions;
use crate::visit::SignedIn;

const RETRY: Duration = Duration::from_secs(3);
/// How often a comment is sent, so that nothing between us and the browser thinks the stream is dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is checked that the session is still alive.
const SESSION_CHECK: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
pub(crate) struct Place {
    after: Option<String>,
}

pub(crate) async fn get(
    state: State,
    person: SignedIn,
    headers: HeaderMap,
    Query(place): Query<Place>,
) -> Result<impl IntoResponse, AppError> {
    let last_event_id = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let position = last_event_id
        .or(place.after.as_deref())
        .and_then(Position::parse)
        .ok_or_else(|| AppError::BadRequest("It does not say where to go on.".to_owned()))?;
    let ticket = state.streams.open(&person)?;
    let follower = Follower::start(state.hub.clone(), position).await?;
    let events = events(follower).take_until(end(state, ticket, person.session));
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        // A reverse proxy must not collect events before it passes them on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))))
}

/// The events of one stream; the first one only tells the browser how soon to reconnect.
fn events(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> {
    let first = stream::iter([Ok(Event::default().retry(RETRY).comment("the feed is open"))]);
    first.chain(stream::unfold(Some(follower), |follower| async {
        let mut follower = follower?;
        match follower.next().await? {
            Delivery::Transaction { html, position } => {
                let event = Event::default().event("transaction").id(position.to_string());
                Some((Ok(event.data(html)), Some(follower)))
            }
            Delivery::Resync => Some((Ok(Event::default().event("resync").data("")), None)),
        }
    }))
}

/// Returns when the stream has to end: the server stops, or the session has ended. Holds the ticket until then.
async fn end(state: State, ticket: Ticket, session: SessionId) {
    let mut checks = interval(SESSION_CHECK);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = state.shutdown.cancelled() => return,
            () = ticket.end.cancelled() => return,
            _ = checks.tick() => if has_ended(&state, &session).await { return },
        }
    }
}

/// A database that is down says nothing about the session.
async fn has_ended(state: &AppState, session: &SessionId) -> bool {
    let Ok(client) = state.database.read().await else { return false };
    matches!(sessions::find(&client, session).await, Ok(None))
}
