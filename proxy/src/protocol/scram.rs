//! SCRAM-SHA-256 between two TLS connections (RFC 5802, RFC 7677; `src/backend/libpq/auth-scram.c`).
//!
//! Where both legs are encrypted with different certificates, a client that binds its proof to the certificate it
//! sees cannot prove anything to the server. The [`Bridge`] then speaks both sides: it checks the client's proof with
//! the role's verifier, as the server would, which also reveals the `ClientKey`; with that it proves the same to
//! the server. It never knows the password. Salt and iterations are the server's own, so that a client
//! cannot tell whether the proxy has a verifier, nor whether the role exists; and the last word is always the server's.

mod messages;
mod verifier;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use self::messages::{ClientFinal, ServerFirst, decode, encode, server_signature};

pub(crate) use messages::{Binding, ClientFirst};
pub(crate) use verifier::Verifier;

/// A SHA-256 hash or HMAC.
type Key = [u8; 32];

/// The block of SHA-256, to which HMAC pads its key (RFC 2104).
const BLOCK_BYTES: usize = 64;

/// Random bytes of one exchange; nonces have as many as the server's own (`SCRAM_RAW_NONCE_LEN`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Randomness {
    pub(crate) client_nonce: [u8; 18],
    pub(crate) server_nonce: [u8; 18],
    /// What is sent instead of a proof that cannot be made.
    pub(crate) wrong_proof: Key,
}

/// Why an exchange cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message that is none of SCRAM.
    #[error("malformed SCRAM message")]
    Malformed,
    /// The client was told another certificate than ours, or other mechanisms: somebody is in between.
    #[error("SCRAM channel binding check failed")]
    ChannelBinding,
}

/// An exchange with a client and with the server at the same time.
#[derive(Debug)]
pub(crate) struct Bridge {
    random: Randomness,
    /// `gs2-header` and channel binding data that each side has to confirm, in base64.
    client_binding: String,
    upstream_binding: String,
    client_first_bare: String,
    upstream_first_bare: String,
    client_nonce: String,
    upstream: Option<ServerFirst>,
    client_server_first: String,
    /// What each side will want to be signed, and with which key, once the client has proved itself.
    proved: Option<Proved>,
}

#[derive(Debug)]
struct Proved {
    server_key: Key,
    client_message: String,
    upstream_message: String,
}

impl Bridge {
    /// Begins with the client's first message. `client_end_point` and `upstream_end_point` are the hashes of the
    /// certificates of the two legs, where they are bound.
    pub(crate) fn new(
        first: &ClientFirst<'_>,
        client_end_point: Option<&[u8]>,
        upstream_end_point: Option<&[u8]>,
        random: Randomness,
    ) -> Result<Self, ScramError> {
        let client_data = match first.binding {
            Binding::Used => client_end_point.ok_or(ScramError::ChannelBinding)?,
            Binding::Unsupported | Binding::Unused => &[],
        };
        let upstream_header = upstream_header(upstream_end_point);
        let upstream_data = upstream_end_point.unwrap_or_default();
        Ok(Self {
            client_binding: encode(&[first.header.as_bytes(), client_data].concat()),
            upstream_binding: encode(&[upstream_header.as_bytes(), upstream_data].concat()),
            client_first_bare: first.bare.to_owned(),
            upstream_first_bare: format!("n=,r={}", encode(&random.client_nonce)),
            client_nonce: format!("{}{}", first.nonce, encode(&random.server_nonce)),
            upstream: None,
            client_server_first: String::new(),
            proved: None,
            random,
        })
    }

    /// Our first message to the server.
    pub(crate) fn upstream_first(&self, upstream_end_point: Option<&[u8]>) -> String {
        format!("{}{}", upstream_header(upstream_end_point), self.upstream_first_bare)
    }

    /// Takes the server's first message; returns ours to the client, with the same salt and iterations.
    pub(crate) fn challenge(&mut self, server_first: &[u8]) -> Result<String, ScramError> {
        let upstream = ServerFirst::parse(server_first).ok_or(ScramError::Malformed)?;
        if !upstream.nonce.starts_with(&encode(&self.random.client_nonce)) {
            return Err(ScramError::Malformed);
        }
        self.client_server_first =
            format!("r={},s={},i={}", self.client_nonce, upstream.salt, upstream.iterations);
        self.upstream = Some(upstream);
        Ok(self.client_server_first.clone())
    }

    /// Takes the client's proof; returns ours to the server. Without the verifier of the role, or when it does not match
    /// the server's, or the client's proof is wrong, ours is wrong as well: the server says so itself.
    pub(crate) fn prove(
        &mut self,
        client_final: &[u8],
        verifier: Option<&Verifier>,
    ) -> Result<String, ScramError> {
        let received = ClientFinal::parse(client_final).ok_or(ScramError::Malformed)?;
        let upstream = self.upstream.as_ref().ok_or(ScramError::Malformed)?;
        if received.binding != self.client_binding {
            return Err(ScramError::ChannelBinding);
        }
        if received.nonce != self.client_nonce {
            return Err(ScramError::Malformed);
        }
        let without_proof = format!("c={},r={}", self.upstream_binding, upstream.nonce);
        let client_message =
            [&*self.client_first_bare, &*self.client_server_first, received.without_proof]
                .join(",");
        let upstream_message =
            [&*self.upstream_first_bare, &*upstream.text, &*without_proof].join(",");
        let proof = verifier
            .filter(|verifier| verifier.is_for(&upstream.salt, upstream.iterations))
            .and_then(|verifier| {
                let client_key = client_key(&received.proof, verifier, &client_message)?;
                let server_key = verifier.server_key;
                let proof = xor(&client_key, &hmac(&verifier.stored_key, &upstream_message));
                self.proved = Some(Proved { server_key, client_message, upstream_message });
                Some(proof)
            })
            .unwrap_or(self.random.wrong_proof);
        Ok(format!("{without_proof},p={}", encode(&proof)))
    }

    /// Takes the server's signature, which proves that it knows the verifier; returns ours for the client.
    pub(crate) fn sign(&self, server_final: &[u8]) -> Result<String, ScramError> {
        let proved = self.proved.as_ref().ok_or(ScramError::Malformed)?;
        let signature = server_signature(server_final).and_then(decode).unwrap_or_default();
        if !is_equal(&signature, &hmac(&proved.server_key, &proved.upstream_message)) {
            return Err(ScramError::Malformed);
        }
        Ok(format!("v={}", encode(&hmac(&proved.server_key, &proved.client_message))))
    }
}

fn upstream_header(end_point: Option<&[u8]>) -> &'static str {
    if end_point.is_some() { "p=tls-server-end-point,," } else { "n,," }
}

/// Recovers the `ClientKey` from a proof, if that is right.
fn client_key(proof: &[u8], verifier: &Verifier, message: &str) -> Option<Key> {
    let proof = Key::try_from(proof).ok()?;
    let client_key = xor(&proof, &hmac(&verifier.stored_key, message));
    is_equal(&Sha256::digest(client_key), &verifier.stored_key).then_some(client_key)
}

fn hmac(key: &Key, message: &str) -> Key {
    let mut block = [0; BLOCK_BYTES];
    for (slot, byte) in block.iter_mut().zip(key) {
        *slot = *byte;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().into()
}

fn xor(left: &Key, right: &Key) -> Key {
    let mut result = *left;
    for (byte, other) in result.iter_mut().zip(right) {
        *byte ^= other;
    }
    result
}

/// Compares in a time that does not depend on where the difference is.
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests;
