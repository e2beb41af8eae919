//! Properties of the protocol that hold for every input. The fuzzer (`make fuzz`) and the quick tests beside it try to
//! refute them: each function panics when its property does not hold.

#![expect(clippy::missing_panics_doc, reason = "panics are what they are for")]

use crate::SessionContext;
use crate::SessionId;
use crate::protocol::opening::{MAX_PACKET_BYTES, Opening, Step};
use crate::protocol::refusal;
use crate::protocol::sasl::{self, Demand, InitialResponse};
use crate::protocol::scanner::{Body, Observer, Scanner};
use crate::protocol::scram::{Bridge, ClientFirst, Randomness, Verifier};
use crate::protocol::startup::Startup;
use crate::session::activity::{Activity, FromClient, FromUpstream};

/// What a new connection asks for does not depend on how its bytes arrive, and nothing is taken that is not there.
pub fn opening(bytes: &[u8]) {
    for offers_tls in [false, true] {
        let whole = Opening::new(offers_tls).step(bytes);
        if whole.is_ok_and(|step| step != Step::Incomplete) {
            assert_eq!(first_step(bytes, offers_tls), whole.ok());
        }
        let mut opening = Opening::new(offers_tls);
        let mut rest = bytes;
        while let Ok(
            Step::Decline { length }
            | Step::StartTls { length }
            | Step::Cancel { length }
            | Step::Startup { length },
        ) = opening.step(rest)
        {
            assert!(length <= MAX_PACKET_BYTES as usize);
            rest = rest.get(length..).expect("the packet is there");
        }
    }
}

/// The first thing a new connection asks for, when its bytes arrive one by one.
fn first_step(bytes: &[u8], offers_tls: bool) -> Option<Step> {
    let mut opening = Opening::new(offers_tls);
    (0..=bytes.len()).find_map(|end| match opening.step(bytes.get(..end)?) {
        Ok(Step::Incomplete) => None,
        step => Some(step.ok()),
    })?
}

/// A startup packet is rewritten to one that says the same, but for who the client is.
pub fn startup(bytes: &[u8]) {
    let Some(startup) = Startup::parse(bytes) else { return };
    let _ =
        (startup.database(), startup.user(), startup.is_replication(), startup.mentions_context());
    let stripped = startup.stripped();
    assert!(stripped.len() <= bytes.len().max(9));
    let once = Startup::parse(&stripped).expect("it is well-formed");
    assert_eq!(once.stripped(), stripped, "nothing is left to remove");
    let ours = |name: &[u8]| name.eq_ignore_ascii_case(b"pgtrack.ctx");
    let kept = startup.parameters().filter(|(name, _)| !ours(name));
    assert!(kept.map(|(name, _)| name).eq(once.parameters().map(|(name, _)| name)));
    let unchanged = |(name, _): &(&[u8], &[u8])| *name != b"options" && !ours(name);
    assert!(
        startup.parameters().filter(unchanged).eq(once.parameters().filter(unchanged)),
        "a value has changed"
    );

    let session = SessionId::random().expect("the system has random numbers");
    let context = SessionContext { client: None, session }.to_string();
    if let Some(with_context) = startup.with_context(&context) {
        assert!(with_context.len() <= MAX_PACKET_BYTES as usize);
        let parsed = Startup::parse(&with_context).expect("it is well-formed");
        let last = parsed.parameters().last();
        assert_eq!(last, Some((b"pgtrack.ctx".as_slice(), context.as_bytes())));
    }
}

/// However the bytes of a client are split, they mean the same.
pub fn frontend(stream: &[u8], cuts: &[u8]) {
    same_events(stream, cuts);
    same_activity(stream, cuts, |scanner, part, activity| {
        scanner.scan(part, &mut FromClient(activity));
    });
}

/// However the bytes of a server are split, they mean the same.
pub fn backend(stream: &[u8], cuts: &[u8]) {
    same_events(stream, cuts);
    same_activity(stream, cuts, |scanner, part, activity| {
        scanner.scan(part, &mut FromUpstream(activity));
    });
    let whole = refusal::judge(stream, 1000);
    for end in 0..stream.len() {
        let early = refusal::judge(&stream[..end], 1000);
        assert!(early == refusal::Verdict::Incomplete || early == whole);
    }
}

/// No message of an authentication brings the proxy down, and what it understands it can write.
pub fn authentication(message: &[u8]) {
    let _ = (sasl::message_length(message), sasl::response_data(message));
    let demand = Demand::parse(message);
    if demand != Demand::Other {
        assert_eq!(Demand::parse(&demand.encode()), demand);
    }
    if let Some(initial) = InitialResponse::parse(message) {
        assert_eq!(InitialResponse::parse(&initial.encode()), Some(initial));
    }
    if let Ok(text) = std::str::from_utf8(message) {
        let _ = Verifier::parse(text);
    }
    let random = Randomness { client_nonce: [0; 18], server_nonce: [0; 18], wrong_proof: [0; 32] };
    let first = ClientFirst::parse(message).or_else(|| ClientFirst::parse(b"n,,n=,r=x"));
    let bridge = first.map(|first| Bridge::new(&first, None, None, random));
    let Some(Ok(mut bridge)) = bridge else { return };
    // In the order of a session, after a good start, and without any.
    let _ = bridge.prove(message, None);
    let _ = bridge.challenge(b"r=AAAAAAAAAAAAAAAAAAAAAAAAserver,s=c2FsdA==,i=4096");
    let _ = bridge.prove(message, None);
    let _ = bridge.challenge(message);
    assert!(bridge.sign(message).is_err(), "nothing was proved");
}

/// The events of a stream; the bodies of messages with an odd tag are shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Events(Vec<(u8, u32, Vec<u8>)>);

impl Observer for Events {
    fn message(&mut self, tag: u8, body_bytes: u32) -> Body {
        self.0.push((tag, body_bytes, Vec::new()));
        if tag % 2 == 1 { Body::Show } else { Body::Skip }
    }

    fn body(&mut self, part: &[u8]) {
        self.0.last_mut().expect("a body has a message").2.extend_from_slice(part);
    }

    fn opaque(&mut self) {
        self.0.push((0, u32::MAX, Vec::new()));
    }
}

fn same_events(stream: &[u8], cuts: &[u8]) {
    let events = |parts: &[&[u8]]| {
        let (mut scanner, mut events) = (Scanner::new(), Events::default());
        for part in parts {
            scanner.scan(part, &mut events);
        }
        (events, scanner.is_at_boundary())
    };
    let whole = events(&[stream]);
    assert_eq!(events(&split(stream, cuts)), whole);
    let shown: usize = whole.0.0.iter().map(|(_, _, body)| body.len()).sum();
    assert!(shown <= stream.len());
}

fn same_activity(stream: &[u8], cuts: &[u8], scan: fn(&mut Scanner, &[u8], &mut Activity)) {
    let state = |parts: &[&[u8]]| {
        let (mut scanner, mut activity) = (Scanner::new(), Activity::new(None, None));
        for part in parts {
            scan(&mut scanner, part, &mut activity);
        }
        (activity.is_idle(), activity.client_messages, activity.upstream_messages)
    };
    assert_eq!(state(&split(stream, cuts)), state(&[stream]));
}

/// Splits a stream into parts of these lengths, over and over.
fn split<'a>(mut stream: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut lengths = cuts.iter().cycle().map(|cut| usize::from(*cut) % 32 + 1);
    let mut parts = Vec::new();
    while !stream.is_empty() {
        let length = lengths.next().unwrap_or(1).min(stream.len());
        let (part, rest) = stream.split_at(length);
        parts.push(part);
        stream = rest;
    }
    parts
}

#[cfg(test)]
mod tests;
