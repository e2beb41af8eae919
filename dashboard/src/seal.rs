//! Secrets at rest: AES-256-GCM, bound to what they are for, under one of several keys.
//!
//! A sealed text is `v1.<key>.<nonce>.<ciphertext>`, in hexadecimal digits. The key's own name is in it, so that keys
//! can be replaced one after the other.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::hex;

/// The length of a key in bytes.
pub const KEY_LENGTH: usize = 32;
const NONCE_LENGTH: usize = 12;
/// What the keys that encrypt are derived for.
const PURPOSE: &[u8] = b"pgtrack/credential/v1";

/// The keys to open with; the first one is used to seal.
#[derive(Clone, Default)]
pub struct KeyRing {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    secret: Zeroizing<[u8; KEY_LENGTH]>,
}

/// Never shows a key.
impl std::fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl KeyRing {
    /// Takes the keys, the one in use first.
    pub fn new(keys: impl IntoIterator<Item = [u8; KEY_LENGTH]>) -> Self {
        Self { keys: keys.into_iter().map(Key::new).collect() }
    }

    /// Whether there is a key to seal with.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Seals a secret; it can be opened for the same subject only. `None` without a key or without randomness.
    pub(crate) fn seal(&self, subject: &str, secret: &str) -> Option<String> {
        let key = self.keys.first()?;
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).ok()?;
        let bound = bound(subject, &key.id);
        let payload = Payload { msg: secret.as_bytes(), aad: &bound };
        let sealed = key.cipher().encrypt(&Nonce::from(nonce), payload).ok()?;
        Some(format!("v1.{}.{}.{}", key.id, hex::encode(&nonce), hex::encode(&sealed)))
    }

    /// Opens what was sealed for this subject; `None` if it was not, or by a key that is not here.
    pub(crate) fn open(&self, subject: &str, sealed: &str) -> Option<Zeroizing<String>> {
        let mut parts = sealed.split('.');
        let (version, id) = (parts.next()?, parts.next()?);
        let (nonce, ciphertext) = (hex::decode(parts.next()?)?, hex::decode(parts.next()?)?);
        let key = self.keys.iter().find(|key| key.id == id)?;
        if version != "v1" || parts.next().is_some() {
            return None;
        }
        let nonce: [u8; NONCE_LENGTH] = nonce.try_into().ok()?;
        let payload = Payload { msg: &ciphertext, aad: &bound(subject, id) };
        let opened = key.cipher().decrypt(&Nonce::from(nonce), payload).ok()?;
        String::from_utf8(opened).ok().map(Zeroizing::new)
    }

    /// Whether this was sealed with the key that is in use.
    pub(crate) fn is_current(&self, sealed: &str) -> bool {
        let id = sealed.split('.').nth(1);
        self.keys.first().is_some_and(|key| id == Some(&*key.id))
    }
}

impl Key {
    fn new(secret: [u8; KEY_LENGTH]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"pgtrack key name");
        digest.update(secret);
        Self { id: hex::encode(&digest.finalize()[..4]), secret: Zeroizing::new(secret) }
    }

    fn cipher(&self) -> Aes256Gcm {
        let mut derived = Zeroizing::new([0; KEY_LENGTH]);
        Hkdf::<Sha256>::new(None, &*self.secret)
            .expand(PURPOSE, &mut *derived)
            .expect("32 bytes can be derived");
        Aes256Gcm::new((&*derived).into())
    }
}

/// What a sealed text is bound to.
fn bound(subject: &str, key: &str) -> Vec<u8> {
    [PURPOSE, b"\0", subject.as_bytes(), b"\0", key.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::KeyRing;

    fn ring(keys: &[u8]) -> KeyRing {
        KeyRing::new(keys.iter().map(|byte| [*byte; 32]))
    }

    #[test]
    fn a_secret_is_opened_for_its_subject_only() {
        let ring = ring(&[1]);
        let sealed = ring.seal("7", "pässwörd").unwrap();
        assert!(sealed.starts_with("v1.") && !sealed.contains("ss"));
        assert_eq!(ring.open("7", &sealed).unwrap().as_str(), "pässwörd");
        assert!(ring.open("8", &sealed).is_none());
        assert_ne!(ring.seal("7", "pässwörd").unwrap(), sealed, "each time with another nonce");
    }

    #[test]
    fn every_change_is_noticed() {
        let ring = ring(&[1]);
        let sealed = ring.seal("7", "secret").unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[index] = if changed[index] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(ring.open("7", &changed).is_none(), "{index}");
        }
        for bad in ["", "v1", "v1.a.b.c", &format!("{sealed}.00")] {
            assert!(ring.open("7", bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn keys_are_replaced_one_after_the_other() {
        let sealed = ring(&[1]).seal("7", "secret").unwrap();
        let both = ring(&[2, 1]);
        assert!(!both.is_current(&sealed));
        let again = both.seal("7", &both.open("7", &sealed).unwrap()).unwrap();
        assert!(both.is_current(&again));
        assert!(ring(&[2]).open("7", &again).is_some());
        assert!(ring(&[2]).open("7", &sealed).is_none());
        assert!(KeyRing::default().seal("7", "secret").is_none());
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", ring(&[7])).len(), "[\"00000000\"]".len());
    }
}
