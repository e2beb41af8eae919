//! Where people reach the dashboard, for links that are read elsewhere.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;

/// The beginning of every link, such as `https://pgtrack.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

/// Why a text is no such address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not where people reach the dashboard; write https://pgtrack.example.com")]
pub struct PublicUrlError(String);

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let error = || PublicUrlError(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| error())?;
        let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        // The pages link to each other from the root.
        let is_root = uri.path() == "/" && uri.query().is_none() && !text.contains('#');
        if !(is_web && authority.is_some() && is_root) {
            return Err(error());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl PublicUrl {
    /// The name or address of the web server.
    pub(crate) fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or(&*self.0, |(_, rest)| rest);
        // An IPv6 address has colons of its own, in brackets.
        match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => authority,
        }
    }
}

/// Without a slash at the end.
impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::PublicUrl;

    #[test]
    fn it_is_the_root_of_a_web_server() {
        for good in ["https://db.example.com", "http://10.0.0.1:8080/"] {
            let url: PublicUrl = good.parse().unwrap();
            assert_eq!(url.to_string(), good.trim_end_matches('/'));
        }
        let host = |url: &str| url.parse::<PublicUrl>().unwrap().host().to_owned();
        assert_eq!(host("https://db.example.com/"), "db.example.com");
        assert_eq!(host("http://10.0.0.1:8080"), "10.0.0.1");
        assert_eq!(host("http://[::1]:8080"), "[::1]");
        assert_eq!(host("http://[::1]"), "[::1]");
        for bad in ["", "db.example.com", "ftp://x", "https://a@b", "https://x/y", "https://x/#y"] {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad:?}");
        }
    }
}
