//! The errors that the proxy reports to clients itself: `ErrorResponse` messages that end a session.
//!
//! This is the only way from an [`Error`] to a client. SQLSTATEs are chosen as PostgreSQL chooses them,
//! because clients act on them: libpq tries its next host after 57P03, and only then.

use bytes::BytesMut;
use pgwire::error::ErrorInfo;
use pgwire::messages::Message;
use pgwire::messages::response::ErrorResponse;

use crate::{Encryption, Error, ScramError, Violation};

/// Manual, appendix "PostgreSQL Error Codes".
mod sqlstate {
    pub(super) const PROTOCOL_VIOLATION: &str = "08P01";
    pub(super) const FEATURE_NOT_SUPPORTED: &str = "0A000";
    pub(super) const INVALID_AUTHORIZATION: &str = "28000";
    pub(super) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(super) const ADMIN_SHUTDOWN: &str = "57P01";
    pub(super) const CANNOT_CONNECT_NOW: &str = "57P03";
    pub(super) const SYSTEM_ERROR: &str = "58000";
}

/// A FATAL error for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fatal {
    sqlstate: &'static str,
    message: String,
    detail: Option<String>,
    hint: Option<String>,
}

impl Fatal {
    /// What a server tells its clients when it is stopped.
    pub(crate) fn admin_shutdown() -> Self {
        Self::new(sqlstate::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
    }

    /// What to tell the client about an error; `None` when the server would close without a word, too.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        match error {
            Error::Violation(violation) => Self::of_violation(*violation),
            Error::StartupTimeout
            | Error::LostClient(_)
            | Error::ProxyHeader
            | Error::TlsHandshake(_)
            | Error::TooManyCancels => None,
            Error::TlsRequired => Some(
                Self::new(
                    sqlstate::INVALID_AUTHORIZATION,
                    "connections without TLS are not allowed here",
                )
                .hint("Connect with sslmode=require, or a stronger one."),
            ),
            Error::ClientCertificateMissing => Some(Self::new(
                sqlstate::INVALID_AUTHORIZATION,
                "connection requires a valid client certificate",
            )),
            Error::ClientCertificateName { user } => Some(Self::new(
                sqlstate::INVALID_AUTHORIZATION,
                format!("certificate authentication failed for user \"{user}\""),
            )),
            Error::CannotBind => Some(
                Self::new(
                    sqlstate::INVALID_AUTHORIZATION,
                    "SCRAM channel binding is not possible through this proxy",
                )
                .detail("The certificate that clients see is the proxy's, and not the server's.")
                .hint(
                    "Connect with channel_binding=disable, or have the proxy show the server's certificate, \
                     or let it know the SCRAM verifiers; see \"Authentication\" in docs/proxy.md.",
                ),
            ),
            Error::Scram(error @ ScramError::ChannelBinding) => {
                Some(Self::new(sqlstate::INVALID_AUTHORIZATION, error.to_string()))
            }
            Error::Scram(error @ ScramError::Malformed) => {
                Some(Self::new(sqlstate::PROTOCOL_VIOLATION, error.to_string()))
            }
            Error::UpstreamScram(_) => Some(Self::new(
                sqlstate::INVALID_AUTHORIZATION,
                "the upstream server could not prove its identity",
            )),
            Error::TooManySessions { setting } => Some(
                Self::new(sqlstate::TOO_MANY_CONNECTIONS, "sorry, too many clients already")
                    .hint(format!("The limit is the proxy's setting {setting}.")),
            ),
            Error::ConnectUpstream { upstream, source } => Some(
                Self::new(
                    sqlstate::CANNOT_CONNECT_NOW,
                    format!("could not connect to upstream server \"{upstream}\""),
                )
                .detail(source.to_string())
                .hint("Check that PostgreSQL runs there and accepts connections from the proxy."),
            ),
            Error::NoSuitableUpstream { servers, session_attrs } => Some(
                Self::new(
                    sqlstate::CANNOT_CONNECT_NOW,
                    format!("no upstream server is {session_attrs} among \"{servers}\""),
                )
                .hint("A failover may be under way: try again."),
            ),
            Error::Random(_)
            | Error::Listen { .. }
            | Error::Threads(_)
            | Error::Tls(_)
            | Error::Verifiers { .. } => {
                Some(Self::new(sqlstate::SYSTEM_ERROR, "the proxy could not begin the session"))
            }
        }
    }

    fn of_violation(violation: Violation) -> Option<Self> {
        match violation {
            Violation::DirectTls
            | Violation::NoAlpn
            | Violation::PacketLength(_)
            | Violation::CancelLength(_) => None,
            // The server takes the second request for a startup packet of "version" 1234.
            Violation::Repeated(encryption) => {
                let minor = match encryption {
                    Encryption::Tls => 5679,
                    Encryption::GssApi => 5680,
                };
                let message = format!(
                    "unsupported frontend protocol 1234.{minor}: server supports 3.0 to 3.2"
                );
                Some(Self::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
            }
            Violation::UnencryptedData(encryption) => {
                let request = match encryption {
                    Encryption::Tls => "SSL request",
                    Encryption::GssApi => "GSSAPI encryption request",
                };
                let fatal = Self::new(
                    sqlstate::PROTOCOL_VIOLATION,
                    format!("received unencrypted data after {request}"),
                );
                Some(fatal.detail(
                    "This could be either a client-software bug or evidence of an attempted \
                     man-in-the-middle attack.",
                ))
            }
        }
    }

    fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        Self { sqlstate, message: message.into(), detail: None, hint: None }
    }

    fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The message on the wire.
    pub(crate) fn encode(self) -> BytesMut {
        let mut info = ErrorInfo::new("FATAL".into(), self.sqlstate.into(), self.message);
        info.severity_nonlocalized = Some("FATAL".into());
        info.detail = self.detail;
        info.hint = self.hint;
        let mut bytes = BytesMut::new();
        ErrorResponse::from(info).encode(&mut bytes).expect("an error is far below the size limit");
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Fatal;

    #[test]
    fn a_fatal_error_has_both_severities_and_ends_with_a_terminator() {
        let bytes = Fatal::admin_shutdown().encode();
        let expected = b"E\0\0\0\x4fSFATAL\0VFATAL\0C57P01\0\
            Mterminating connection due to administrator command\0\0";
        assert_eq!(bytes.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
}
