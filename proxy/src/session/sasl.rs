//! Authentication where the legs of a session are not encrypted alike; everything else is relayed as it is.
//!
//! A server offers SCRAM with channel binding over TLS: the client's proof then covers the server's certificate.
//!
//! | client | upstream | what is done |
//! |---|---|---|
//! | any | plain | nothing, no binding is offered |
//! | plain | TLS | the offer is withdrawn: without TLS, a client takes it for an attack |
//! | TLS | TLS, same certificate | nothing, even a client that insists on binding is content |
//! | TLS | TLS, another certificate | the proof is made anew from the role's verifier ([`Bridge`]); without verifiers, the offer is withdrawn, and clients that could bind are told what to do |

use std::future::poll_fn;
use std::task::Poll;

use tokio::io::AsyncWriteExt;

use crate::buffer::Buffer;
use crate::protocol::backend;
use crate::protocol::sasl::{self, Demand, InitialResponse, SCRAM, SCRAM_PLUS};
use crate::protocol::scram::{Binding, Bridge, ClientFirst, Randomness, ScramError};
use crate::proxy::Shared;
use crate::security::Security;
use crate::stream::Stream;
use crate::{Error, Upstream};

/// The largest message that is looked at; those of SCRAM are a tenth of this.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Both sides of a session that has not been admitted yet.
pub(super) struct Legs<'a> {
    pub(super) client: &'a mut Stream,
    pub(super) upstream: &'a mut Stream,
    pub(super) server: &'a Upstream,
    pub(super) from_client: &'a mut Buffer,
    pub(super) from_upstream: &'a mut Buffer,
}

/// Takes part in the authentication of `role` as far as the table above demands. What it leaves in
/// the buffers, and everything after that, is to be relayed.
pub(super) async fn mediate(
    mut legs: Legs<'_>,
    role: Option<&[u8]>,
    shared: &Shared,
) -> Result<(), Error> {
    let security = &*shared.security;
    if !legs.upstream.is_tls() || legs.have_the_same_certificate(security) {
        return Ok(());
    }
    let Some(offer) = legs.offer().await? else { return Ok(()) };
    let Demand::Sasl(offered) = Demand::parse(&offer) else { return Ok(()) };
    if !offered.contains(&SCRAM_PLUS) {
        return Ok(());
    }
    let acceptor = security.acceptor.as_ref().filter(|_| legs.client.is_tls());
    let verifiers = security.verifiers.as_ref();
    let end_point = acceptor.filter(|_| verifiers.is_some()).and_then(|tls| tls.end_point());
    let ours =
        offered.iter().copied().filter(|mechanism| *mechanism != SCRAM_PLUS || end_point.is_some());
    let ours = Demand::Sasl(ours.collect()).encode();
    legs.from_upstream.consume(offer.len());
    legs.tell_client(&ours).await?;
    if acceptor.is_none() {
        return Ok(());
    }

    let Some(message) = legs.client_message().await? else { return Ok(()) };
    let Some(initial) = InitialResponse::parse(&message) else { return Ok(()) };
    let Some(first) = ClientFirst::parse(initial.data) else { return Ok(()) };
    match (initial.mechanism, first.binding) {
        (SCRAM, Binding::Unsupported) => return Ok(()),
        (SCRAM, Binding::Unused) if verifiers.is_none() => return Err(Error::CannotBind),
        (SCRAM, Binding::Unused) if end_point.is_none() => {}
        (SCRAM_PLUS, Binding::Used) if end_point.is_some() => {}
        (SCRAM, Binding::Unused) => return Err(ScramError::ChannelBinding.into()),
        (SCRAM | SCRAM_PLUS, _) => return Err(ScramError::Malformed.into()),
        _ => return Ok(()),
    }
    let upstream_end_point = legs.upstream.peer_certificate().and_then(crate::tls::end_point);
    let upstream_end_point = upstream_end_point.as_deref();
    let random = randomness().map_err(Error::Random)?;
    let mut bridge = Bridge::new(&first, end_point, upstream_end_point, random)?;
    let mechanism = if upstream_end_point.is_some() { SCRAM_PLUS } else { SCRAM };
    let data = bridge.upstream_first(upstream_end_point);
    legs.from_client.consume(message.len());
    legs.tell_upstream(&InitialResponse { mechanism, data: data.as_bytes() }.encode()).await?;

    let Some(message) = legs.upstream_message().await? else { return Ok(()) };
    let Demand::Continue(data) = Demand::parse(&message) else { return Ok(()) };
    let challenge = bridge.challenge(data).map_err(Error::UpstreamScram)?;
    legs.from_upstream.consume(message.len());
    legs.tell_client(&Demand::Continue(challenge.as_bytes()).encode()).await?;

    let Some(message) = legs.client_message().await? else { return Ok(()) };
    let Some(data) = sasl::response_data(&message) else { return Ok(()) };
    let role = role.and_then(|role| std::str::from_utf8(role).ok());
    let verifier = match (verifiers, role) {
        (Some(verifiers), Some(role)) => verifiers.find(role, legs.server, shared).await,
        _ => None,
    };
    let proof = bridge.prove(data, verifier.as_ref())?;
    legs.from_client.consume(message.len());
    legs.tell_upstream(&sasl::response(proof.as_bytes())).await?;

    // If the server is not convinced, its error is on its way to the client.
    let Some(message) = legs.upstream_message().await? else { return Ok(()) };
    let Demand::Final(data) = Demand::parse(&message) else { return Ok(()) };
    let signature = bridge.sign(data).map_err(Error::UpstreamScram)?;
    legs.from_upstream.consume(message.len());
    legs.tell_client(&Demand::Final(signature.as_bytes()).encode()).await
}

impl Legs<'_> {
    fn have_the_same_certificate(&self, security: &Security) -> bool {
        let presented = security.acceptor.as_ref().map(crate::tls::Acceptor::certificate);
        self.client.is_tls() && presented == self.upstream.peer_certificate()
    }

    /// The server's demand for authentication. What may come before it goes to the client.
    async fn offer(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            let Some(message) = self.upstream_message().await? else { return Ok(None) };
            if message.first() != Some(&backend::NEGOTIATE_PROTOCOL_VERSION) {
                return Ok(Some(message));
            }
            self.tell_client(&message).await?;
            self.from_upstream.consume(message.len());
        }
    }

    /// Waits for a message of the server, and leaves it in the buffer. `None` when the connection is over, or the message
    /// too large to be of interest.
    async fn upstream_message(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            match front(self.from_upstream) {
                Front::Message(message) => return Ok(Some(message)),
                Front::TooLarge => return Ok(None),
                Front::Incomplete => {}
            }
            let filled = poll_fn(|cx| self.from_upstream.poll_fill(cx, self.upstream)).await;
            if filled.unwrap_or(0) == 0 {
                return Ok(None);
            }
        }
    }

    /// Waits for a message of the client, and leaves it in the buffer. `None` also when the server says something
    /// meanwhile: it has lost its patience.
    async fn client_message(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            match front(self.from_client) {
                Front::Message(message) => return Ok(Some(message)),
                Front::TooLarge => return Ok(None),
                Front::Incomplete => {}
            }
            let filled = poll_fn(|cx| {
                if let Poll::Ready(spoken) = self.from_upstream.poll_fill(cx, self.upstream) {
                    // However the connection ends, the relay will see it, too.
                    let _ = spoken;
                    return Poll::Ready(Ok(0));
                }
                self.from_client.poll_fill(cx, self.client)
            });
            if filled.await.map_err(Error::LostClient)? == 0 {
                return Ok(None);
            }
        }
    }

    async fn tell_client(&mut self, message: &[u8]) -> Result<(), Error> {
        self.client.write_all(message).await.map_err(Error::LostClient)?;
        self.client.flush().await.map_err(Error::LostClient)
    }

    async fn tell_upstream(&mut self, message: &[u8]) -> Result<(), Error> {
        let failed = |source| Error::ConnectUpstream { upstream: self.server.clone(), source };
        self.upstream.write_all(message).await.map_err(failed)?;
        self.upstream.flush().await.map_err(failed)
    }
}

/// What is at the front of a buffer.
enum Front {
    Message(Vec<u8>),
    Incomplete,
    TooLarge,
}

fn front(buffer: &Buffer) -> Front {
    match sasl::message_length(buffer.bytes()) {
        None => Front::Incomplete,
        Some(length) if length > MAX_MESSAGE_BYTES => Front::TooLarge,
        Some(length) => match buffer.bytes().get(..length) {
            Some(message) => Front::Message(message.to_vec()),
            None => Front::Incomplete,
        },
    }
}

fn randomness() -> std::io::Result<Randomness> {
    let mut random =
        Randomness { client_nonce: [0; 18], server_nonce: [0; 18], wrong_proof: [0; 32] };
    for bytes in [&mut random.client_nonce[..], &mut random.server_nonce, &mut random.wrong_proof] {
        getrandom::fill(bytes)?;
    }
    Ok(random)
}
