//! Frames messages in place: finds where each one begins in a stream of bytes, however that is split.
//!
//! Keeps at most five bytes and a counter, so its memory does not depend on the size of a message.
//! Bodies are skipped unless the observer asks for one.

use super::LENGTH_FIELD_BYTES;

/// The tag and the length field; manual, "Message Formats".
const HEADER_BYTES: usize = 5;

/// Learns what is in one direction of a session. It cannot change it.
pub(crate) trait Observer {
    /// A message begins; its body will have `body_bytes`. Says what to do with that.
    fn message(&mut self, tag: u8, body_bytes: u32) -> Body;

    /// The next part of a body that was asked for. How it is split says nothing.
    fn body(&mut self, part: &[u8]);

    /// The stream is no longer understood. There will be no further calls.
    fn opaque(&mut self);
}

/// Observes nothing.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn message(&mut self, _tag: u8, _body_bytes: u32) -> Body {
        Body::Skip
    }

    fn body(&mut self, _part: &[u8]) {}

    fn opaque(&mut self) {}
}

/// What an observer wants of the body of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Show,
    Skip,
}

/// Where in the stream the scanner is.
#[derive(Debug)]
enum Place {
    /// Between messages, or in the header of which `have` bytes have come.
    Header { bytes: [u8; HEADER_BYTES], have: usize },
    /// In a body of which `remaining` bytes are still to come; never 0.
    Body { remaining: usize, body: Body },
    /// Behind a length that no message has.
    Opaque,
}

/// The framing of one direction of a session.
#[derive(Debug)]
pub(crate) struct Scanner {
    place: Place,
}

impl Scanner {
    /// Begins at the start of a message.
    pub(crate) fn new() -> Self {
        Self { place: Place::BOUNDARY }
    }

    /// Whether the last message is complete and the next has not begun.
    pub(crate) fn is_at_boundary(&self) -> bool {
        matches!(self.place, Place::Header { have: 0, .. })
    }

    /// Reports what is in the next bytes of the stream.
    pub(crate) fn scan(&mut self, mut bytes: &[u8], observer: &mut impl Observer) {
        while !bytes.is_empty() {
            let count = self.step(bytes, observer);
            bytes = bytes.get(count..).unwrap_or_default();
        }
    }

    /// Reports what is in the next bytes, up to the end of a header or of a body at most, or of a run of messages of one
    /// kind whose bodies are skipped. Returns how many those are.
    pub(crate) fn step(&mut self, bytes: &[u8], observer: &mut impl Observer) -> usize {
        match &mut self.place {
            Place::Body { remaining, body } => {
                let (part, _) = bytes.split_at_checked(*remaining).unwrap_or((bytes, &[]));
                if *body == Body::Show {
                    observer.body(part);
                }
                *remaining = remaining.saturating_sub(part.len());
                if *remaining == 0 {
                    self.place = Place::BOUNDARY;
                }
                part.len()
            }
            Place::Header { have: 0, .. } if let Some(header) = bytes.first_chunk() => {
                self.place = begin(*header, observer);
                HEADER_BYTES.saturating_add(self.skip_run(
                    header[0],
                    bytes.get(HEADER_BYTES..).unwrap_or_default(),
                    observer,
                ))
            }
            Place::Header { bytes: header, have } => {
                let free = header.get_mut(*have..).unwrap_or_default();
                let count = free.len().min(bytes.len());
                for (slot, byte) in free.iter_mut().zip(bytes) {
                    *slot = *byte;
                }
                *have = have.saturating_add(count);
                if *have == HEADER_BYTES {
                    self.place = begin(*header, observer);
                }
                count
            }
            Place::Opaque => bytes.len(),
        }
    }

    /// Skips the body that has begun, if it is here, and whole messages of the same kind behind it: there may be
    /// hundreds of rows in a read.
    fn skip_run(&mut self, kind: u8, bytes: &[u8], observer: &mut impl Observer) -> usize {
        let mut rest = bytes;
        while let Place::Body { remaining, body: Body::Skip } = self.place
            && let Some(behind) = rest.get(remaining..)
        {
            rest = behind;
            self.place = Place::BOUNDARY;
            if let Some((header, body)) = rest.split_first_chunk()
                && header[0] == kind
            {
                rest = body;
                self.place = begin(*header, observer);
            }
        }
        bytes.len().saturating_sub(rest.len())
    }
}

impl Place {
    const BOUNDARY: Self = Self::Header { bytes: [0; HEADER_BYTES], have: 0 };
}

/// Reads a complete header. There may be hundreds in a read.
#[inline]
fn begin([tag, length @ ..]: [u8; HEADER_BYTES], observer: &mut impl Observer) -> Place {
    // `pq_getmessage` (`pqcomm.c`) reads a signed length and gives up on one below its own size.
    let body_bytes = u32::try_from(i32::from_be_bytes(length))
        .ok()
        .and_then(|length| length.checked_sub(LENGTH_FIELD_BYTES));
    match body_bytes {
        None => {
            observer.opaque();
            Place::Opaque
        }
        Some(body_bytes) => match observer.message(tag, body_bytes) {
            _ if body_bytes == 0 => Place::BOUNDARY,
            body => Place::Body { remaining: body_bytes as usize, body },
        },
    }
}

#[cfg(test)]
mod tests;
