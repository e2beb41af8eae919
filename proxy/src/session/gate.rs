//! Decides how far bytes that were read may go.

use std::task::{Context, Poll};

use crate::watch::SessionWatch;

/// What to do with the first bytes of those that have not passed yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passage {
    /// So many pass.
    pub(crate) pass: usize,
    /// Then these bytes are added.
    pub(crate) insert: Vec<u8>,
    /// Then so many are left out.
    pub(crate) drop: usize,
}

impl Passage {
    /// So many pass, and that is all.
    pub(crate) fn of(pass: usize) -> Self {
        Self { pass, ..Self::default() }
    }

    /// Whether there must be more bytes before any of them passes.
    pub(super) fn is_nothing(&self) -> bool {
        self.pass == 0 && self.drop == 0 && self.insert.is_empty()
    }
}

/// Looks at one direction of a session.
pub(super) trait Gate {
    /// Looks at bytes that have not passed yet; `is_last` when no more will come.
    /// `None`: the session cannot go on.
    fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        fresh: &mut [u8],
        is_last: bool,
    ) -> Poll<Option<Passage>>;
}

/// From a client that is watched, or not.
pub(super) struct ClientGate<'a>(pub(super) Option<&'a mut SessionWatch>);

impl Gate for ClientGate<'_> {
    fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        fresh: &mut [u8],
        is_last: bool,
    ) -> Poll<Option<Passage>> {
        match &mut self.0 {
            None => Poll::Ready(Some(Passage::of(fresh.len()))),
            Some(watch) => watch.poll_client(cx, fresh, is_last).map(|c| c.map(Passage::of)),
        }
    }
}

/// From the server.
pub(super) struct ServerGate<'a>(pub(super) Option<&'a mut SessionWatch>);

impl Gate for ServerGate<'_> {
    fn poll_pass(
        &mut self,
        _cx: &mut Context<'_>,
        fresh: &mut [u8],
        is_last: bool,
    ) -> Poll<Option<Passage>> {
        Poll::Ready(Some(match &mut self.0 {
            None => Passage::of(fresh.len()),
            Some(watch) => watch.server(fresh, is_last),
        }))
    }
}
