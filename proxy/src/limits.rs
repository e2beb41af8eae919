//! Counts the open sessions, and refuses those beyond the limits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Error;

/// How many sessions may be open at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// All of them.
    pub max_sessions: usize,
    /// Of each database.
    pub max_sessions_per_database: usize,
    /// Of each user.
    pub max_sessions_per_user: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            max_sessions: 10_000,
            max_sessions_per_database: usize::MAX,
            max_sessions_per_user: usize::MAX,
        }
    }
}

/// The sessions that are open.
#[derive(Debug, Default)]
pub(crate) struct OpenSessions(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    databases: HashMap<Box<[u8]>, usize>,
    users: HashMap<Box<[u8]>, usize>,
}

/// A place of one session; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    open: Arc<OpenSessions>,
    database: Box<[u8]>,
    user: Box<[u8]>,
}

impl OpenSessions {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.counts().all
    }

    /// Takes a place for a session of this user in this database.
    ///
    /// # Errors
    /// [`Error::TooManySessions`] names the limit that was reached.
    pub(crate) fn enter(
        self: &Arc<Self>,
        database: &[u8],
        user: &[u8],
        limits: SessionLimits,
    ) -> Result<Place, Error> {
        let mut counts = self.counts();
        let of = |counts: &HashMap<_, _>, name| counts.get(name).copied().unwrap_or_default();
        for (count, limit, setting) in [
            (counts.all, limits.max_sessions, "max_sessions"),
            (
                of(&counts.databases, database),
                limits.max_sessions_per_database,
                "max_sessions_per_database",
            ),
            (of(&counts.users, user), limits.max_sessions_per_user, "max_sessions_per_user"),
        ] {
            if count >= limit {
                return Err(Error::TooManySessions { setting });
            }
        }
        counts.all += 1;
        *counts.databases.entry(database.into()).or_default() += 1;
        *counts.users.entry(user.into()).or_default() += 1;
        drop(counts);
        Ok(Place { open: Arc::clone(self), database: database.into(), user: user.into() })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.open.counts();
        counts.all -= 1;
        leave(&mut counts.databases, &self.database);
        leave(&mut counts.users, &self.user);
    }
}

/// Names that nobody uses are forgotten: clients make them up.
fn leave(counts: &mut HashMap<Box<[u8]>, usize>, name: &[u8]) {
    if let Some(count) = counts.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{OpenSessions, SessionLimits};
    use crate::Error;

    #[test]
    fn each_limit_counts_on_its_own_and_places_become_free() {
        let open = Arc::<OpenSessions>::default();
        let limits = SessionLimits {
            max_sessions: 3,
            max_sessions_per_database: 2,
            max_sessions_per_user: 2,
        };
        let enter = |database: &str, user: &str| {
            open.enter(database.as_bytes(), user.as_bytes(), limits).map_err(|error| match error {
                Error::TooManySessions { setting } => setting,
                other => panic!("{other}"),
            })
        };
        let first = enter("shop", "ada").unwrap();
        let second = enter("shop", "bob").unwrap();
        assert_eq!(enter("shop", "eve").unwrap_err(), "max_sessions_per_database");
        let third = enter("blog", "ada").unwrap();
        assert_eq!(enter("blog", "eve").unwrap_err(), "max_sessions");
        drop(second);
        assert_eq!(enter("blog", "ada").unwrap_err(), "max_sessions_per_user");
        assert_eq!(open.count(), 2);
        drop((first, third));
        let counts = open.counts();
        assert!(counts.all == 0 && counts.databases.is_empty() && counts.users.is_empty());
    }
}
