//! What the proxy says to a client in the middle of a session: an error in place of the server's, or a notice.

use bytes::BytesMut;
use pgwire::error::ErrorInfo;
use pgwire::messages::Message;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};

/// `insufficient_privilege`; manual, appendix "PostgreSQL Error Codes".
const REFUSED: &str = "42501";
/// `warning`.
const WARNING: &str = "01000";

/// Words for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: &'static str,
}

impl Notice {
    /// As the answer to a refused request.
    pub(crate) fn error(self) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        ErrorResponse::from(self.fields("ERROR", REFUSED))
            .encode(&mut bytes)
            .expect("an error is far below the size limit");
        bytes.to_vec()
    }

    /// Beside the answers.
    pub(crate) fn warning(self) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        NoticeResponse::from(self.fields("WARNING", WARNING))
            .encode(&mut bytes)
            .expect("a notice is far below the size limit");
        bytes.to_vec()
    }

    fn fields(self, severity: &str, sqlstate: &str) -> ErrorInfo {
        let mut info = ErrorInfo::new(severity.into(), sqlstate.into(), self.message);
        info.severity_nonlocalized = Some(severity.into());
        info.detail = self.detail;
        info.hint = Some(self.hint.into());
        info
    }
}
