//! A response, read as a person or a test reads it.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Response, StatusCode, header};
use scraper::{Html, Selector};

/// A loaded page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Page {
    pub(crate) async fn read(url: &str, response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.expect("the body can be read");
        let html = String::from_utf8(bytes.to_vec()).expect("pages are UTF-8");
        Self { url: url.to_owned(), status: parts.status, headers: parts.headers, html }
    }

    /// A header, which must be there.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("{}: no {name}", self.url));
        value.to_str().expect("it is plain ASCII")
    }

    /// Where it redirects to.
    #[track_caller]
    pub(crate) fn location(&self) -> String {
        self.header(header::LOCATION.as_str()).to_owned()
    }

    /// The text of every element that matches, blanks normalised.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let document = Html::parse_document(&self.html);
        let selector = Selector::parse(selector).expect("the selector is valid");
        document
            .select(&selector)
            .map(|element| {
                let text: String = element.text().flat_map(|text| [text, " "]).collect();
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    /// The text of all that matches, empty if nothing does.
    pub(crate) fn text(&self, selector: &str) -> String {
        self.texts(selector).join(" | ")
    }

    pub(crate) fn has(&self, selector: &str) -> bool {
        !self.texts(selector).is_empty()
    }

    /// An attribute of the first element that matches, which must be there.
    #[track_caller]
    pub(crate) fn attribute(&self, selector: &str, name: &str) -> String {
        let document = Html::parse_document(&self.html);
        let parsed = Selector::parse(selector).expect("the selector is valid");
        document
            .select(&parsed)
            .next()
            .and_then(|element| element.attr(name))
            .unwrap_or_else(|| {
                panic!("{}: no {selector} with {name}\n{}", self.url, self.text("main"))
            })
            .to_owned()
    }

    /// The names and values of a form's hidden fields.
    pub(crate) fn hidden_fields(&self, form: &str) -> Vec<(String, String)> {
        let document = Html::parse_document(&self.html);
        let selector = Selector::parse(&format!("{form} input[type=hidden]")).expect("it is valid");
        document
            .select(&selector)
            .filter_map(|input| {
                Some((input.attr("name")?.to_owned(), input.attr("value")?.to_owned()))
            })
            .collect()
    }
}
