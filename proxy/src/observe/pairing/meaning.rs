//! What the names of portals and statements mean at the present place of the pipeline.

use std::sync::Arc;

use super::Pairing;
use crate::observe::bound::Bound;
use crate::observe::executed::StatementText;
use crate::observe::judgement::Judgement;
use crate::observe::request::{Name, Request};
use crate::observe::words::{Verb, verb};

/// What a portal will execute.
pub(in crate::observe) struct Meaning {
    pub(in crate::observe) text: StatementText,
    pub(in crate::observe) values: Option<Arc<Bound>>,
    /// It is being executed already.
    pub(in crate::observe) is_begun: bool,
}

impl Pairing {
    /// What a portal will execute when the server gets to what is sent now.
    pub(in crate::observe) fn meaning_of(&mut self, portal: &[u8]) -> Option<Meaning> {
        let mut is_begun = false;
        let mut bound = None;
        let mut wanted: Option<&Name> = None;
        for request in self.pending.iter().rev() {
            match (request, wanted) {
                (Request::Execute { portal: name, .. }, None) if **name == *portal => {
                    is_begun = true;
                }
                (Request::Bind { portal: name, statement, values, .. }, None)
                    if **name == *portal =>
                {
                    (wanted, bound) = (Some(statement), values.clone());
                }
                (Request::Parse { statement, text, .. }, Some(name)) if statement == name => {
                    return Some(Meaning { text: text.clone()?, values: bound, is_begun });
                }
                _ => {}
            }
        }
        if let Some(name) = wanted.cloned() {
            return Some(Meaning { text: self.prepared.get(&name)?, values: bound, is_begun });
        }
        let portal = self.portals.get(portal)?;
        Some(Meaning {
            text: portal.text.clone()?,
            values: portal.values.clone(),
            is_begun: is_begun || portal.started.is_some(),
        })
    }

    /// Whether the parameters of a statement go into the record of a call.
    pub(in crate::observe) fn wants_values(&mut self, statement: &[u8]) -> bool {
        let mut pending = self.pending.iter().rev();
        let parsed = pending.find_map(|request| match request {
            Request::Parse { statement: name, text, .. } if **name == *statement => Some(text),
            _ => None,
        });
        let text = match parsed {
            Some(text) => text.clone(),
            None => self.prepared.get(statement),
        };
        let judgement = text.and_then(|text| text.judgement);
        let calls = |judgement: &Judgement| {
            judgement.runs.calls.iter().any(|call| !call.parameters.is_empty())
        };
        judgement.is_some_and(|judgement| calls(&judgement))
    }

    /// Whether this is `EXECUTE` in SQL, of a statement that is not known.
    pub(in crate::observe) fn executes_unknown(&mut self, text: &StatementText) -> bool {
        match verb(&text.head) {
            Some(Verb::Execute(name)) => self.prepared.get(&name).is_none(),
            _ => false,
        }
    }

    /// The text that `EXECUTE` in SQL would execute, if that was judged.
    pub(in crate::observe) fn executed_by_sql(
        &mut self,
        text: &StatementText,
    ) -> Option<StatementText> {
        let Verb::Execute(name) = verb(&text.head)? else { return None };
        self.prepared.get(&name).filter(|text| text.judgement.is_some())
    }
}
