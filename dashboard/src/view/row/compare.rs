//! Any two versions of a row beside each other.

use maud::{Markup, html};

use super::{MOST_VERSIONS, RowHistory};
use crate::comparison::Image;
use crate::view::diff;
use crate::visit::Visit;

/// Two states of a row: their names, and their images if there was a row.
pub(crate) struct Compared<'a> {
    pub(crate) from: (String, Option<&'a Image>),
    pub(crate) to: (String, Option<&'a Image>),
}

pub(super) fn section(visit: &Visit, history: &RowHistory<'_>, compared: &Compared<'_>) -> Markup {
    let (from, to) = (word(&compared.from.0), word(&compared.to.0));
    let row = diff::Row { head: None, table: None, before: compared.from.1, after: compared.to.1 };
    let heads = diff::Heads { before: &from, after: &to };
    html! {
        section aria-labelledby="compared" {
            h2 #compared { (from) " compared with " (to) }
            @if compared.from.1 == compared.to.1 {
                p { "They do not differ." }
            } @else {
                (diff::table(visit, "What differs", heads, &[row], history.order))
            }
        }
    }
}

pub(super) fn form(visit: &Visit, history: &RowHistory<'_>) -> Markup {
    let chosen = history.compared.as_ref();
    html! {
        form.row-form method="get" action=(visit.links().row(history.name(), history.key)) {
            label { span { "Compare" } (select(history, "from", chosen.map_or("v1", |compared| &*compared.from.0))) }
            label { span { "with" } (select(history, "to", chosen.map_or("current", |compared| &*compared.to.0))) }
            button { "Compare" }
        }
    }
}

fn select(history: &RowHistory<'_>, name: &str, chosen: &str) -> Markup {
    let numbers = history.versions.iter().take(MOST_VERSIONS).filter_map(|one| one.number);
    let names = numbers.map(|number| format!("v{number}"));
    html! {
        select name=(name) {
            option value="current" selected[chosen == "current"] { "now" }
            @for name in names { option value=(name) selected[chosen == name] { (word(&name)) } }
            option value="v0" selected[chosen == "v0"] { "before version 1" }
        }
    }
}

/// What a state is called.
fn word(name: &str) -> String {
    match name.strip_prefix('v') {
        Some("0") => "before version 1".to_owned(),
        Some(number) => format!("version {number}"),
        None => "now".to_owned(),
    }
}
