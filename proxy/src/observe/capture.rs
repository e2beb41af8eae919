//! Keeps the beginning of a message's body, however it is split.

use std::borrow::Cow;

#[derive(Debug, Default)]
pub(super) struct Capture {
    tag: u8,
    body_bytes: u32,
    /// A message has begun and is not complete. Bodies of others are shown, too.
    is_open: bool,
    remaining: u32,
    limit: usize,
    head: Vec<u8>,
}

/// A message of which the body has passed.
pub(super) struct Captured<'a> {
    pub(super) tag: u8,
    /// The length of the body, of which `head` may be only the beginning.
    pub(super) body_bytes: u32,
    pub(super) head: Cow<'a, [u8]>,
}

impl Capture {
    /// A message begins, of whose body at most `limit` bytes are of interest.
    pub(super) fn begin(&mut self, tag: u8, body_bytes: u32, limit: usize) {
        self.head.clear();
        self.is_open = true;
        (self.tag, self.body_bytes, self.remaining, self.limit) =
            (tag, body_bytes, body_bytes, limit);
    }

    /// Its body is of no interest at all.
    pub(super) fn skip_body(&mut self) {
        self.remaining = 0;
    }

    /// How many bytes of its body are still to come, if it is of this kind and not complete.
    pub(super) fn missing(&self, tag: u8) -> Option<usize> {
        (self.tag == tag && self.remaining > 0).then_some(self.remaining as usize)
    }

    /// The next part of the body; returns the message when this was the last.
    pub(super) fn extend<'a>(&mut self, part: &'a [u8]) -> Option<Captured<'a>> {
        let Self { tag, body_bytes, is_open, .. } = *self;
        if !is_open {
            return None;
        }
        if part.len() == body_bytes as usize {
            // Nearly always: there is nothing to put together.
            (self.remaining, self.is_open) = (0, false);
            let head = Cow::Borrowed(part.get(..self.limit).unwrap_or(part));
            return Some(Captured { tag, body_bytes, head });
        }
        let room = self.limit.saturating_sub(self.head.len()).min(part.len());
        self.head.extend_from_slice(part.get(..room).unwrap_or_default());
        self.remaining =
            self.remaining.saturating_sub(u32::try_from(part.len()).unwrap_or(u32::MAX));
        self.is_open = self.remaining > 0;
        (!self.is_open).then(|| {
            let head = Cow::Owned(std::mem::take(&mut self.head));
            Captured { tag, body_bytes, head }
        })
    }
}
