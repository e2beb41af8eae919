//! Certificates and keys: reading them from files, and what the proxy wants to know of one.

use std::path::Path;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;

use super::TlsError;

/// Object identifiers; RFC 4519 (section 2.3), RFC 5280 (4.2.1.6), RFC 5912 (sections 4 and 6).
mod oid {
    use super::ObjectIdentifier;

    pub(super) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
    pub(super) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

    /// Signatures whose hash function SCRAM uses as it is, or replaces: MD5 and SHA-1 by SHA-256.
    pub(super) const SHA_256: [ObjectIdentifier; 4] = [
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"),
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"),
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4"),
    ];
    pub(super) const SHA_384: [ObjectIdentifier; 2] = [
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12"),
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"),
    ];
    pub(super) const SHA_512: [ObjectIdentifier; 2] = [
        ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13"),
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"),
    ];
}

/// Reads all certificates in a file, in order.
///
/// # Errors
/// When it cannot be read, or has none.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File { content: "certificates", path: path.into(), source };
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(failed)?;
    if found.is_empty() {
        return Err(failed(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}

/// Reads the first private key in a file.
///
/// # Errors
/// When it cannot be read, or has none.
pub fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let failed = |source| TlsError::File { content: "private key", path: path.into(), source };
    PrivateKeyDer::from_pem_file(path).map_err(failed)
}

/// The hash of a certificate that SCRAM binds to: `tls-server-end-point` of RFC 5929, with the hash function of the
/// certificate's signature. `None` for a signature without one, such as Ed25519, as in the server
/// (`be_tls_get_certificate_hash`).
pub fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let algorithm = Certificate::from_der(certificate).ok()?.signature_algorithm().oid;
    if oid::SHA_256.contains(&algorithm) {
        Some(Sha256::digest(certificate).to_vec())
    } else if oid::SHA_384.contains(&algorithm) {
        Some(Sha384::digest(certificate).to_vec())
    } else if oid::SHA_512.contains(&algorithm) {
        Some(Sha512::digest(certificate).to_vec())
    } else {
        None
    }
}

/// The common name of whom a certificate is for; the last one, as OpenSSL and so the server takes it.
pub fn common_name(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let subject = certificate.tbs_certificate().subject();
    let name = subject.iter().filter(|attribute| attribute.oid == oid::COMMON_NAME).last()?;
    Some(name.value.value().to_vec())
}

/// Whom a certificate is for, as a distinguished name (RFC 4514).
pub fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().subject().to_string())
}

/// Whether a certificate says for which hosts it is, other than by its common name.
pub(super) fn has_alternative_names(certificate: &CertificateDer<'_>) -> bool {
    let Ok(certificate) = Certificate::from_der(certificate) else { return false };
    let mut extensions = certificate.tbs_certificate().extensions().into_iter().flatten();
    extensions.any(|extension| extension.extn_id == oid::SUBJECT_ALT_NAME)
}

/// Whether a certificate is valid at a time.
pub(super) fn is_valid_at(certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
    let Ok(certificate) = Certificate::from_der(certificate) else { return false };
    let validity = certificate.tbs_certificate().validity();
    (validity.not_before.to_unix_duration()..=validity.not_after.to_unix_duration())
        .contains(&Duration::from_secs(now.as_secs()))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
    use rcgen::{PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm};
    use rustls::pki_types::{CertificateDer, UnixTime};
    use sha2::{Digest, Sha256, Sha384};

    use super::{common_name, end_point, has_alternative_names, is_valid_at};

    fn certificate(
        names: &[&str],
        hosts: &[&str],
        algorithm: &'static SignatureAlgorithm,
    ) -> CertificateDer<'static> {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.into()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        let key = KeyPair::generate_for(algorithm).unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn scram_binds_to_the_hash_of_the_signature() {
        let p256 = certificate(&["a"], &[], &PKCS_ECDSA_P256_SHA256);
        assert_eq!(end_point(&p256).unwrap(), Sha256::digest(&p256).to_vec());
        let p384 = certificate(&["a"], &[], &PKCS_ECDSA_P384_SHA384);
        assert_eq!(end_point(&p384).unwrap(), Sha384::digest(&p384).to_vec());
        assert_eq!(end_point(&certificate(&["a"], &[], &PKCS_ED25519)), None);
        assert_eq!(end_point(&b"no certificate".as_slice().into()), None);
    }

    #[test]
    fn names_are_found() {
        let plain = certificate(&["ada"], &[], &PKCS_ECDSA_P256_SHA256);
        assert_eq!(common_name(&plain).unwrap(), b"ada");
        assert!(!has_alternative_names(&plain));
        let other = certificate(&[], &["localhost"], &PKCS_ECDSA_P256_SHA256);
        assert_eq!(common_name(&other), None);
        assert!(has_alternative_names(&other));
    }

    #[test]
    fn a_certificate_is_valid_for_its_time() {
        let certificate = certificate(&["a"], &[], &PKCS_ECDSA_P256_SHA256);
        let year = |year: u64| {
            UnixTime::since_unix_epoch(std::time::Duration::from_hours(
                (year - 1970) * 365 * 24 + 12 * 24,
            ))
        };
        assert!(is_valid_at(&certificate, year(2030)));
        assert!(!is_valid_at(&certificate, year(1971)));
        assert!(!is_valid_at(&certificate, year(5000)));
    }
}
