//! The portals of a session: statements that are bound and not yet given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;

use super::executed::{Executed, Outcome, Source, StatementText};
use super::judgement::RecordedCall;
use super::request::Name;

/// A bound statement. However often it is executed for more rows, it is one statement.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) text: Option<StatementText>,
    pub(super) parameters: u16,
    pub(super) calls: Option<Arc<[RecordedCall]>>,
    /// When it was first executed.
    pub(super) started: Option<Instant>,
    /// How long the server worked on it, in all executions.
    pub(super) busy: Duration,
    /// The rows of executions before the current one.
    pub(super) rows: u64,
    /// It was reported.
    pub(super) is_finished: bool,
}

#[derive(Debug)]
pub(super) struct Portals(LruCache<Name, Portal>);

impl Portals {
    pub(super) fn new() -> Self {
        Self(LruCache::unbounded())
    }

    /// Binds a portal; one of the same name is given up.
    pub(super) fn bind(
        &mut self,
        name: Name,
        text: Option<StatementText>,
        parameters: u16,
        max_count: usize,
    ) -> Vec<Executed> {
        let mut given_up: Vec<_> = self.close(&name).into_iter().collect();
        let portal = Portal {
            text,
            parameters,
            calls: None,
            started: None,
            busy: Duration::ZERO,
            rows: 0,
            is_finished: false,
        };
        self.0.put(name, portal);
        while self.0.len() > max_count
            && let Some((name, portal)) = self.0.pop_lru()
        {
            given_up.extend(portal.given_up(name));
        }
        given_up
    }

    pub(super) fn get(&mut self, name: &[u8]) -> Option<&mut Portal> {
        self.0.get_mut(name)
    }

    /// Gives a portal up; returns it if its rows were not all fetched.
    pub(super) fn close(&mut self, name: &[u8]) -> Option<Executed> {
        let (name, portal) = self.0.pop_entry(name)?;
        portal.given_up(name)
    }

    /// Gives all up, as the end of a transaction does.
    pub(super) fn close_all(&mut self) -> Vec<Executed> {
        let mut given_up = Vec::new();
        while let Some((name, portal)) = self.0.pop_lru() {
            given_up.extend(portal.given_up(name));
        }
        given_up
    }
}

impl Portal {
    /// Reports it once it is done.
    pub(super) fn finished(
        &self,
        name: Name,
        prepared: Option<StatementText>,
        outcome: Outcome,
    ) -> Option<Executed> {
        Some(Executed {
            text: self.text.clone(),
            prepared,
            source: Source::Extended { portal: name, parameters: self.parameters },
            started: self.started?,
            duration: self.busy,
            calls: self.calls.clone(),
            outcome,
        })
    }

    fn given_up(self, name: Name) -> Option<Executed> {
        if self.is_finished {
            return None;
        }
        self.finished(name, None, Outcome::Suspended { rows: self.rows })
    }
}
