//! A panic ends the request that caused it, not the connection, and is reported like any other failure.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;

use crate::app_error::AppError;

/// Turns a panic into an internal error.
pub(crate) async fn catch_panic(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => AppError::Internal(format!("panic: {}", message(&*panic))).into_response(),
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::catch_panic;
    use crate::app_error::Problem;
    use crate::words::plain;

    #[tokio::test]
    async fn a_panic_becomes_an_internal_error() {
        let handler = async || -> &'static str { panic!("number {}", 7) };
        let router = Router::new().route("/", get(handler)).layer(from_fn(catch_panic));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        assert_eq!(response.status(), 500);
        let problem = response.extensions().get::<Problem>().unwrap();
        assert_eq!(problem.cause.as_deref(), Some("panic: number 7"));
        assert!(!plain(&problem.text).contains('7'), "the cause is for the log");
    }
}
