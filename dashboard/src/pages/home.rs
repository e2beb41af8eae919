//! `/`: leads to the connection.

use axum::response::Redirect;

use super::State;

pub(crate) async fn get(state: State) -> Redirect {
    Redirect::to(&state.links().overview())
}
