//! No page takes longer than a person waits. Streams are not under it.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

use crate::app_error::AppError;

const DEADLINE: Duration = Duration::from_secs(30);

/// Gives a request up after the deadline.
pub(crate) async fn deadline(request: Request, next: Next) -> Response {
    match timeout(DEADLINE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => AppError::Deadline.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::deadline;

    #[tokio::test(start_paused = true)]
    async fn a_page_that_never_comes_is_given_up() {
        let handler = get(std::future::pending::<&'static str>);
        let router = Router::new().route("/", handler).layer(from_fn(deadline));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 503);
    }
}
