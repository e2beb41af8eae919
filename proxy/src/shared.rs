//! What all sessions share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use tokio::sync::Semaphore;

use crate::cancel_keys::{CancelKey, CancelKeys};
use crate::limits::OpenSessions;
use crate::provision::Provisioner;
use crate::roles::Roles;
use crate::security::Security;
use crate::watch::Watch;
use crate::{Config, Counters, Error, Provision, Upstream};

/// How many cancel requests are forwarded at the same time; others wait for a moment.
/// Each is a connection to the upstream that nobody has authenticated.
const CONCURRENT_CANCELS: usize = 32;

/// What all sessions share that began with the same configuration; all but that is shared with the others, too.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    has_several_servers: bool,
    pub(crate) security: Arc<Security>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) provisioner: Arc<Provisioner>,
    pub(crate) open_sessions: Arc<OpenSessions>,
    pub(crate) roles: Arc<Roles>,
    pub(crate) cancel_keys: Arc<CancelKeys>,
    /// Set before the first session, if sessions are watched.
    pub(crate) watch: Arc<OnceLock<Arc<Watch>>>,
    pub(crate) cancel_permits: Arc<Semaphore>,
    /// An upstream is a pooler that ends sessions for our context; it is not sent any more.
    pub(crate) context_refused: Arc<AtomicBool>,
}

impl Shared {
    pub(crate) fn new(config: Config, provision: Arc<dyn Provision>) -> Result<Self, Error> {
        Ok(Self {
            security: Arc::new(Security::load(&config)?),
            has_several_servers: config.servers().len() > 1,
            config: Arc::new(config),
            counters: Arc::default(),
            provisioner: Arc::new(Provisioner::new(provision)),
            open_sessions: Arc::default(),
            roles: Arc::default(),
            cancel_keys: Arc::default(),
            watch: Arc::default(),
            cancel_permits: Arc::new(Semaphore::new(CONCURRENT_CANCELS)),
            context_refused: Arc::default(),
        })
    }

    /// Everything as it is, for sessions with another configuration. Those may have other upstreams.
    pub(crate) fn with_config(&self, config: Config) -> Result<Self, Error> {
        Ok(Self {
            security: Arc::new(Security::load(&config)?),
            has_several_servers: config.servers().len() > 1,
            config: Arc::new(config),
            context_refused: Arc::default(),
            ..self.clone()
        })
    }

    /// A place for the cancel key of a session with this server, if there are others that it could be for.
    pub(crate) fn cancel_key(&self, server: Upstream) -> Option<CancelKey> {
        self.has_several_servers.then(|| CancelKey::new(&self.cancel_keys, server))
    }
}
