//! Which servers to trust: as libpq does in each `sslmode`.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate::{common_name, has_alternative_names, is_valid_at, read_certificates};
use super::{RootCertificates, TlsError};

/// Decides about a server's certificate.
#[derive(Debug)]
pub(super) struct Trust {
    /// `None` trusts everybody.
    authorities: Option<Authorities>,
    checks_name: bool,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Authorities {
    chains: Arc<WebPkiServerVerifier>,
    /// Certificates that are trusted themselves, whatever they are: a server's own self-signed one often
    /// claims to be an authority, which the library would not accept of a server.
    pinned: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Trusts whoever answers.
    pub(super) fn anybody(provider: Arc<CryptoProvider>) -> Self {
        Self { authorities: None, checks_name: false, provider }
    }

    /// Trusts servers with a certificate of one of these authorities and, if asked to, for the right host.
    pub(super) fn signed_by(
        root: &RootCertificates,
        checks_name: bool,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        let pinned = match root {
            RootCertificates::System => {
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                if store.is_empty() {
                    return Err(TlsError::NoSystemRoots);
                }
                Vec::new()
            }
            RootCertificates::File(path) => {
                let certificates = read_certificates(path)?;
                for certificate in &certificates {
                    let failed = |source| TlsError::Authorities { path: path.clone(), source };
                    store.add(certificate.clone()).map_err(failed)?;
                }
                certificates
            }
        };
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider));
        let chains = builder.build().map_err(TlsError::Trust)?;
        Ok(Self { authorities: Some(Authorities { chains, pinned }), checks_name, provider })
    }

    /// Checks the name apart from the chain, because a certificate without any alternative name
    /// may give it as its common name, as libpq has it.
    fn verify_name(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
    ) -> Result<(), Error> {
        if !self.checks_name {
            return Ok(());
        }
        let verified = verify_server_name(&ParsedCertificate::try_from(certificate)?, name);
        let is_common_name = || {
            !has_alternative_names(certificate)
                && common_name(certificate)
                    .is_some_and(|common| common.eq_ignore_ascii_case(name.to_str().as_bytes()))
        };
        if verified.is_err() && is_common_name() { Ok(()) } else { verified }
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(Authorities { chains, pinned }) = &self.authorities else {
            return Ok(ServerCertVerified::assertion());
        };
        if pinned.iter().any(|pinned| pinned == certificate) {
            if !is_valid_at(certificate, now) {
                return Err(CertificateError::Expired.into());
            }
        } else {
            let verified =
                chains.verify_server_cert(certificate, intermediates, name, ocsp_response, now);
            match verified {
                // The name is looked at last.
                Ok(_)
                | Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName
                    | CertificateError::NotValidForNameContext { .. },
                )) => {}
                Err(error) => return Err(error),
            }
        }
        self.verify_name(certificate, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{CertificateParams, DnType, KeyPair};
    use rustls::crypto::ring;
    use rustls::pki_types::CertificateDer;

    use super::Trust;

    /// Whether a certificate for this common name and these hosts is one for the server `name`.
    fn is_for(common_name: &str, hosts: &[&str], name: &'static str) -> bool {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.into()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        let certificate: CertificateDer<'_> = params.self_signed(&key).unwrap().der().clone();
        let provider = Arc::new(ring::default_provider());
        let trust = Trust { checks_name: true, ..Trust::anybody(provider) };
        trust.verify_name(&certificate, &name.try_into().unwrap()).is_ok()
    }

    #[test]
    fn a_common_name_counts_where_there_is_no_other() {
        assert!(is_for("x", &["db.example.com"], "db.example.com"));
        assert!(is_for("x", &["*.example.com"], "db.example.com"));
        assert!(is_for("x", &["192.0.2.1"], "192.0.2.1"));
        assert!(is_for("DB.example.com", &[], "db.example.com"));
        assert!(!is_for("db.example.com", &["other.example.com"], "db.example.com"));
        assert!(!is_for("other.example.com", &[], "db.example.com"));
    }
}
