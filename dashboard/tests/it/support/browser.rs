//! A browser without JavaScript: keeps cookies, fills in and sends forms.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use pgtrack_dashboard::{AppState, app};
use tower::ServiceExt;

use super::{PASSWORD, Page, Stream};

/// A browser with a cookie jar.
#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    pub(crate) cookies: BTreeMap<String, String>,
    /// Where it comes from.
    pub(crate) address: SocketAddr,
}

impl Browser {
    pub(crate) fn new(state: Arc<AppState>) -> Self {
        let address = ([127, 0, 0, 1], 40_000).into();
        Self { router: app(state), cookies: BTreeMap::new(), address }
    }

    /// Loads a page.
    pub(crate) async fn get(&mut self, url: &str) -> Page {
        self.send(Method::GET, url, &[("sec-fetch-site", "none")], String::new()).await
    }

    /// How many bytes are sent for a page or a file to a browser that takes them compressed.
    pub(crate) async fn weight(&self, url: &str) -> usize {
        let headers = [("sec-fetch-site", "none"), ("accept-encoding", "gzip")];
        let response = self.response(Method::GET, url, &headers, String::new()).await;
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip", "{url}");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        body.expect("the body is whole").len()
    }

    /// Sends a form as a page of the dashboard does.
    pub(crate) async fn post(&mut self, url: &str, fields: &[(&str, &str)]) -> Page {
        self.send(Method::POST, url, &[("sec-fetch-site", "same-origin")], encode(fields)).await
    }

    /// Sends anything.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Page {
        let response = self.response(method, url, headers, body).await;
        self.keep_cookies(response.headers());
        Page::read(url, response).await
    }

    /// Sends a form of a page with what it holds and these fields.
    pub(crate) async fn submit(
        &mut self,
        page: &Page,
        form: &str,
        fields: &[(&str, &str)],
    ) -> Page {
        let action = page.attribute(form, "action");
        let hidden = page.hidden_fields(form);
        let mut all: Vec<(&str, &str)> =
            hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend(fields);
        self.post(&action, &all).await
    }

    /// Follows a link of a page.
    pub(crate) async fn follow(&mut self, page: &Page, link: &str) -> Page {
        self.get(&page.attribute(link, "href")).await
    }

    /// Goes where a page redirects to.
    #[track_caller]
    pub(crate) fn redirect(&mut self, page: &Page) -> impl Future<Output = Page> {
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text("main"));
        let location = page.location();
        async move { self.get(&location).await }
    }

    pub(crate) async fn log_in(&mut self, name: &str) {
        let page = self.post("/login", &[("name", name), ("password", PASSWORD)]).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text("main"));
    }

    /// Opens the live feed.
    pub(crate) async fn listen(&self, after: &str, last_event_id: Option<&str>) -> Stream {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last_event_id.map(|id| ("last-event-id", id)));
        let url = format!("/c/shop/changes/live?view=transactions&after={after}");
        self.stream(Method::GET, &url, &headers).await
    }

    /// Opens a stream.
    pub(crate) async fn stream(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Stream {
        Stream::new(self.response(method, url, headers, String::new()).await)
    }

    async fn response(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Response<Body> {
        let mut request =
            Request::builder().method(method).uri(url).header("host", "dashboard.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<_> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        let mut request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(body))
            .expect("the request is valid");
        request.extensions_mut().insert(ConnectInfo(self.address));
        self.router.clone().oneshot(request).await.expect("the router never fails")
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("it is plain ASCII");
            let (name, rest) = cookie.split_once('=').expect("it has a name");
            let value = rest.split(';').next().expect("it has a value");
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// A form's fields as a browser sends them.
pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    let pairs: Vec<_> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}
