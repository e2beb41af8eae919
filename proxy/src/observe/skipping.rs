//! What the server ignores behind an error, up to the next `Sync`.

use std::collections::HashMap;
use std::time::Duration;

use super::executed::{Executed, Outcome, Source, StatementText};
use super::portal::Portals;
use super::prepared::Prepared;
use super::request::{Name, Request, calls};

/// What ignored messages would have prepared and bound: it names the statements that were not executed.
#[derive(Debug, Default)]
pub(super) struct Skipping {
    statements: HashMap<Name, Meaning>,
    portals: HashMap<Name, (Meaning, u16)>,
}

/// What a name would have meant.
#[derive(Debug, Clone)]
enum Meaning {
    /// The statement that failed. It was reported as such.
    TheFailed,
    Text(Option<StatementText>),
}

impl Skipping {
    /// The error came in answer to this message.
    pub(super) fn behind(failed: &Request) -> Self {
        let mut skipping = Self::default();
        match failed {
            Request::Parse { statement, .. } => {
                skipping.statements.insert(statement.clone(), Meaning::TheFailed);
            }
            Request::Bind { portal, .. } => {
                skipping.portals.insert(portal.clone(), (Meaning::TheFailed, 0));
            }
            _ => {}
        }
        skipping
    }

    /// Takes an ignored message; returns the statement that it would have executed.
    pub(super) fn skip(
        &mut self,
        request: Request,
        prepared: &mut Prepared,
        portals: &mut Portals,
    ) -> Option<Executed> {
        match request {
            Request::Parse { statement, text, .. } => {
                self.statements.insert(statement, Meaning::Text(text));
                None
            }
            Request::Bind { portal, statement, parameters, .. } => {
                let meaning = self.statements.get(&statement).cloned();
                let meaning = meaning.unwrap_or_else(|| Meaning::Text(prepared.get(&statement)));
                self.portals.insert(portal, (meaning, parameters));
                None
            }
            Request::Execute { portal, sent, errand } => {
                let bound = self.portals.get(&portal).cloned();
                let (meaning, parameters) = bound.unwrap_or_else(|| {
                    let known = portals.get(&portal);
                    let text = known.as_ref().and_then(|portal| portal.text.clone());
                    (Meaning::Text(text), known.map_or(0, |portal| portal.parameters))
                });
                let Meaning::Text(text) = meaning else { return None };
                Some(Executed {
                    text,
                    prepared: None,
                    source: Source::Extended { portal, parameters },
                    started: sent,
                    duration: Duration::ZERO,
                    calls: calls(errand.as_deref()).cloned(),
                    outcome: Outcome::Skipped,
                })
            }
            _ => None,
        }
    }
}
