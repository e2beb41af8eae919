//! Why the dashboard could not start, or could not do what its embedder asked.

use std::io;
use std::net::SocketAddr;

/// A failure that the embedding program sees.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is taken, or not ours.
    #[error("could not listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The database refuses what the dashboard needs there.
    #[error("could not prepare the database for the dashboard")]
    Prepare(#[source] pgtrack_tracker::Error),
    /// The way to the database cannot be encrypted as asked for.
    #[error(transparent)]
    Tls(#[from] pgtrack_connect::tls::TlsError),
    /// The database is not there now.
    #[error("could not reach the database: {reason}")]
    Unavailable {
        /// The kind of failure, in words.
        reason: String,
    },
    /// An account cannot be created like this.
    #[error(transparent)]
    Account(#[from] crate::auth::AccountError),
    /// Something was sealed with a key that was not given.
    #[error("no key opens what is kept for {lost}")]
    MissingKey {
        /// The connections, as URLs name them, and the digests.
        lost: String,
    },
    /// The system has no randomness or no threads to give.
    #[error("the system failed: {reason}")]
    System {
        /// What failed.
        reason: String,
    },
}
