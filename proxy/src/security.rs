//! Everything that files decide about encryption and authentication.

use crate::tls::{Acceptor, Connector};
use crate::verifiers::Verifiers;
use crate::{Config, Error};

/// What the sessions of one configuration do about encryption and authentication. The files are read once; a
/// reload of the configuration reads them again, and sessions that have begun keep what they began with.
pub(crate) struct Security {
    /// `None` when there is no TLS for clients.
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) connector: Connector,
    /// `None` when no SCRAM verifiers are known.
    pub(crate) verifiers: Option<Verifiers>,
}

impl Security {
    pub(crate) fn load(config: &Config) -> Result<Self, Error> {
        Ok(Self {
            acceptor: Acceptor::load(&config.client_tls)?,
            connector: Connector::load(&config.upstream_tls)?,
            verifiers: config.verifiers.as_ref().map(Verifiers::load).transpose()?,
        })
    }
}
