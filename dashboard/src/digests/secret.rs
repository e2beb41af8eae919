//! What a digest keeps sealed: where it is sent, and what it is signed with.

use zeroize::Zeroizing;

use crate::seal::KeyRing;
use crate::store::digests::{Saved, Sealed};

/// What a secret is for. One that was sealed for another purpose, or another digest, does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secret {
    Url,
    Signature,
}

impl Secret {
    fn subject(self, digest: &str) -> String {
        let purpose = match self {
            Self::Url => "url",
            Self::Signature => "signature",
        };
        format!("digest/{digest}/{purpose}")
    }

    /// Seals one; `None` without a key.
    pub(crate) fn seal(self, keys: &KeyRing, digest: &str, secret: &str) -> Option<String> {
        keys.seal(&self.subject(digest), secret)
    }

    /// Opens one; `None` if its key is not there.
    pub(crate) fn open(
        self,
        keys: &KeyRing,
        digest: &str,
        sealed: &str,
    ) -> Option<Zeroizing<String>> {
        keys.open(&self.subject(digest), sealed)
    }
}

/// The secrets of a digest under the first key; `None` if one cannot be opened.
pub(crate) fn seal_again(keys: &KeyRing, digest: &Saved) -> Option<Sealed> {
    let again = |secret: Secret, sealed: &str| {
        secret.seal(keys, &digest.id, &secret.open(keys, &digest.id, sealed)?)
    };
    let signature = match &digest.sealed.secret {
        Some(sealed) => Some(again(Secret::Signature, sealed)?),
        None => None,
    };
    Some(Sealed {
        url: again(Secret::Url, &digest.sealed.url)?,
        secret: signature,
        shown_url: digest.sealed.shown_url.clone(),
    })
}
