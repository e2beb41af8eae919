//! The messages of SCRAM; RFC 5802, section 7. The server's own parser takes attributes in this order, too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a client says about channel binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// `n`: it has none.
    Unsupported,
    /// `y`: it has, and believes that the server has not.
    Unused,
    /// `p=tls-server-end-point`: it uses it.
    Used,
}

/// `client-first-message`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClientFirst<'a> {
    pub(crate) binding: Binding,
    /// `gs2-header`
    pub(crate) header: &'a str,
    /// `client-first-message-bare`
    pub(crate) bare: &'a str,
    pub(crate) nonce: &'a str,
}

/// `server-first-message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerFirst {
    pub(super) text: String,
    pub(super) nonce: String,
    pub(super) salt: String,
    pub(super) iterations: u32,
}

/// `client-final-message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientFinal<'a> {
    pub(super) without_proof: &'a str,
    pub(super) binding: &'a str,
    pub(super) nonce: &'a str,
    pub(super) proof: Vec<u8>,
}

impl<'a> ClientFirst<'a> {
    /// Reads the data of a client's first message.
    pub(crate) fn parse(data: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let (binding, header) = [
            (Binding::Unsupported, "n,,"),
            (Binding::Unused, "y,,"),
            (Binding::Used, "p=tls-server-end-point,,"),
        ]
        .into_iter()
        .find(|(_, header)| text.starts_with(header))?;
        let (header, bare) = text.split_at_checked(header.len())?;
        let mut attributes = bare.split(',');
        // The name is ignored in favour of the startup packet's.
        attributes.next()?.strip_prefix("n=")?;
        let nonce = attributes.next()?.strip_prefix("r=").filter(|nonce| is_printable(nonce))?;
        Some(Self { binding, header, bare, nonce })
    }
}

impl ServerFirst {
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let mut attributes = text.split(',');
        let nonce = attributes.next()?.strip_prefix("r=")?.to_owned();
        let salt = attributes.next()?.strip_prefix("s=")?.to_owned();
        let iterations = attributes.next()?.strip_prefix("i=")?.parse().ok()?;
        Some(Self { text: text.to_owned(), nonce, salt, iterations })
    }
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let (without_proof, proof) = text.rsplit_once(",p=")?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next()?.strip_prefix("c=")?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        Some(Self { without_proof, binding, nonce, proof: decode(proof)? })
    }
}

/// The signature in a `server-final-message`, in base64.
pub(super) fn server_signature(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()?.strip_prefix("v=")?.split(',').next()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn is_printable(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| byte.is_ascii_graphic())
}
