//! Knows which servers are primaries and which are standbys, by asking them over connections of our own: when
//! a server's answers to a client show it, that client has already authenticated there.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{debug, info};

use crate::{Config, ProvisionError, Upstream};

/// How often servers are asked when nothing happens.
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// What a server says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// It is in recovery: `pg_is_in_recovery()`.
    pub is_standby: bool,
    /// It refuses writes: it is in recovery, or `default_transaction_read_only` is on.
    pub is_read_only: bool,
}

/// Asks servers for their roles. Any function from a server to a future does.
pub trait ProbeRole: Send + Sync + 'static {
    /// Connects to this server and asks it.
    fn probe(
        &self,
        server: Upstream,
    ) -> Pin<Box<dyn Future<Output = Result<Role, ProvisionError>> + Send>>;
}

impl<F, Fut> ProbeRole for F
where
    F: Fn(Upstream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Role, ProvisionError>> + Send + 'static,
{
    fn probe(
        &self,
        server: Upstream,
    ) -> Pin<Box<dyn Future<Output = Result<Role, ProvisionError>> + Send>> {
        Box::pin(self(server))
    }
}

/// What was last known of each server whose role matters.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    /// `None` for a server that did not answer. One that has not been asked yet is absent.
    known: Mutex<HashMap<Upstream, Option<Role>>>,
    rounds: watch::Sender<Rounds>,
    /// Asks for a round now.
    wanted: Notify,
}

/// How often all servers were asked.
#[derive(Debug, Default)]
struct Rounds {
    begun: u64,
    ended: u64,
}

impl Roles {
    pub(crate) fn of(&self, server: &Upstream) -> Option<Role> {
        self.known().get(server).copied().flatten()
    }

    /// Every server that is asked, with its last answer.
    pub(crate) fn all(&self) -> Vec<(Upstream, Option<Role>)> {
        self.known().iter().map(|(server, role)| (server.clone(), *role)).collect()
    }

    /// Waits until each of these servers was asked once, or until a deadline.
    pub(crate) async fn first_answers(&self, servers: &[Upstream], deadline: Instant) {
        let mut rounds = self.rounds.subscribe();
        let _ = timeout_at(deadline, rounds.wait_for(|_| self.have_asked(servers))).await;
    }

    /// Has all servers asked again, and waits for the answers until a deadline.
    pub(crate) async fn refresh(&self, deadline: Instant) {
        let mut rounds = self.rounds.subscribe();
        // What is being asked right now may have been answered before whatever made the caller doubt.
        let next = rounds.borrow().begun + 1;
        self.wanted.notify_one();
        let _ = timeout_at(deadline, rounds.wait_for(|rounds| rounds.ended >= next)).await;
    }

    /// Asks, again and again, all servers of the configuration whose role matters. Never ends.
    pub(crate) async fn keep_probing(&self, config: Arc<Config>, probe: Arc<dyn ProbeRole>) {
        let servers = config.servers_with_roles();
        self.known().retain(|server, _| servers.contains(server));
        if servers.is_empty() {
            return std::future::pending().await;
        }
        loop {
            self.rounds.send_modify(|rounds| rounds.begun += 1);
            let mut asked = JoinSet::new();
            for server in servers.clone() {
                let probe = Arc::clone(&probe);
                let within = config.connect_timeout;
                asked.spawn(async move {
                    let answer = timeout(within, probe.probe(server.clone())).await;
                    (server, answer.unwrap_or_else(|elapsed| Err(elapsed.into())))
                });
            }
            while let Some(answered) = asked.join_next().await {
                if let Ok((server, answer)) = answered {
                    self.learn(server, answer);
                }
            }
            self.rounds.send_modify(|rounds| rounds.ended = rounds.begun);
            tokio::select! {
                () = sleep(PROBE_EVERY) => {}
                () = self.wanted.notified() => {}
            }
        }
    }

    fn have_asked(&self, servers: &[Upstream]) -> bool {
        let known = self.known();
        servers.iter().all(|server| known.contains_key(server))
    }

    fn learn(&self, server: Upstream, answer: Result<Role, ProvisionError>) {
        if let Err(error) = &answer {
            debug!(%server, error = error.as_ref() as &dyn std::error::Error, "no role known");
        }
        let role = answer.ok();
        let mut known = self.known();
        if known.get(&server) != Some(&role) {
            info!(%server, role = role.map_or("unreachable", Role::name), "role of a server");
            known.insert(server, role);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Upstream, Option<Role>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Role {
    /// What a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self { is_standby: true, .. } => "standby",
            Self { is_read_only: true, .. } => "read-only primary",
            Self { .. } => "primary",
        }
    }
}
