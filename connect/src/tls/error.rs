//! Why TLS cannot be set up.

use std::path::PathBuf;

use rustls::server::VerifierBuilderError;
use rustls::{self, pki_types::pem};

/// Something is wrong with the TLS settings, or with the files that they name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A mode needs a file that is not configured.
    #[error("TLS mode `{mode}` needs the setting `{setting}`")]
    Missing {
        /// The mode.
        mode: &'static str,
        /// The setting that names the file.
        setting: &'static str,
    },
    /// A file could not be read, or has nothing of what it should have.
    #[error("could not read the {content} in `{}`", path.display())]
    File {
        /// What was looked for.
        content: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it was not found.
        #[source]
        source: pem::Error,
    },
    /// A certificate and its key are of no use.
    #[error("could not use the certificate in `{}` with its key", path.display())]
    Identity {
        /// The file of the certificate.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// An authority's certificate is of no use.
    #[error("could not use the authorities in `{}`", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// The set of authorities is of no use.
    #[error("could not trust the configured authorities")]
    Trust(#[source] VerifierBuilderError),
    /// The operating system has no trusted certificates.
    #[error(
        "the operating system has no certificates to trust; install the package ca-certificates"
    )]
    NoSystemRoots,
    /// The TLS library refuses its own settings.
    #[error("could not set up TLS")]
    Library(#[source] rustls::Error),
}
