//! Streams of messages, split anywhere.

use proptest::prelude::*;

use super::{Body, Observer, Scanner};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    Message(u8, u32),
    Body(Vec<u8>),
    Opaque,
}

/// Records the events of a stream; shows itself the bodies of messages with an upper-case tag.
#[derive(Default)]
struct Recorder(Vec<Event>);

impl Observer for Recorder {
    fn message(&mut self, tag: u8, body_bytes: u32) -> Body {
        self.0.push(Event::Message(tag, body_bytes));
        if tag.is_ascii_uppercase() { Body::Show } else { Body::Skip }
    }

    fn body(&mut self, part: &[u8]) {
        match self.0.last_mut() {
            Some(Event::Body(whole)) => whole.extend_from_slice(part),
            _ => self.0.push(Event::Body(part.to_vec())),
        }
    }

    fn opaque(&mut self) {
        self.0.push(Event::Opaque);
    }
}

fn events<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Scanner) {
    let mut scanner = Scanner::new();
    let mut recorder = Recorder::default();
    for part in parts {
        scanner.scan(part, &mut recorder);
    }
    (recorder.0, scanner)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], length.to_be_bytes().as_slice(), body].concat()
}

#[test]
fn messages_are_reported_with_the_bodies_that_were_asked_for() {
    let stream = [message(b'Z', b"I"), message(b'd', b"hidden"), message(b'S', b"")].concat();
    let (events, scanner) = events([stream.as_slice()]);
    let expected = [
        Event::Message(b'Z', 1),
        Event::Body(b"I".into()),
        Event::Message(b'd', 6),
        Event::Message(b'S', 0),
    ];
    assert_eq!(events, expected);
    assert!(scanner.is_at_boundary());
}

#[test]
fn a_stream_is_at_a_boundary_only_between_messages() {
    let stream = message(b'Q', b"select");
    for end in 0..=stream.len() {
        let (_, scanner) = events([&stream[..end]]);
        assert_eq!(scanner.is_at_boundary(), end == 0 || end == stream.len(), "{end}");
    }
}

#[test]
fn a_length_that_cannot_be_makes_the_stream_opaque() {
    for length in [0, 3, 0x8000_0000, u32::MAX] {
        let stream = [b"Q".as_slice(), &length.to_be_bytes(), &message(b'Z', b"I")].concat();
        let (events, scanner) = events([stream.as_slice()]);
        assert_eq!(events, [Event::Opaque], "{length}");
        assert!(!scanner.is_at_boundary());
    }
}

#[test]
fn the_largest_message_is_only_counted() {
    let header = [b"d".as_slice(), &i32::MAX.to_be_bytes()].concat();
    let (events, scanner) = events([header.as_slice(), &[0; 1000]]);
    assert_eq!(events, [Event::Message(b'd', 0x7fff_ffff - 4)]);
    assert!(!scanner.is_at_boundary());
}

/// Well-formed messages, now and then followed by bytes that mean nothing.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let body = proptest::collection::vec(any::<u8>(), 0..40);
    let well_formed = (any::<u8>(), body.clone()).prop_map(|(tag, body)| message(tag, &body));
    proptest::collection::vec(prop_oneof![9 => well_formed, 1 => body], 0..12)
        .prop_map(|messages| messages.concat())
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_events(
        stream in streams(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([stream.len()]) {
            parts.push(&stream[start..cut]);
            start = cut;
        }
        let whole = events([stream.as_slice()]).0;
        prop_assert_eq!(&events(parts).0, &whole);
        prop_assert_eq!(&events(stream.chunks(1)).0, &whole);
    }
}
