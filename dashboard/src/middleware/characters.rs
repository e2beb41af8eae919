//! What is no text cannot be meant: the database has no character NUL, and nothing here is written in anything but UTF-8.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode;

use crate::app_error::AppError;
use crate::words::problem::Text;

/// Refuses addresses that are no text: there is no such page, or the question makes no sense.
pub(crate) async fn require_text(request: Request, next: Next) -> Response {
    let uri = request.uri();
    if !is_text(uri.path().as_bytes()) {
        AppError::NotFound(Text::NoPage).into_response()
    } else if !uri.query().is_none_or(|query| is_text(query.as_bytes())) {
        AppError::BadRequest(Text::Unreadable).into_response()
    } else {
        next.run(request).await
    }
}

/// Whether what is encoded for a URL, or as a form, is text.
pub(crate) fn is_text(encoded: &[u8]) -> bool {
    percent_decode(encoded).decode_utf8().is_ok_and(|text| !text.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::is_text;

    #[test]
    fn text_has_no_nul_and_is_utf_8() {
        for good in ["", "/c/shop?q=%C3%A9+%25", "100%", "%e2%80%ae"] {
            assert!(is_text(good.as_bytes()), "{good}");
        }
        for bad in ["%00", "a%00b", "%FF", "%ED%A0%80", "\0", "%C3"] {
            assert!(!is_text(bad.as_bytes()), "{bad}");
        }
    }
}
