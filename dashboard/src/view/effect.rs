//! What was or would be done to rows, each as a sign, a word and a colour: never by colour alone.

use maud::{Markup, html};
use pgtrack_tracker::revert::Action;
use pgtrack_tracker::{Effect, Operation, Reverts};

use super::number::grouped;
use crate::links::Links;

/// More tables than this are summed up.
const MANY: usize = 8;

/// A sign, a word, and the class that gives the colour.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) class: &'static str,
    pub(crate) sign: &'static str,
    pub(crate) word: &'static str,
}

/// What was done.
pub(crate) fn done(operation: Operation) -> Mark {
    match operation {
        Operation::Insert => Mark { class: "insert", sign: "+", word: "inserted" },
        Operation::Update => Mark { class: "update", sign: "~", word: "updated" },
        Operation::Delete => Mark { class: "delete", sign: "−", word: "deleted" },
        Operation::Truncate => Mark { class: "delete", sign: "−", word: "truncated" },
    }
}

/// What would be done.
pub(crate) fn planned(action: Action) -> Mark {
    match action {
        Action::Insert => Mark { class: "insert", sign: "+", word: "insert again" },
        Action::Update => Mark { class: "update", sign: "~", word: "set back" },
        Action::Delete => Mark { class: "delete", sign: "−", word: "delete" },
        Action::Nothing => Mark { class: "nothing", sign: "=", word: "leave as it is" },
    }
}

/// The sign and its word.
pub(crate) fn mark(mark: Mark) -> Markup {
    html! {
        span.mark.(mark.class) { span.sign aria-hidden="true" { (mark.sign) } " " (mark.word) }
    }
}

/// What a transaction did, table by table.
pub(crate) fn effects(effects: &[Effect], links: Links<'_>) -> Markup {
    html! {
        ul.effects {
            @for effect in effects.iter().take(MANY) {
                @let mark = done(effect.operation);
                li {
                    a.table href=(links.table(&effect.table)) { (effect.table) } " "
                    span.mark.(mark.class) {
                        span.sign aria-hidden="true" { (mark.sign) } " " (grouped(effect.rows)) " " (mark.word)
                    }
                }
            }
            @if effects.len() > MANY { li.note { "and " (effects.len() - MANY) " more" } }
        }
    }
}

/// Says that a transaction undid another one.
pub(crate) fn undo_badge(reverts: &Reverts, links: Links<'_>) -> Markup {
    let sign = html! { span.sign aria-hidden="true" { "↶" } };
    html! {
        @match reverts {
            Reverts::Transaction(xid) => {
                a.badge.undo href=(links.transaction(*xid)) { (sign) " Undo of transaction " (xid) }
            }
            Reverts::ChangeOf(xid) => {
                a.badge.undo href=(links.transaction(*xid)) { (sign) " Undo of a change in transaction " (xid) }
            }
            Reverts::Other(what) if ["changes ", "transactions ", "where "].iter().any(|one| what.starts_with(one)) => {
                span.badge.undo { (sign) " Undo of " (what) }
            }
            Reverts::Other(what) => { span.badge.undo { (sign) " Revert to " (what) } }
        }
    }
}
