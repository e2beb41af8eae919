//! What all sessions share.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

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
    /// The upstreams that are poolers and end sessions for our context: they are not sent it any more.
    context_refusers: Arc<RwLock<HashSet<Upstream>>>,
}

impl Shared {
    pub(crate) fn new(config: Config, provision: Arc<dyn Provision>) -> Result<Self, Error> {
        Ok(Self {
            security: Arc::new(Security::load(&config)?),
            has_several_servers: config.servers().len() > 1,
            config: Arc::new(config),
            counters: Arc::default(),
            provisioner: Provisioner::start(provision),
            open_sessions: Arc::default(),
            roles: Arc::default(),
            cancel_keys: Arc::default(),
            watch: Arc::default(),
            cancel_permits: Arc::new(Semaphore::new(CONCURRENT_CANCELS)),
            context_refusers: Arc::default(),
        })
    }

    /// Everything as it is, for sessions with another configuration. Those may have other upstreams.
    pub(crate) fn with_config(&self, config: Config) -> Result<Self, Error> {
        Ok(Self {
            security: Arc::new(Security::load(&config)?),
            has_several_servers: config.servers().len() > 1,
            config: Arc::new(config),
            context_refusers: Arc::default(),
            ..self.clone()
        })
    }

    /// Whether an upstream has ended a session for our context.
    pub(crate) fn refuses_context(&self, upstream: &Upstream) -> bool {
        self.context_refusers.read().unwrap_or_else(PoisonError::into_inner).contains(upstream)
    }

    /// An upstream has done so. Whether that is news.
    pub(crate) fn note_context_refusal(&self, upstream: &Upstream) -> bool {
        let mut refusers = self.context_refusers.write().unwrap_or_else(PoisonError::into_inner);
        refusers.insert(upstream.clone())
    }

    /// A place for the cancel key of a session with this server, if there are others that it could be for.
    pub(crate) fn cancel_key(&self, server: Upstream) -> Option<CancelKey> {
        self.has_several_servers.then(|| CancelKey::new(&self.cancel_keys, server))
    }
}
