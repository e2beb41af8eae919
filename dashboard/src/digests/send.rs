//! Delivers a message, one at a time. The address is resolved and checked each time, redirects are not followed, and of
//! the answer nothing is read but its status.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::message::Message;
use super::target::Target;
use crate::connections::TlsMode;
use crate::network::{AllowedHosts, Refusal, WEB_PORTS, resolve};

/// How long a delivery may take altogether.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one address may take to answer; there may be another.
const DIAL: Duration = Duration::from_secs(4);
/// The longest head of an answer, in bytes. More is a failure.
const MAX_ANSWER: usize = 16 * 1024;

/// Why a message did not arrive. It quotes nothing of what the other side says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// We do not connect there.
    Refused(Refusal),
    /// Not without encryption.
    Unencrypted,
    /// Nobody answers at any of its addresses.
    Network,
    /// The server could not be trusted, or has no TLS.
    Tls,
    /// This machine trusts nobody.
    NoRoots,
    /// It took too long.
    Timeout,
    /// What came back is no answer.
    Nonsense,
    /// The server answered with this status.
    Status(StatusCode),
}

/// Sends messages.
pub(crate) struct Sender {
    allowed: AllowedHosts,
    /// Read when it is first needed.
    tls: std::sync::Mutex<Option<Arc<ClientConfig>>>,
    /// Held by whoever sends.
    turn: Mutex<()>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sender").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Sender {
    pub(crate) fn new(allowed: AllowedHosts) -> Self {
        Self { allowed, tls: std::sync::Mutex::default(), turn: Mutex::default() }
    }

    /// The addresses of a target that may be connected to.
    pub(crate) async fn check(&self, target: &Target) -> Result<Vec<SocketAddr>, Failure> {
        let found = resolve(&target.host, target.port, &self.allowed, WEB_PORTS);
        let addresses = timeout(PATIENCE, found)
            .await
            .map_err(|_| Failure::Timeout)?
            .map_err(Failure::Refused)?;
        if !target.is_encrypted && !self.allowed.list(&target.host, target.port, &addresses) {
            return Err(Failure::Unencrypted);
        }
        Ok(addresses)
    }

    /// Delivers a message.
    pub(crate) async fn send(
        &self,
        target: &Target,
        message: Message,
    ) -> Result<StatusCode, Failure> {
        let _turn = self.turn.lock().await;
        timeout(PATIENCE, self.deliver(target, message)).await.map_err(|_| Failure::Timeout)?
    }

    async fn deliver(&self, target: &Target, message: Message) -> Result<StatusCode, Failure> {
        let addresses = self.check(target).await?;
        let stream = dial(&addresses).await.ok_or(Failure::Network)?;
        let status = if target.is_encrypted {
            let name = ServerName::try_from(target.host.clone()).map_err(|_| Failure::Tls)?;
            let connector = TlsConnector::from(self.tls()?);
            let stream = connector.connect(name, stream).await.map_err(|_| Failure::Tls)?;
            post(stream, target, message).await?
        } else {
            post(stream, target, message).await?
        };
        if status.is_success() { Ok(status) } else { Err(Failure::Status(status)) }
    }

    /// Trusts what the operating system trusts, as connections to databases do.
    fn tls(&self) -> Result<Arc<ClientConfig>, Failure> {
        let mut kept = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = &*kept {
            return Ok(config.clone());
        }
        let mut config =
            TlsMode::VerifyFull.settings().client_config().map_err(|_| Failure::NoRoots)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(kept.insert(Arc::new(config)).clone())
    }
}

async fn dial(addresses: &[SocketAddr]) -> Option<TcpStream> {
    for address in addresses {
        if let Ok(Ok(stream)) = timeout(DIAL, TcpStream::connect(address)).await {
            return Some(stream);
        }
    }
    None
}

/// Sends a request and waits for the head of the answer. The connection ends with this.
async fn post<S>(stream: S, target: &Target, message: Message) -> Result<StatusCode, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut request = Request::post(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::USER_AGENT, concat!("pgtrack/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONNECTION, "close");
    for (name, value) in message.headers {
        request = request.header(name, value);
    }
    let request = request.body(Body::from(message.body)).map_err(|_| Failure::Nonsense)?;
    let (mut client, connection) = http1::Builder::new()
        .max_buf_size(MAX_ANSWER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Failure::Nonsense)?;
    let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let answer = client.send_request(request).await.map_err(|_| Failure::Nonsense)?;
    Ok(answer.status())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http::StatusCode;
    use pgtrack_connect::tls::{RootCertificates, SslMode, UpstreamTls};
    use rcgen::{CertificateParams, KeyPair};
    use rustls::ServerConfig;
    use rustls::crypto::ring;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::{Failure, Sender};
    use crate::digests::Target;
    use crate::digests::message::Message;

    /// A server for `localhost` that answers every request, its port, and its certificate in PEM.
    async fn server() -> (u16, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Those that do not trust it hang up.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut request = Vec::new();
                while !request.ends_with(b"{}") && stream.read_buf(&mut request).await.unwrap() > 0
                {
                }
                stream
                    .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
                    .await
                    .unwrap();
            }
        });
        (port, certificate.pem())
    }

    #[tokio::test]
    async fn a_server_is_trusted_by_its_certificate_and_its_name() {
        let (port, pem) = server().await;
        let file = std::env::temp_dir().join(format!("pgtrack-webhook-{port}.pem"));
        std::fs::write(&file, pem).unwrap();
        let hosts = || {
            let hosts = ["localhost", "127.0.0.1"].map(|host| format!("{host}:{port}"));
            hosts.iter().map(|host| host.parse().unwrap()).collect()
        };
        let root = Some(RootCertificates::File(file.clone()));
        let tls = UpstreamTls { mode: SslMode::VerifyFull, root, ..UpstreamTls::default() };
        let mut config = tls.client_config().unwrap();
        config.alpn_protocols.clear();
        let trusting = Sender { tls: Mutex::new(Some(Arc::new(config))), ..Sender::new(hosts()) };
        let send = async |sender: &Sender, host: &str| {
            let target = Target::parse(&format!("https://{host}:{port}/x")).unwrap();
            let message = Message { headers: Vec::new(), body: "{}".to_owned() };
            sender.send(&target, message).await
        };
        assert_eq!(send(&trusting, "localhost").await, Ok(StatusCode::ACCEPTED));
        assert_eq!(send(&trusting, "127.0.0.1").await, Err(Failure::Tls), "it is for another name");
        let usual = Sender::new(hosts());
        let refused = send(&usual, "localhost").await.unwrap_err();
        assert!(matches!(refused, Failure::Tls | Failure::NoRoots), "{refused:?}");
        std::fs::remove_file(file).unwrap();
    }
}
