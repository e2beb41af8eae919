//! Argon2id, with the parameters that OWASP asks for at least: 19 MiB, two passes, one lane.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use crate::error::Error;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// How many hashes are computed at once: each takes memory and a processor, and anybody can ask for one.
const AT_ONCE: usize = 2;

/// Hashes and checks passwords, away from the threads that serve requests.
#[derive(Debug)]
pub(crate) struct Passwords {
    permits: Semaphore,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { permits: Semaphore::new(AT_ONCE) }
    }

    /// Hashes a password into a PHC string.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Error> {
        self.compute(move || {
            scheme().hash_password(password.as_bytes()).map(|hash| hash.to_string())
        })
        .await?
        .map_err(|error| Error::System { reason: error.to_string() })
    }

    /// Whether the password is the hashed one. Without a hash it takes as long, and is not.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let Some(hash) = hash else {
            self.hash(password).await?;
            return Ok(false);
        };
        self.compute(move || match PasswordHash::new(&hash) {
            Ok(hash) => scheme().verify_password(password.as_bytes(), &hash).is_ok(),
            Err(_) => false,
        })
        .await
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::System { reason: error.to_string() })
    }
}

fn scheme() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::Passwords;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = async |password: &str, hash: Option<&str>| {
            passwords.verify(password.to_owned(), hash.map(str::to_owned)).await.unwrap()
        };
        assert!(verify("correct horse battery", Some(&hash)).await);
        assert!(!verify("correct horse batterz", Some(&hash)).await);
        assert!(!verify("correct horse battery", Some("no hash")).await);
        assert!(!verify("correct horse battery", None).await);
    }
}
