//! Decides how far bytes that were read may go.

use std::task::{Context, Poll};

use super::activity::{Activity, FromClient, FromUpstream};
use crate::protocol::scanner::Scanner;
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

/// How closely the messages of a session are looked at.
pub(super) enum Look {
    /// Only for what the session is doing.
    Glance {
        client: Scanner,
        server: Scanner,
    },
    Watch(Box<SessionWatch>),
}

impl Look {
    /// Begins behind the startup packet.
    pub(super) fn glance() -> Self {
        Self::Glance { client: Scanner::new(), server: Scanner::new() }
    }

    /// Whether the client's last message is complete.
    pub(super) fn is_client_at_boundary(&self) -> bool {
        match self {
            Self::Glance { client, .. } => client.is_at_boundary(),
            Self::Watch(watch) => watch.is_client_at_boundary(),
        }
    }

    /// Whether the server's last message is complete.
    pub(super) fn is_server_at_boundary(&self) -> bool {
        match self {
            Self::Glance { server, .. } => server.is_at_boundary(),
            Self::Watch(watch) => watch.is_server_at_boundary(),
        }
    }
}

/// From the client.
pub(super) struct ClientGate<'a> {
    pub(super) look: &'a mut Look,
    pub(super) activity: &'a mut Activity,
}

impl Gate for ClientGate<'_> {
    fn poll_pass(
        &mut self,
        cx: &mut Context<'_>,
        fresh: &mut [u8],
        is_last: bool,
    ) -> Poll<Option<Passage>> {
        let mut activity = FromClient(self.activity);
        match self.look {
            Look::Glance { client, .. } => {
                client.scan(fresh, &mut activity);
                Poll::Ready(Some(Passage::of(fresh.len())))
            }
            Look::Watch(watch) => watch
                .poll_client(cx, fresh, is_last, &mut activity)
                .map(|passed| passed.map(Passage::of)),
        }
    }
}

/// From the server.
pub(super) struct ServerGate<'a> {
    pub(super) look: &'a mut Look,
    pub(super) activity: &'a mut Activity,
}

impl Gate for ServerGate<'_> {
    fn poll_pass(
        &mut self,
        _cx: &mut Context<'_>,
        fresh: &mut [u8],
        is_last: bool,
    ) -> Poll<Option<Passage>> {
        let mut activity = FromUpstream(self.activity);
        Poll::Ready(Some(match self.look {
            Look::Glance { server, .. } => {
                server.scan(fresh, &mut activity);
                Passage::of(fresh.len())
            }
            Look::Watch(watch) => watch.server(fresh, is_last, &mut activity),
        }))
    }
}
