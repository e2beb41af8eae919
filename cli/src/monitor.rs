//! What a supervisor asks over HTTP: `/metrics` for Prometheus, `/livez` and `/readyz` for health checks.

mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::{Router, routing};
use pgtrack_proxy::Control;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// What is watched.
pub(crate) struct Watched {
    pub(crate) proxy: Arc<Control>,
    /// Whether the last reload of the configuration was successful; a start counts.
    pub(crate) is_reloaded: AtomicBool,
    /// The program was asked to end.
    pub(crate) shutdown: CancellationToken,
}

/// Listens, and answers until the token is cancelled.
///
/// # Errors
/// When the address cannot be bound.
pub(crate) async fn start(
    listen: SocketAddr,
    watched: Arc<Watched>,
    end: CancellationToken,
) -> Result<SocketAddr, Error> {
    let failed = |source| Error::ListenMonitor { address: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let router = Router::new()
        .route("/metrics", routing::get(metrics))
        .route("/livez", routing::get(async || "alive\n"))
        .route("/readyz", routing::get(readyz))
        .with_state(watched);
    tokio::spawn(async move {
        // It fails only when the listener does; whoever asks will see.
        let _ = axum::serve(listener, router).with_graceful_shutdown(end.cancelled_owned()).await;
    });
    Ok(address)
}

async fn metrics(State(watched): State<Arc<Watched>>) -> impl IntoResponse {
    let is_reloaded = watched.is_reloaded.load(Ordering::Relaxed);
    // Prometheus' text format, version 0.0.4.
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::text(&watched.proxy, is_reloaded))
}

/// Ready when clients that come now can have a session. What limps is said, and no reason to send them elsewhere.
async fn readyz(State(watched): State<Arc<Watched>>) -> (StatusCode, String) {
    if watched.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".into());
    }
    let mut limping = Vec::new();
    let mut is_ready = true;
    for (database, failure) in watched.proxy.unreachable_upstreams().await {
        is_ready &= database.is_some();
        limping.push(format!("upstream of {}: {failure}", database.as_deref().unwrap_or("*")));
    }
    for database in watched.proxy.unprepared_databases() {
        limping
            .push(format!("database {database}: pg_track is not installed, nothing is recorded"));
    }
    if !watched.is_reloaded.load(Ordering::Relaxed) {
        limping.push("configuration: the new one is not valid, the old one is in use".into());
    }
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let summary = match (is_ready, limping.is_empty()) {
        (true, true) => "ready",
        (true, false) => "ready, degraded",
        (false, _) => "not ready",
    };
    limping.insert(0, summary.into());
    (status, limping.join("\n") + "\n")
}
