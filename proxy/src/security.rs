//! Everything that files decide about encryption and authentication, read anew on each reload.

use std::sync::{Arc, PoisonError, RwLock};

use crate::tls::{Acceptor, Connector};
use crate::verifiers::Verifiers;
use crate::{Config, Error};

/// What a proxy does about encryption and authentication now. New connections use what the last successful
/// [`reload`](Self::reload) has read; those that have begun keep what they began with.
pub struct Security {
    current: RwLock<Arc<Snapshot>>,
}

/// What one connection works with.
pub(crate) struct Snapshot {
    /// `None` when there is no TLS for clients.
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) connector: Connector,
    /// `None` when no SCRAM verifiers are known.
    pub(crate) verifiers: Option<Verifiers>,
}

impl Security {
    pub(crate) fn load(config: &Config) -> Result<Self, Error> {
        Ok(Self { current: RwLock::new(Arc::new(Snapshot::load(config)?)) })
    }

    /// Reads all files again: certificates, keys, authorities, verifiers. Takes the settings of this configuration for
    /// [`client_tls`](Config::client_tls), [`upstream_tls`](Config::upstream_tls) and
    /// [`verifiers`](Config::verifiers), and no others.
    ///
    /// # Errors
    /// [`Error::Tls`] or [`Error::Verifiers`] when something cannot be used; then everything stays as it was.
    pub fn reload(&self, config: &Config) -> Result<(), Error> {
        let snapshot = Arc::new(Snapshot::load(config)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        Ok(())
    }

    pub(crate) fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Snapshot {
    fn load(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            acceptor: Acceptor::load(&config.client_tls)?,
            connector: Connector::load(&config.upstream_tls)?,
            verifiers: config.verifiers.as_ref().map(Verifiers::load).transpose()?,
        })
    }
}
