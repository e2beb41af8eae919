//! A real server with TLS, and a client that trusts everybody.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use pgtrack_proxy::Config;
use pgtrack_testkit::{Binaries, Cluster, connect, own_server};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DEFAULT_VERSIONS, DigitallySignedStruct, Error, SignatureScheme,
};

use super::{Certificates, config};

/// Who gets in, and how.
const HBA: &str = "
local all all trust
host all postgres 127.0.0.1/32 trust
hostssl all tls_only 127.0.0.1/32 trust
hostnossl all plain_only 127.0.0.1/32 trust
host all tls_only,plain_only 127.0.0.1/32 reject
hostssl all certified 127.0.0.1/32 cert
hostssl all,replication md5 127.0.0.1/32 md5
host all all 127.0.0.1/32 scram-sha-256
";

/// A server of a test's own, with the certificate `server`.
pub(crate) struct TlsServer {
    pub(crate) cluster: Cluster,
}

impl TlsServer {
    /// Starts it. `certificates` gets to know `server`.
    pub(crate) async fn start(binaries: &Binaries, certificates: &Certificates) -> Self {
        certificates.sign("server", "localhost", &["localhost"]);
        let cluster = own_server(binaries, &[]);
        let admin = connect(&cluster.url("postgres")).await;
        for file in ["server.crt", "server.key", "ca.crt"] {
            // The server's account may not read our files, and insists that its key is its own.
            let text = fs::read_to_string(certificates.path(file)).unwrap();
            let copy = format!(
                "COPY (SELECT unnest(string_to_array('{text}', E'\\n'))) TO PROGRAM 'cat > {file}'"
            );
            admin.batch_execute(&copy).await.unwrap();
        }
        fs::write(cluster.directory().join("data/pg_hba.conf"), HBA).unwrap();
        for setting in ["ssl = on", "ssl_ca_file = 'ca.crt'"] {
            admin.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
        }
        admin
            .batch_execute(
                "CREATE ROLE ada LOGIN PASSWORD 'secret'; CREATE ROLE tls_only LOGIN; CREATE ROLE plain_only LOGIN;
                 CREATE ROLE certified LOGIN;
                 CREATE ROLE expired LOGIN PASSWORD 'secret' VALID UNTIL '2000-01-01';
                 SET password_encryption = 'md5'; CREATE ROLE md5 LOGIN PASSWORD 'secret';
                 SELECT pg_reload_conf()",
            )
            .await
            .unwrap();
        super::within(std::time::Duration::from_secs(20), async {
            loop {
                let client = connect(&cluster.url("postgres")).await;
                let row = client.query_one("SHOW ssl", &[]).await.unwrap();
                if row.get::<_, &str>(0) == "on" {
                    break;
                }
            }
        })
        .await;
        Self { cluster }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.cluster.port()).into()
    }

    /// Settings for a proxy before it.
    pub(crate) fn config(&self) -> Config {
        config(self.address())
    }
}

/// Begins TLS with anybody.
pub(crate) fn tls_connector(
    protocols: &[&str],
    identity: Option<(&Certificates, &str)>,
) -> TlsConnector {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAll));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificates, file)) => {
            let path = |ending| certificates.path(&format!("{file}.{ending}"));
            let chain = vec![CertificateDer::from_pem_file(path("crt")).unwrap()];
            let key = PrivateKeyDer::from_pem_file(path("key")).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().into()).collect();
    TlsConnector::from(Arc::new(config))
}

#[derive(Debug)]
struct TrustAll;

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
