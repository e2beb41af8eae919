//! Whatever no route answers. People who are signed in get their navigation all the same.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::State;
use crate::app_error::AppError;
use crate::middleware::find_session;
use crate::state::AppState;
use crate::words::problem::Text;

/// An unknown URL.
pub(crate) async fn url(state: State, headers: HeaderMap) -> Response {
    respond(&state, &headers, AppError::NotFound(Text::NoPage)).await
}

/// A known URL, but not with this method.
pub(crate) async fn method(state: State, headers: HeaderMap) -> Response {
    respond(&state, &headers, AppError::WrongMethod).await
}

async fn respond(state: &AppState, headers: &HeaderMap, error: AppError) -> Response {
    let mut response = error.into_response();
    // A database that is down is no reason to fail here.
    if let Ok(Some(signed_in)) = find_session(state, headers).await
        && let Ok(usual) = state.connections.usual(&signed_in.account).await
    {
        response.extensions_mut().insert(signed_in);
        response.extensions_mut().insert(usual);
    }
    response
}
