//! `/`: leads to the connection.

use axum::response::Redirect;

use crate::visit::Visit;

pub(crate) async fn get(visit: Visit) -> Redirect {
    Redirect::to(&visit.links().overview())
}
