//! The portals of a session: statements that are bound and not yet given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lru::LruCache;

use super::bound::Bound;
use super::executed::{Executed, Outcome, Source, StatementText};
use super::judgement::RecordedCall;
use super::request::Name;

/// A bound statement. However often it is executed for more rows, it is one statement.
#[derive(Debug)]
pub(super) struct Portal {
    pub(super) text: Option<StatementText>,
    pub(super) parameters: u16,
    pub(super) values: Option<Arc<Bound>>,
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

/// What a new portal has taken the place of.
pub(super) struct GivenUp {
    pub(super) records: Vec<Executed>,
    /// One of which something was known, for lack of room.
    pub(super) has_forgotten: bool,
}

/// By name. The unnamed one, which most clients use alone, has a place of its own.
#[derive(Debug, Default)]
pub(super) struct Portals {
    unnamed: Option<Box<Portal>>,
    /// `None` until there is one.
    named: Option<LruCache<Name, Portal>>,
}

impl Portals {
    /// Binds a portal; one of the same name is given up.
    pub(super) fn bind(
        &mut self,
        name: Name,
        text: Option<StatementText>,
        (parameters, values): (u16, Option<Arc<Bound>>),
        max_count: usize,
    ) -> GivenUp {
        let records = self.close(&name).into_iter().collect();
        let mut given_up = GivenUp { records, has_forgotten: false };
        let portal = Portal {
            text,
            parameters,
            values,
            calls: None,
            started: None,
            busy: Duration::ZERO,
            rows: 0,
            is_finished: false,
        };
        if name.is_empty() {
            self.unnamed = Some(Box::new(portal));
            return given_up;
        }
        let named = self.named.get_or_insert_with(LruCache::unbounded);
        named.put(name, portal);
        while named.len() > max_count
            && let Some((name, portal)) = named.pop_lru()
        {
            let judgement = portal.text.as_ref().and_then(|text| text.judgement.as_ref());
            given_up.has_forgotten |= judgement.is_some();
            given_up.records.extend(portal.given_up(name));
        }
        given_up
    }

    pub(super) fn get(&mut self, name: &[u8]) -> Option<&mut Portal> {
        if name.is_empty() {
            self.unnamed.as_deref_mut()
        } else {
            self.named.as_mut()?.get_mut(name)
        }
    }

    /// Gives a portal up; returns it if its rows were not all fetched.
    pub(super) fn close(&mut self, name: &[u8]) -> Option<Executed> {
        if name.is_empty() {
            return self.unnamed.take()?.given_up(Name::default());
        }
        let (name, portal) = self.named.as_mut()?.pop_entry(name)?;
        portal.given_up(name)
    }

    /// Gives all up, as the end of a transaction does.
    pub(super) fn close_all(&mut self) -> Vec<Executed> {
        if self.unnamed.is_none() && self.named.is_none() {
            return Vec::new();
        }
        let mut given_up: Vec<_> = self.close(&[]).into_iter().collect();
        if let Some(named) = &mut self.named {
            given_up.extend(
                std::iter::from_fn(|| named.pop_lru())
                    .filter_map(|(name, portal)| portal.given_up(name)),
            );
        }
        given_up
    }
}

impl Portal {
    /// Reports it once it is done.
    pub(super) fn finished(&self, name: Name, outcome: Outcome) -> Option<Executed> {
        Some(Executed {
            text: self.text.clone(),
            prepared: None,
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
        self.finished(name, Outcome::Suspended { rows: self.rows })
    }
}
