//! Slows down guessing: each key has a number of attempts, which come back one by one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Beyond this many keys, those that have all their attempts back are forgotten.
const MANY_KEYS: usize = 10_000;

/// A token bucket for each key.
#[derive(Debug)]
pub(crate) struct Limiter {
    burst: u32,
    /// How long it takes for one attempt to come back.
    interval: Duration,
    /// The moment at which a key has all its attempts back.
    full_at: Mutex<HashMap<String, Instant>>,
}

impl Limiter {
    /// Allows `burst` attempts at once and as many in each `period`.
    pub(crate) fn new(burst: u32, period: Duration) -> Self {
        Self { burst, interval: period / burst, full_at: Mutex::default() }
    }

    /// Takes an attempt.
    ///
    /// # Errors
    /// The time after which there is one again.
    pub(crate) fn take(&self, key: &str, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= MANY_KEYS {
            full_at.retain(|_, moment| *moment > now);
        }
        let current = full_at.get(key).copied().filter(|moment| *moment > now).unwrap_or(now);
        let next = current + self.interval;
        let earliest = now + self.interval * self.burst;
        if next > earliest {
            return Err(next - earliest);
        }
        full_at.insert(key.to_owned(), next);
        Ok(())
    }

    /// Gives an attempt back, because it was no guess.
    pub(crate) fn give_back(&self, key: &str) {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(moment) = full_at.get_mut(key) {
            *moment -= self.interval;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Limiter;

    #[test]
    fn attempts_run_out_and_come_back_one_by_one() {
        let limiter = Limiter::new(3, Duration::from_mins(1));
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(limiter.take("alice", start), Ok(()));
        }
        assert_eq!(limiter.take("alice", start), Err(Duration::from_secs(20)));
        assert_eq!(limiter.take("bob", start), Ok(()));
        let later = start + Duration::from_secs(20);
        assert_eq!(limiter.take("alice", later), Ok(()));
        assert!(limiter.take("alice", later).is_err());
    }

    #[test]
    fn an_attempt_that_is_given_back_does_not_count() {
        let limiter = Limiter::new(1, Duration::from_mins(1));
        let now = Instant::now();
        for _ in 0..5 {
            assert_eq!(limiter.take("alice", now), Ok(()));
            limiter.give_back("alice");
        }
    }
}
