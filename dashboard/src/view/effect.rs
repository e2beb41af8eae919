//! What was or would be done to rows, each as a sign, a word and a colour: never by colour alone.

use std::borrow::Cow;

use maud::{Markup, html};
use pgtrack_tracker::revert::Action;
use pgtrack_tracker::{Effect, Operation, Reverts};

use super::number::length;
use crate::visit::Visit;
use crate::words::activity::Text;
use crate::words::{Shared, plan};

/// More tables than this are summed up.
const MANY: usize = 8;

/// A sign, a word, and the class that gives the colour.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) class: &'static str,
    pub(crate) sign: &'static str,
    pub(crate) word: Cow<'static, str>,
}

/// What was done.
pub(crate) fn done(visit: &Visit, operation: Operation) -> Mark {
    let (class, sign) = look(operation);
    Mark { class, sign, word: visit.say(Shared::Done(operation)) }
}

/// What was done to so many rows.
pub(crate) fn rows_done(visit: &Visit, rows: i64, operation: Operation) -> Mark {
    let (class, sign) = look(operation);
    Mark { class, sign, word: visit.say(Text::RowsDone(rows, operation)) }
}

fn look(operation: Operation) -> (&'static str, &'static str) {
    match operation {
        Operation::Insert => ("insert", "+"),
        Operation::Update => ("update", "~"),
        Operation::Delete | Operation::Truncate => ("delete", "−"),
    }
}

/// What would be done.
pub(crate) fn planned(visit: &Visit, action: Action) -> Mark {
    let (class, sign) = match action {
        Action::Insert => ("insert", "+"),
        Action::Update => ("update", "~"),
        Action::Delete => ("delete", "−"),
        Action::Nothing => ("nothing", "="),
    };
    Mark { class, sign, word: visit.say(plan::Text::Planned(action)) }
}

/// The sign and its word.
pub(crate) fn mark(mark: &Mark) -> Markup {
    html! {
        span.mark.(mark.class) { span.sign aria-hidden="true" { (mark.sign) } " " (mark.word) }
    }
}

/// What a transaction did, table by table.
pub(crate) fn effects(visit: &Visit, effects: &[Effect]) -> Markup {
    html! {
        ul.effects {
            @for effect in effects.iter().take(MANY) {
                li {
                    a.table href=(visit.links().table(&effect.table)) { (effect.table) } " "
                    (mark(&rows_done(visit, effect.rows, effect.operation)))
                }
            }
            @if effects.len() > MANY { li.note { (visit.say(Shared::AndMore(length(effects.len() - MANY)))) } }
        }
    }
}

/// Says that a transaction undid another one.
pub(crate) fn undo_badge(visit: &Visit, reverts: &Reverts) -> Markup {
    let text = html! {
        span.sign aria-hidden="true" { "↶" } " " (visit.say(Text::UndoOf(reverts)))
    };
    html! {
        @match reverts {
            Reverts::Transaction(xid) | Reverts::ChangeOf(xid) => {
                a.badge.undo href=(visit.links().transaction(*xid)) { (text) }
            }
            Reverts::Other(_) => { span.badge.undo { (text) } }
        }
    }
}
