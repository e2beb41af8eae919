//! The databases that are shown: the configured one, and those that admins have added.

mod probe;
mod saved;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::app_error::AppError;
use crate::auth::{Account, SessionId};
use crate::database::Database;
use crate::live::Hub;
use crate::network::AllowedHosts;
use crate::seal::KeyRing;
use crate::store::connections::{self as store, Details, Saved};
use crate::store::grants;
use crate::words::Why;
use crate::words::problem::Text;

pub(crate) use probe::{Finding, Part, Stages, probe};
pub(crate) use saved::{Environment, TlsMode, config};

/// A database as the pages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    /// Its name in URLs.
    pub(crate) slug: String,
    /// Its name for people.
    pub(crate) label: String,
    pub(crate) environment: Environment,
    /// Nothing is changed there through the dashboard.
    pub(crate) is_read_only: bool,
}

impl From<&Details> for Connection {
    fn from(details: &Details) -> Self {
        Self {
            slug: details.slug.clone(),
            label: details.label.clone(),
            environment: details.environment,
            is_read_only: details.is_read_only,
        }
    }
}

impl Connection {
    /// What is named where an account may see no connection; no URL leads to it.
    fn nothing() -> Self {
        let (slug, label) = ("-".to_owned(), String::new());
        Self { slug, label, environment: Environment::None, is_read_only: false }
    }

    /// Whether this is none.
    pub(crate) fn is_nothing(&self) -> bool {
        self.slug == "-" && self.label.is_empty()
    }
}

/// A database that can be asked.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) info: Arc<Connection>,
    pub(crate) database: Arc<Database>,
    pub(crate) hub: Arc<Hub>,
}

impl Opened {
    pub(crate) fn new(
        info: Connection,
        database: Arc<Database>,
        shutdown: CancellationToken,
    ) -> Self {
        Self { info: Arc::new(info), hub: Arc::new(Hub::new(database.clone(), shutdown)), database }
    }

    /// Refuses what would change something in a database that is only shown.
    pub(crate) fn require_writable(&self) -> Result<(), AppError> {
        if self.info.is_read_only {
            return Err(AppError::Forbidden(Text::ViewingOnly));
        }
        Ok(())
    }
}

/// What a URL names.
pub(crate) enum Found {
    Opened(Arc<Opened>),
    /// A connection whose password this session has not given yet.
    Locked(Saved),
    Nothing,
}

/// Sessions are opened by whoever gave the password: everybody's, or one session's own.
type Key = (i64, Option<SessionId>);

#[derive(Debug)]
struct Entry {
    version: i32,
    opened: Arc<Opened>,
    /// When the addresses were checked.
    checked: Instant,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Connections {
    configured: Arc<Opened>,
    pub(crate) allowed: AllowedHosts,
    pub(crate) keys: KeyRing,
    shutdown: CancellationToken,
    entries: Mutex<HashMap<Key, Entry>>,
    /// Passwords that are kept no longer than the session that gave them.
    passwords: Mutex<HashMap<(i64, SessionId), Zeroizing<String>>>,
}

/// How long checked addresses are good.
const RECHECK: std::time::Duration = std::time::Duration::from_mins(1);
/// No more databases than this are open at once; those that were checked longest ago are closed.
const MOST_OPEN: usize = 20;

impl Connections {
    pub(crate) fn new(
        configured: Opened,
        allowed: AllowedHosts,
        keys: KeyRing,
        shutdown: CancellationToken,
    ) -> Self {
        let (entries, passwords) = (Mutex::default(), Mutex::default());
        Self { configured: Arc::new(configured), allowed, keys, shutdown, entries, passwords }
    }

    /// The one of the configuration, which also holds the dashboard's own tables.
    pub(crate) fn configured(&self) -> &Arc<Opened> {
        &self.configured
    }

    /// The one to show where a URL names none: the configured one, else the first that the account may see.
    pub(crate) async fn usual(&self, account: &Account) -> Result<Arc<Connection>, AppError> {
        let client = self.configured.database.read().await?;
        if grants::role_in(&client, account, &self.configured.info.slug).await?.is_some() {
            return Ok(self.configured.info.clone());
        }
        for saved in store::list(&client).await? {
            if grants::role_in(&client, account, &saved.details.slug).await?.is_some() {
                return Ok(Arc::new(Connection::from(&saved.details)));
            }
        }
        Ok(Arc::new(Connection::nothing()))
    }

    /// The one that a URL names, for this session.
    pub(crate) async fn find(&self, slug: &str, session: &SessionId) -> Result<Found, AppError> {
        self.find_for(slug, Some(session)).await
    }

    /// The one of this name, for what is done while nobody is there who could give a password.
    pub(crate) async fn find_unattended(&self, slug: &str) -> Result<Found, AppError> {
        self.find_for(slug, None).await
    }

    async fn find_for(&self, slug: &str, session: Option<&SessionId>) -> Result<Found, AppError> {
        if slug == self.configured.info.slug {
            return Ok(Found::Opened(self.configured.clone()));
        }
        let client = self.configured.database.read().await?;
        let Some(saved) = store::find(&client, slug).await? else { return Ok(Found::Nothing) };
        drop(client);
        let owner = match (&saved.sealed_password, session) {
            (Some(_), _) => None,
            (None, Some(session)) => Some(session.clone()),
            (None, None) => return Ok(Found::Locked(saved)),
        };
        let key = (saved.id, owner);
        if let Some(entry) = lock(&self.entries).get(&key)
            && entry.version == saved.version
            && entry.checked.elapsed() < RECHECK
        {
            return Ok(Found::Opened(entry.opened.clone()));
        }
        let password = if let Some(sealed) = &saved.sealed_password {
            let password = self.keys.open(&saved.id.to_string(), sealed);
            password.ok_or(AppError::Unavailable(Why::KeyMissing))?
        } else {
            let own = key.1.clone().map(|session| (saved.id, session));
            let given = own.and_then(|own| lock(&self.passwords).get(&own).cloned());
            let Some(given) = given else { return Ok(Found::Locked(saved)) };
            given
        };
        self.open(key, &saved, &password).await.map(Found::Opened)
    }

    /// Keeps a password for as long as a session lasts.
    pub(crate) fn unlock(&self, id: i64, session: &SessionId, password: Zeroizing<String>) {
        lock(&self.passwords).insert((id, session.clone()), password);
        lock(&self.entries).remove(&(id, Some(session.clone())));
    }

    /// Forgets what a session has opened.
    pub(crate) fn forget(&self, session: &SessionId) {
        lock(&self.passwords).retain(|(_, owner), _| owner != session);
        lock(&self.entries).retain(|(_, owner), _| owner.as_ref() != Some(session));
    }

    async fn open(&self, key: Key, saved: &Saved, password: &str) -> Result<Arc<Opened>, AppError> {
        let details = &saved.details;
        let (config, addresses) = config(details, password, &self.allowed)
            .await
            .map_err(|refusal| AppError::Unavailable(Why::Host(refusal)))?;
        if let Some(entry) = lock(&self.entries).get_mut(&key)
            && entry.version == saved.version
            && entry.opened.database.addresses() == addresses
        {
            entry.checked = Instant::now();
            return Ok(entry.opened.clone());
        }
        let database = Database::saved(&config, details.tls, addresses)?;
        let info = Connection::from(details);
        let opened = Arc::new(Opened::new(info, Arc::new(database), self.shutdown.clone()));
        let mut entries = lock(&self.entries);
        if entries.len() >= MOST_OPEN
            && let Some(oldest) =
                entries.iter().min_by_key(|entry| entry.1.checked).map(|entry| entry.0.clone())
        {
            entries.remove(&oldest);
        }
        let entry =
            Entry { version: saved.version, opened: opened.clone(), checked: Instant::now() };
        entries.insert(key, entry);
        Ok(opened)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The database that the page of this URL shows; `middleware::access` has found it.
pub(crate) struct Shown(pub(crate) Arc<Opened>);

impl<S: Sync> FromRequestParts<S> for Shown {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AppError> {
        let opened = parts.extensions.get::<Arc<Opened>>().cloned();
        opened.map(Self).ok_or_else(AppError::no_connection)
    }
}

impl std::ops::Deref for Shown {
    type Target = Opened;

    fn deref(&self) -> &Opened {
        &self.0
    }
}
