//! A row by its key, linked to its history; where the key is hidden, it leads nowhere.

use maud::{Markup, html};
use pgtrack_tracker::RowKey;

use crate::rules;
use crate::visit::Visit;
use crate::words::Shared;

/// Whether a part of the key is hidden.
pub(crate) fn is_hidden(key: &RowKey) -> bool {
    key.0.values().any(rules::is_hidden)
}

/// The key as a link.
pub(crate) fn link(visit: &Visit, table: &str, key: &RowKey) -> Markup {
    if !is_hidden(key) {
        return html! { a.key href=(visit.links().row(table, key)) { (key) } };
    }
    let shown = key.0.iter().map(|(name, value)| {
        let value = if rules::is_hidden(value) {
            (*visit.say(Shared::HiddenValue)).into()
        } else {
            value.clone()
        };
        (name.clone(), value)
    });
    html! { span.key { (RowKey(shown.collect())) } }
}
