//! What a client may send before its session begins: requests for encryption, a cancel request, or the startup packet.
//!
//! Follows `ProcessSSLStartup` and `ProcessStartupPacket` in `src/backend/tcop/backend_startup.c` (PostgreSQL 18).

use std::fmt;

/// The smallest startup packet: its length and the protocol version.
const MIN_PACKET_BYTES: u32 = 8;
/// `MAX_STARTUP_PACKET_LENGTH` (`pqcomm.h`) and the length field, which that does not count.
pub(crate) const MAX_PACKET_BYTES: u32 = 10_004;
/// A cancel request is length, code, process id and a key of 4 to 256 bytes; manual, "`CancelRequest`".
const CANCEL_BYTES: std::ops::RangeInclusive<u32> = 16..=268;

/// `NEGOTIATE_SSL_CODE`, `NEGOTIATE_GSS_CODE` and `CANCEL_REQUEST_CODE` in `pqcomm.h`.
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// The first byte of a TLS handshake record (RFC 8446, section 5.1), sent with `sslnegotiation=direct`.
const TLS_HANDSHAKE: u8 = 0x16;

/// How far a client has come in asking for its session.
#[derive(Debug)]
pub(crate) struct Opening {
    /// TLS is available and not in use yet.
    offers_tls: bool,
    /// Nothing was asked for yet: only then does a TLS handshake mean what it is.
    is_fresh: bool,
    /// What may not be asked for again.
    asked_for: Vec<Encryption>,
    /// A request that was declined just now: nothing may have arrived behind it yet.
    declined: Option<Encryption>,
}

/// What to do with the bytes received so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Read more.
    Incomplete,
    /// The first `length` bytes ask for encryption: drop them and answer `N`.
    Decline {
        /// The size of the request.
        length: usize,
    },
    /// The first `length` bytes ask for TLS: drop them, answer `S` and do the handshake. What is received from
    /// there on is encrypted.
    StartTls {
        /// The size of the request.
        length: usize,
    },
    /// The bytes begin a TLS handshake, which must agree on the protocol `postgresql`.
    StartDirectTls,
    /// The first `length` bytes are a cancel request.
    Cancel {
        /// The size of the request.
        length: usize,
    },
    /// The first `length` bytes are a startup packet.
    Startup {
        /// The size of the packet.
        length: usize,
    },
}

/// An encryption that a client can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS, by an `SSLRequest`.
    Tls,
    /// GSSAPI, by a `GSSENCRequest`.
    GssApi,
}

/// Something that no well-behaved client sends before its session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A TLS handshake without a request for it.
    #[error("a direct TLS handshake, but TLS is off")]
    DirectTls,
    /// A TLS handshake without a request for it that does not agree on a protocol: perhaps meant for another.
    #[error("a direct TLS handshake without ALPN")]
    NoAlpn,
    /// A length that no startup packet has; also what HTTP looks like.
    #[error("a startup packet of {0} bytes")]
    PacketLength(u32),
    /// A length that no cancel request has.
    #[error("a cancel request of {0} bytes")]
    CancelLength(u32),
    /// The same encryption was asked for twice.
    #[error("a second request for {0} encryption")]
    Repeated(Encryption),
    /// Bytes that were sent before the answer to an encryption request: perhaps injected by somebody in between.
    #[error("unencrypted data after a request for {0} encryption")]
    UnencryptedData(Encryption),
}

impl Opening {
    /// Begins with a new connection.
    pub(crate) fn new(offers_tls: bool) -> Self {
        Self { offers_tls, is_fresh: true, asked_for: Vec::new(), declined: None }
    }

    /// Looks at the bytes received and not yet dropped, those within TLS once that has started.
    /// Call it again after each [`Step::Decline`], before reading more.
    pub(crate) fn step(&mut self, received: &[u8]) -> Result<Step, Violation> {
        if let Some(encryption) = self.declined.take()
            && !received.is_empty()
        {
            return Err(Violation::UnencryptedData(encryption));
        }
        if self.is_fresh && received.first() == Some(&TLS_HANDSHAKE) {
            self.is_fresh = false;
            // Within direct TLS a client may still ask for it, and is told that it is not to be had.
            let offered = std::mem::replace(&mut self.offers_tls, false);
            return if offered { Ok(Step::StartDirectTls) } else { Err(Violation::DirectTls) };
        }
        let Some((length, rest)) = split_u32(received) else { return Ok(Step::Incomplete) };
        if !(MIN_PACKET_BYTES..=MAX_PACKET_BYTES).contains(&length) {
            return Err(Violation::PacketLength(length));
        }
        let Some((code, _)) = split_u32(rest) else { return Ok(Step::Incomplete) };
        if code == CANCEL_REQUEST && !CANCEL_BYTES.contains(&length) {
            return Err(Violation::CancelLength(length));
        }
        let length = length as usize;
        if received.len() < length {
            return Ok(Step::Incomplete);
        }
        self.is_fresh = false;
        match code {
            SSL_REQUEST if self.offers_tls => self.start_tls(length, received),
            SSL_REQUEST => self.decline(Encryption::Tls, length),
            GSSENC_REQUEST => self.decline(Encryption::GssApi, length),
            CANCEL_REQUEST => Ok(Step::Cancel { length }),
            _ => Ok(Step::Startup { length }),
        }
    }

    /// Within the TLS that was asked for, neither encryption may be asked for again.
    fn start_tls(&mut self, length: usize, received: &[u8]) -> Result<Step, Violation> {
        if received.len() > length {
            return Err(Violation::UnencryptedData(Encryption::Tls));
        }
        self.offers_tls = false;
        self.asked_for = vec![Encryption::Tls, Encryption::GssApi];
        Ok(Step::StartTls { length })
    }

    fn decline(&mut self, encryption: Encryption, length: usize) -> Result<Step, Violation> {
        if self.asked_for.contains(&encryption) {
            return Err(Violation::Repeated(encryption));
        }
        self.asked_for.push(encryption);
        self.declined = Some(encryption);
        Ok(Step::Decline { length })
    }
}

/// The request for TLS that the proxy itself sends upstream; manual, "`SSLRequest`".
pub(crate) const SSL_REQUEST_PACKET: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Takes a big-endian integer off the front.
fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u32::from_be_bytes(*number), rest))
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "SSL",
            Self::GssApi => "GSSAPI",
        })
    }
}

#[cfg(test)]
mod tests;
