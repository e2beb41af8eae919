//! TLS with clients.

use std::sync::Arc;

use pgtrack_connect::tls::{end_point, read_certificates, read_key};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{DEFAULT_VERSIONS, RootCertStore, ServerConfig};

use super::{ALPN_PROTOCOL, ClientTls, ClientTlsMode, TlsError};

/// Accepts TLS with one certificate.
#[derive(Clone)]
pub(crate) struct Acceptor {
    mode: ClientTlsMode,
    library: TlsAcceptor,
    certificate: CertificateDer<'static>,
    end_point: Option<Arc<[u8]>>,
}

impl Acceptor {
    /// Reads the files. `None` when TLS is off.
    pub(crate) fn load(settings: &ClientTls) -> Result<Option<Self>, TlsError> {
        let mode = match settings.mode {
            ClientTlsMode::Disable => return Ok(None),
            ClientTlsMode::Allow => "allow",
            ClientTlsMode::Require => "require",
            ClientTlsMode::VerifyCa => "verify-ca",
            ClientTlsMode::VerifyFull => "verify-full",
        };
        let missing = |setting| TlsError::Missing { mode, setting };
        let path = settings.certificate.as_ref().ok_or_else(|| missing("certificate"))?;
        let chain = read_certificates(path)?;
        let key = read_key(settings.key.as_ref().ok_or_else(|| missing("key"))?)?;
        if settings.mode >= ClientTlsMode::VerifyCa && settings.client_ca.is_none() {
            return Err(missing("client_ca"));
        }
        let certificate = chain.first().cloned().ok_or_else(|| missing("certificate"))?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(DEFAULT_VERSIONS)
            .map_err(TlsError::Library)?
            .with_client_cert_verifier(client_verifier(settings)?)
            .with_single_cert(chain, key)
            .map_err(|source| TlsError::Identity { path: path.clone(), source })?;
        config.alpn_protocols = vec![ALPN_PROTOCOL.into()];
        // As the server: sessions are long, and resuming one is of no use.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        let end_point = end_point(&certificate).map(Into::into);
        let library = TlsAcceptor::from(Arc::new(config));
        Ok(Some(Self { mode: settings.mode, library, certificate, end_point }))
    }

    pub(crate) fn mode(&self) -> ClientTlsMode {
        self.mode
    }

    pub(crate) fn library(&self) -> &TlsAcceptor {
        &self.library
    }

    /// What clients see.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What clients bind their SCRAM proof to.
    pub(crate) fn end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }
}

/// Checks the certificates that clients show. One without any gets through the handshake: it may only want to cancel,
/// and can be told in clear words if not.
fn client_verifier(settings: &ClientTls) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(path) = &settings.client_ca else { return Ok(WebPkiClientVerifier::no_client_auth()) };
    let mut store = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        let failed = |source| TlsError::Authorities { path: path.clone(), source };
        store.add(certificate).map_err(failed)?;
    }
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider)
        .allow_unauthenticated()
        .build()
        .map_err(TlsError::Trust)
}
