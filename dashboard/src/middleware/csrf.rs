//! Only our own pages may change anything: a form on another site must not ride on somebody's session.
//!
//! tower-http's layer compares `Sec-Fetch-Site`, or `Origin` with `Host`. It lets a request with neither pass, as no
//! browser sent it; with a session cookie that is not good enough for us.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use crate::app_error::AppError;
use crate::state::AppState;
use crate::words::problem::Text;

const REFUSAL: Text = Text::NotFromHere;

/// Refuses what a browser sends from another site.
pub(crate) fn same_origin() -> CsrfLayer<fn(ProtectionError) -> Response> {
    CsrfLayer::new().with_rejection_response(|_| AppError::Forbidden(REFUSAL).into_response())
}

/// Refuses a change with a session cookie that does not say where it comes from.
pub(crate) async fn require_browser_headers(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let says_where = headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN);
    if is_safe || says_where || state.cookie.read(&headers).is_none() {
        next.run(request).await
    } else {
        AppError::Forbidden(REFUSAL).into_response()
    }
}
