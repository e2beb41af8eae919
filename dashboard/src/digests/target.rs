//! Where a digest is sent. The address is a secret: whoever has it can write there.

use std::fmt;

use axum::http::Uri;
use axum::http::uri::{PathAndQuery, Scheme};

use crate::words::Why;

/// The longest address, in bytes.
const MAX_LENGTH: usize = 2000;

/// The address of a webhook.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) is_encrypted: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// The host and, if it is not the usual one, the port, as they are sent.
    pub(crate) authority: String,
    pub(crate) path: String,
}

impl Target {
    /// Reads what a person typed, or why it cannot be used.
    pub(crate) fn parse(text: &str) -> Result<Self, Why> {
        let text = text.trim();
        if text.len() > MAX_LENGTH {
            return Err(Why::AddressLong);
        }
        let uri: Uri = text.parse().map_err(|_| Why::NoWebhook)?;
        let is_encrypted = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(Why::HttpsFirst),
        };
        let authority = uri.authority().ok_or(Why::NoWebhook)?;
        if authority.as_str().contains('@') {
            return Err(Why::AddressUser);
        }
        if authority.port().is_none() && authority.host() != authority.as_str() {
            return Err(Why::WebhookPort);
        }
        Ok(Self {
            is_encrypted,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned(),
        })
    }

    /// What may be shown: where it leads, and nothing of what lets one write there.
    pub(crate) fn masked(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        let rest = if self.path == "/" { "" } else { "…" };
        format!("{scheme}://{}/{rest}", self.authority)
    }
}

/// Never shows the secret.
impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn an_address_is_taken_apart_and_shown_without_its_secret() {
        let target = Target::parse(" https://hooks.slack.com/services/T0/B0/s3cret?x=y ").unwrap();
        assert!(target.is_encrypted && target.port == 443);
        assert_eq!(target.path, "/services/T0/B0/s3cret?x=y");
        assert_eq!(target.masked(), "https://hooks.slack.com/…");
        assert_eq!(format!("{target:?}"), "https://hooks.slack.com/…");
        let target = Target::parse("http://[::1]:8080").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 8080));
        assert_eq!(target.masked(), "http://[::1]:8080/");
    }

    #[test]
    fn what_is_no_webhook_is_refused() {
        for bad in [
            "",
            "hooks.slack.com/x",
            "/x",
            "ftp://x/y",
            "file:///etc/passwd",
            "https://",
            "https://user:pass@x/y",
            "https://x/a b",
            "https://x:99999/",
            &format!("https://x/{}", "a".repeat(2000)),
        ] {
            assert!(Target::parse(bad).is_err(), "{bad:?}");
        }
    }
}
