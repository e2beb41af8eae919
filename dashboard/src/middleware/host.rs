//! A page of somebody else's can have its own name lead to our address, and then reads what we answer as if it were its
//! own (DNS rebinding). So where it is known by which names people reach us, others are refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::app_error::AppError;
use crate::state::AppState;

/// The names that people reach us by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HostNames(Vec<String>);

impl FromIterator<String> for HostNames {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(names.into_iter().map(|name| name.to_lowercase()).collect())
    }
}

impl HostNames {
    /// Whether this is one, with any port. Addresses are: nobody can have them lead elsewhere. Without names, all are.
    fn fit(&self, authority: &str) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Ok(authority) = authority.parse::<Authority>() else { return false };
        let host = authority.host().trim_end_matches('.').to_lowercase();
        let is_address = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
        is_address || host == "localhost" || self.0.contains(&host)
    }
}

/// Refuses requests for other names. What is asked by machines gives nothing away, and they may know us by any name.
pub(crate) async fn require_known_host(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Response {
    if is_meant(&request, &state.host_names) {
        next.run(request).await
    } else {
        AppError::OtherHost.into_response()
    }
}

fn is_meant(request: &Request, names: &HostNames) -> bool {
    let is_open = matches!(request.uri().path(), "/healthz" | "/readyz");
    let headers = request.headers().get_all(header::HOST).iter();
    let given = headers.map(|value| value.to_str().unwrap_or_default());
    let mut hosts = request.uri().authority().map(Authority::as_str).into_iter().chain(given);
    is_open || hosts.all(|host| names.fit(host))
}

#[cfg(test)]
mod tests {
    use super::HostNames;

    #[test]
    fn names_are_listed_and_addresses_are_not() {
        let names: HostNames = ["pgtrack.Example.com".to_owned()].into_iter().collect();
        for good in [
            "pgtrack.example.com",
            "PGTRACK.example.com:8443",
            "pgtrack.example.com.",
            "10.0.0.1:8080",
            "[::1]:8080",
            "localhost:8080",
        ] {
            assert!(names.fit(good), "{good}");
        }
        for bad in
            ["evil.test", "example.com", "x.pgtrack.example.com", "localhost.evil.test", "", "a b"]
        {
            assert!(!names.fit(bad), "{bad}");
            assert!(HostNames::default().fit(bad), "{bad}");
        }
    }
}
