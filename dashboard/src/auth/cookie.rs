//! Reads and writes cookies. Ours hold only hexadecimal digits and plain words, so nothing needs escaping.

use axum::http::{HeaderMap, HeaderValue, header};

/// The value of a cookie that the browser sent.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

/// The header that sets a cookie for `max_age` seconds, or takes it back with 0; `None`: until the browser closes.
pub(crate) fn set_cookie(
    name: &str,
    value: &str,
    max_age: Option<u32>,
    is_secure: bool,
) -> HeaderValue {
    let age = max_age.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{age}{secure}");
    HeaderValue::try_from(text).expect("the values of our cookies are plain ASCII")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{cookie, set_cookie};

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; pgtrack=xyz;b=2"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=3"));
        assert_eq!(cookie(&headers, "pgtrack"), Some("xyz"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "c"), Some("3"));
        assert_eq!(cookie(&headers, "track"), None);
    }

    #[test]
    fn cookies_are_kept_from_scripts_and_other_sites() {
        assert_eq!(
            set_cookie("pgtrack", "x", None, false),
            "pgtrack=x; Path=/; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            set_cookie("__Host-pgtrack", "", Some(0), true),
            "__Host-pgtrack=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure"
        );
    }
}
