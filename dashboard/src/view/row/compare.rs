//! Any two versions of a row beside each other.

use std::borrow::Cow;

use maud::{Markup, html};

use super::{MOST_VERSIONS, RowHistory};
use crate::comparison::Image;
use crate::view::diff;
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::rows::Text;

/// Two states of a row: their names, and their images if there was a row.
pub(crate) struct Compared<'a> {
    pub(crate) from: (String, Option<&'a Image>),
    pub(crate) to: (String, Option<&'a Image>),
}

pub(super) fn section(visit: &Visit, history: &RowHistory<'_>, compared: &Compared<'_>) -> Markup {
    let (from, to) = (word(visit, &compared.from.0), word(visit, &compared.to.0));
    let row = diff::Row { head: None, table: None, before: compared.from.1, after: compared.to.1 };
    let heading = visit.say(Text::Compared { from: &from, to: &to });
    let heads = diff::Heads { before: from, after: to };
    html! {
        section aria-labelledby="compared" {
            h2 #compared { (heading) }
            @if compared.from.1 == compared.to.1 {
                p { (visit.say(Text::SameStates)) }
            } @else {
                (diff::table(visit, &visit.say(Text::WhatDiffers), &heads, &[row], history.order))
            }
        }
    }
}

pub(super) fn form(visit: &Visit, history: &RowHistory<'_>) -> Markup {
    let chosen = history.compared.as_ref();
    html! {
        form.row-form method="get" action=(visit.links().row(history.name(), history.key)) {
            label { span { (visit.say(Text::Compare)) } (select(visit, history, "from", chosen.map_or("v1", |compared| &*compared.from.0))) }
            label { span { (visit.say(Text::With)) } (select(visit, history, "to", chosen.map_or("current", |compared| &*compared.to.0))) }
            button { (visit.say(Text::Compare)) }
        }
    }
}

fn select(visit: &Visit, history: &RowHistory<'_>, name: &str, chosen: &str) -> Markup {
    let numbers = history.versions.iter().take(MOST_VERSIONS).filter_map(|one| one.number);
    let names = numbers.map(|number| format!("v{number}"));
    html! {
        select name=(name) {
            option value="current" selected[chosen == "current"] { (visit.say(Text::StateNow)) }
            @for name in names { option value=(name) selected[chosen == name] { (word(visit, &name)) } }
            option value="v0" selected[chosen == "v0"] { (visit.say(Text::BeforeVersion1)) }
        }
    }
}

/// What a state is called.
fn word(visit: &Visit, name: &str) -> Cow<'static, str> {
    match name.strip_prefix('v').and_then(|number| number.parse().ok()) {
        Some(0) => visit.say(Text::BeforeVersion1),
        Some(number) => visit.say(Shared::VersionNumber(number)),
        None => visit.say(Text::StateNow),
    }
}
