//! One client connection from its first byte to its last.

pub(crate) mod activity;
mod cancel;
mod dial;
mod farewell;
mod forwarded;
pub(crate) mod gate;
mod negotiate;
mod pump;
mod relay;
mod sasl;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI32;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use self::activity::{Activity, FirstUse};
use self::farewell::Farewell;
use self::negotiate::Request;
use self::relay::{End, Relay};
use self::sasl::Legs;
use crate::buffer::Buffer;
use crate::fatal::Fatal;
use crate::listen::Accepted;
use crate::protocol::forwarded::Forwarded;
use crate::protocol::startup::Startup;
use crate::proxy::Shared;
use crate::stream::Stream;
use crate::tls::{self, Acceptor, ClientTlsMode};
use crate::watch::{SessionWatch, Who};
use crate::{Error, ErrorSource, SessionContext, SessionId};

/// Serves one client connection.
pub(crate) async fn serve(accepted: Accepted, shared: Arc<Shared>, shutdown: CancellationToken) {
    let (mut client, address) = match Stream::accepted(accepted, shared.config.liveness) {
        Ok(client) => client,
        Err(error) => return debug!(%error, "the client left at once"),
    };
    let address = Peer(address);
    let deadline = Instant::now() + shared.config.startup_timeout;
    let mut connection = Connection { address, shared: &shared, shutdown: &shutdown, deadline };
    let farewell = match connection.serve(&mut client).await {
        Ok(farewell) => farewell,
        Err(error) => {
            connection.note(&error);
            Fatal::of(&error).map_or(Farewell::Silent, Farewell::Fatal)
        }
    };
    farewell.say(client).await;
}

/// Where a client connects from: nowhere in particular when it uses a unix socket.
#[derive(Debug, Clone, Copy)]
struct Peer(Option<SocketAddr>);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => address.fmt(f),
            None => f.write_str("unix socket"),
        }
    }
}

/// What is known of a client connection besides its bytes.
struct Connection<'a> {
    address: Peer,
    shared: &'a Shared,
    shutdown: &'a CancellationToken,
    /// When the upstream must have answered the client's startup packet.
    deadline: Instant,
}

impl Connection<'_> {
    /// Finds out what the client wants, and does it.
    async fn serve(&mut self, client: &mut Stream) -> Result<Farewell, Error> {
        self.learn_address(client).await?;
        let acceptor = self.shared.security.acceptor.as_ref();
        // What only the beginning of a session needs is not to be held until its end.
        let negotiating = Box::pin(negotiate::negotiate(client, acceptor));
        let request = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Ok(Farewell::Silent),
            request = timeout_at(self.deadline, negotiating) => {
                request.unwrap_or(Err(Error::StartupTimeout))?
            }
        };
        match request {
            Request::Nothing => {
                debug!(client = %self.address, "the client asked for nothing");
                Ok(Farewell::Silent)
            }
            Request::Cancel { packet } => {
                if let Err(error) = Box::pin(cancel::forward(&packet, self.shared)).await {
                    self.note(&error);
                }
                // There is no answer to a cancel request, not even an error.
                Ok(Farewell::Silent)
            }
            Request::Session { packet, rest } => self.converse(client, &packet, rest).await,
        }
    }

    /// Lets a trusted load balancer say where the client connects from.
    async fn learn_address(&mut self, client: &mut Stream) -> Result<(), Error> {
        if forwarded::is_expected_from(self.address.0, &self.shared.config.proxy_protocol_from) {
            let reading = self.shutdown.run_until_cancelled(forwarded::read(client));
            let read = timeout_at(self.deadline, reading).await;
            // On a shutdown, the next step ends the connection.
            let read = read.map(|read| read.unwrap_or(Ok(Forwarded::Local)));
            if let Forwarded::For(address) = read.unwrap_or(Err(Error::StartupTimeout))? {
                self.address = Peer(Some(address));
            }
        }
        Ok(())
    }

    /// Connects the client with the upstream until one of them, or a shutdown, ends the session.
    async fn converse(
        &self,
        client: &mut Stream,
        packet: &[u8],
        mut rest: Buffer,
    ) -> Result<Farewell, Error> {
        self.check_certificate(client, packet)?;
        let startup = Startup::parse(packet);
        let database = startup.and_then(|startup| startup.database());
        let user = startup.and_then(|startup| startup.user());
        let place = self.shared.open_sessions.enter(
            database.unwrap_or_default(),
            user.unwrap_or_default(),
            self.shared.config.limits,
        )?;
        let target = self.shared.config.target(database);
        let session = SessionId::random().map_err(Error::Random)?;
        let context = SessionContext { client: self.address.0, session };
        let opening = Box::pin(async {
            let opened = dial::open(packet, &context, target, self.deadline, self.shared).await;
            let mut opened = opened?;
            let legs = Legs {
                client,
                upstream: &mut opened.upstream,
                server: &opened.server,
                from_client: &mut rest,
                from_upstream: &mut opened.answer,
            };
            sasl::mediate(legs, user, self.shared).await?;
            Ok::<_, Error>(opened)
        });
        let dial::Opened { upstream, server, answer } = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Ok(Farewell::Fatal(Fatal::admin_shutdown())),
            opened = opening => opened?,
        };
        debug!(client = %self.address, %session, %server, "session begins");
        self.shared.counters.sessions.add(1);

        let activity = Activity::new(self.first_use(packet), self.shared.cancel_key(server));
        let watch = self.watch(client, session, startup);
        let mut relay = Relay::new(client, upstream, rest, answer, activity, watch);
        let end = match relay.run(self.shutdown).await {
            Some(end) => end,
            None => relay.drain(self.shared.config.drain_timeout).await,
        };
        debug!(%session, reason = &end as &dyn std::error::Error, "session ended");
        relay.finish();
        relay.count(&self.shared.counters);
        // The client may linger; its place and the upstream's connection are free already.
        drop((relay, place));
        Ok(match end {
            End::ClientLost(_) => Farewell::Silent,
            End::UpstreamClosed | End::UpstreamLost(_) | End::DrainedInMessage => {
                Farewell::EndOfStream
            }
            End::Drained => Farewell::Fatal(Fatal::admin_shutdown()),
        })
    }

    /// Sees that the client uses TLS and shows a certificate, as far as it must.
    fn check_certificate(&self, client: &Stream, packet: &[u8]) -> Result<(), Error> {
        let mode =
            self.shared.security.acceptor.as_ref().map_or(ClientTlsMode::Disable, Acceptor::mode);
        if mode <= ClientTlsMode::Allow || matches!(client, Stream::Unix(_)) {
            return Ok(());
        }
        if !client.is_tls() {
            return Err(Error::TlsRequired);
        }
        if mode == ClientTlsMode::Require {
            return Ok(());
        }
        let certificate = client.peer_certificate().ok_or(Error::ClientCertificateMissing)?;
        let user = Startup::parse(packet).and_then(|startup| startup.user()).unwrap_or_default();
        let is_user = || tls::common_name(certificate).is_some_and(|name| name == user);
        if mode == ClientTlsMode::VerifyFull && (user.is_empty() || !is_user()) {
            let user = String::from_utf8_lossy(user).into_owned();
            return Err(Error::ClientCertificateName { user });
        }
        Ok(())
    }

    /// Watches the session, if sessions are watched.
    fn watch(
        &self,
        client: &Stream,
        session: SessionId,
        startup: Option<Startup<'_>>,
    ) -> Option<Box<SessionWatch>> {
        let watch = self.shared.watch.get()?;
        let name =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
        let who = Who {
            session,
            client: self.address.0,
            tls_identity: client.peer_certificate().and_then(tls::subject),
            database: name(startup.and_then(|startup| startup.database())),
            user: name(startup.and_then(|startup| startup.user())),
            has_path: startup.is_some_and(|startup| startup.sets_path()),
            config: Arc::clone(&self.shared.config),
            calls: AtomicI32::new(0),
        };
        Some(Box::new(SessionWatch::new(Arc::clone(watch), who)))
    }

    /// What to do when the session is admitted to its database.
    fn first_use(&self, packet: &[u8]) -> Option<FirstUse> {
        let startup = Startup::parse(packet).filter(|startup| !startup.is_replication())?;
        let database = std::str::from_utf8(startup.database()?).ok()?;
        let provisioner = Arc::clone(&self.shared.provisioner);
        Some(FirstUse { database: database.into(), provisioner })
    }

    /// Logs and counts an error.
    fn note(&self, error: &Error) {
        let client = self.address;
        let counters = &self.shared.counters;
        match error {
            Error::Violation(_) => counters.violations.add(1),
            Error::TooManySessions { .. } => counters.refused.add(1),
            Error::ConnectUpstream { .. } | Error::NoSuitableUpstream { .. } => {
                counters.unreachable.add(1);
            }
            _ => {}
        }
        let cause: &dyn std::error::Error = error;
        match error.error_source() {
            ErrorSource::Client => debug!(%client, error = cause, "connection refused"),
            ErrorSource::Upstream | ErrorSource::Internal => {
                warn!(%client, error = cause, "connection refused");
            }
        }
    }
}
