//! Gives each request an id, describes it as a [`Visit`], and logs how it was answered.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::app_error::AppError;
use crate::hex;
use crate::state::AppState;
use crate::visit::Visit;

/// The log names the route, not the URL: that may hold keys of rows, which are somebody's data.
pub(crate) async fn describe(
    State(state): State<Arc<AppState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let request_id = match hex::random::<8>() {
        Ok(id) => Arc::<str>::from(id),
        Err(error) => return AppError::Internal(error.to_string()).into_response(),
    };
    let start = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let visit = Visit::new(&state, request_id.clone(), &request);
    request.extensions_mut().insert(visit);

    let mut response = next.run(request).await;

    let header = HeaderValue::try_from(&*request_id).expect("hexadecimal digits are plain ASCII");
    response.headers_mut().insert("x-request-id", header);
    tracing::debug!(
        %method,
        route = route.as_ref().map_or("-", MatchedPath::as_str),
        status = response.status().as_u16(),
        ms = start.elapsed().as_millis(),
        request_id = &*request_id,
        "request"
    );
    response
}
