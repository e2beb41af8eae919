//! Renders the page of a request that failed, and logs why, once.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app_error::{Elsewhere, Problem};
use crate::connections::Connection;
use crate::revert::{Confirmation, Subject};
use crate::rules::Rules;
use crate::view;
use crate::visit::{SignedIn, Visit};

/// Replaces a response that carries a [`Problem`] with its page. Headers such as `Allow` stay.
pub(crate) async fn render_problems(mut visit: Visit, request: Request, next: Next) -> Response {
    // The pattern: an address may hold the key of a row.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let subject = route
        .as_ref()
        .filter(|route| route.as_str().starts_with("/c/{connection}/revert"))
        .and_then(|_| Subject::from_query(request.uri().query()?));
    let mut response = next.run(request).await;
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else { return response };
    if let Some(cause) = &problem.cause {
        let route = route.as_ref().map_or("-", MatchedPath::as_str);
        if problem.status.is_server_error() {
            tracing::error!(cause, route, request_id = &*visit.request_id, "request failed");
        } else {
            tracing::info!(cause, route, request_id = &*visit.request_id, "request refused");
        }
    }
    // Who asked is found out further inside; with it the page has its navigation.
    visit.signed_in = response.extensions_mut().remove::<SignedIn>();
    if let Some(connection) = response.extensions_mut().remove::<Arc<Connection>>() {
        visit.connection = connection;
    }
    if let Some(rules) = response.extensions_mut().remove::<Arc<Rules>>() {
        problem = problem.hidden_by(&rules);
    }
    let chosen = response.extensions_mut().remove::<Confirmation>().unwrap_or_default();
    let elsewhere = subject.filter(|_| visit.signed_in.is_some()).map(|subject| Elsewhere {
        plan: visit.links().plan(&subject),
        command: view::plan::shell(subject.target(), &chosen),
    });
    let mut page =
        (problem.status, view::problem::page(&visit, &problem, elsewhere.as_ref())).into_response();
    for (name, value) in response.headers() {
        page.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    page
}
