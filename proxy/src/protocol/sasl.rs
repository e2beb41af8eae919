//! The messages that negotiate SASL authentication; manual, "SASL Authentication".

use super::frontend;

/// The mechanism that every server offers.
pub(crate) const SCRAM: &[u8] = b"SCRAM-SHA-256";
/// The same, bound to the TLS connection (RFC 5929, `tls-server-end-point`).
pub(crate) const SCRAM_PLUS: &[u8] = b"SCRAM-SHA-256-PLUS";

/// Codes of the `Authentication…` messages; manual, "Message Formats".
const SASL: u32 = 10;
const SASL_CONTINUE: u32 = 11;
const SASL_FINAL: u32 = 12;

const AUTHENTICATION: u8 = b'R';

/// What a server says about authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Demand<'a> {
    /// Choose one of these mechanisms.
    Sasl(Vec<&'a [u8]>),
    /// The next message of the mechanism.
    Continue(&'a [u8]),
    /// The last message of the mechanism.
    Final(&'a [u8]),
    /// Anything else.
    Other,
}

/// The first message of a client that has chosen a mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InitialResponse<'a> {
    pub(crate) mechanism: &'a [u8],
    pub(crate) data: &'a [u8],
}

impl<'a> Demand<'a> {
    /// Reads a whole message from a server.
    pub(crate) fn parse(message: &'a [u8]) -> Self {
        Self::parse_known(message).unwrap_or(Self::Other)
    }

    fn parse_known(message: &'a [u8]) -> Option<Self> {
        let ([AUTHENTICATION, ..], body) = message.split_first_chunk::<5>()? else { return None };
        let (code, data) = body.split_first_chunk::<4>()?;
        match u32::from_be_bytes(*code) {
            SASL => {
                // Each mechanism ends with a NUL, and another one ends the list.
                let names = data.strip_suffix(b"\0\0")?;
                Some(Self::Sasl(names.split(|byte| *byte == 0).collect()))
            }
            SASL_CONTINUE => Some(Self::Continue(data)),
            SASL_FINAL => Some(Self::Final(data)),
            _ => None,
        }
    }

    /// The message on the wire.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (code, data) = match self {
            Self::Sasl(mechanisms) => {
                let mut list = mechanisms.join(&0);
                list.extend_from_slice(b"\0\0");
                (SASL, list)
            }
            Self::Continue(data) => (SASL_CONTINUE, data.to_vec()),
            Self::Final(data) => (SASL_FINAL, data.to_vec()),
            Self::Other => return Vec::new(),
        };
        message(AUTHENTICATION, &[code.to_be_bytes().as_slice(), &data].concat())
    }
}

impl<'a> InitialResponse<'a> {
    /// Reads a whole message from a client. `None` when it is no such message, or has no data.
    pub(crate) fn parse(message: &'a [u8]) -> Option<Self> {
        let ([frontend::PASSWORD, ..], body) = message.split_first_chunk::<5>()? else {
            return None;
        };
        let end = body.iter().position(|byte| *byte == 0)?;
        let (mechanism, rest) = body.split_at_checked(end)?;
        let (length, data) = rest.get(1..)?.split_first_chunk::<4>()?;
        // -1 stands for no data.
        let length = usize::try_from(i32::from_be_bytes(*length)).ok()?;
        (length == data.len()).then_some(Self { mechanism, data })
    }

    /// The message on the wire.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let length = u32::try_from(self.data.len()).unwrap_or(u32::MAX).to_be_bytes();
        message(frontend::PASSWORD, &[self.mechanism, &[0], &length, self.data].concat())
    }
}

/// A later message of a client, which is its data alone.
pub(crate) fn response(data: &[u8]) -> Vec<u8> {
    message(frontend::PASSWORD, data)
}

/// The data of a later message of a client.
pub(crate) fn response_data(message: &[u8]) -> Option<&[u8]> {
    match message.split_first_chunk::<5>()? {
        ([frontend::PASSWORD, ..], data) => Some(data),
        _ => None,
    }
}

/// The size of the message at the front, with its header, once that has come.
pub(crate) fn message_length(bytes: &[u8]) -> Option<usize> {
    let ([_tag, length @ ..], _) = bytes.split_first_chunk::<5>()?;
    usize::try_from(u32::from_be_bytes(*length)).ok()?.checked_add(1)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length =
        u32::try_from(body.len()).unwrap_or(u32::MAX).saturating_add(super::LENGTH_FIELD_BYTES);
    [&[tag], length.to_be_bytes().as_slice(), body].concat()
}

#[cfg(test)]
mod tests;
