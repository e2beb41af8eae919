//! Certificates, made up for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use pgtrack_proxy::{ClientTls, ClientTlsMode};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// An authority, and a directory with what it has signed.
pub(crate) struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    directory: PathBuf,
}

impl Certificates {
    /// Makes up an authority; its certificate is the file `ca.crt`.
    pub(crate) fn new() -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pgtrack-certificates-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(directory.join("ca.crt"), authority.pem()).unwrap();
        Self { authority, directory }
    }

    /// Signs a certificate for a common name and, as alternative names, some hosts: the files `<file>.crt` and
    /// `<file>.key`.
    pub(crate) fn sign(&self, file: &str, name: &str, hosts: &[&str]) {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.into()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        fs::write(self.path(&format!("{file}.crt")), certificate.pem()).unwrap();
        let key_path = self.path(&format!("{file}.key"));
        fs::write(&key_path, key.serialize_pem()).unwrap();
        // libpq refuses a key that others can read.
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(key_path, private).unwrap();
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// TLS for clients with one of the certificates.
    pub(crate) fn client_tls(&self, mode: ClientTlsMode, file: &str) -> ClientTls {
        ClientTls {
            mode,
            certificate: Some(self.path(&format!("{file}.crt"))),
            key: Some(self.path(&format!("{file}.key"))),
            client_ca: Some(self.path("ca.crt")),
        }
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}
