//! A row as it was at a moment.

use jiff::Timestamp;
use maud::{Markup, html};

use super::RowHistory;
use crate::comparison::{Image, compare};
use crate::view::{diff, time};
use crate::visit::Visit;

pub(super) fn form(visit: &Visit, history: &RowHistory<'_>) -> Markup {
    html! {
        form.row-form method="get" action=(visit.links().row(history.name(), history.key)) {
            label {
                span { "As it was at (" (visit.preferences.zone_name()) ")" }
                input type="text" name="at" required value=[history.at.map(|at| at.0)] placeholder="2026-11-23 14:00";
            }
            button { "Show" }
        }
    }
}

/// What is known of a row at a moment.
enum Past<'a> {
    Row(&'a Image),
    None,
    Unknown,
}

fn past<'a>(history: &RowHistory<'a>, at: Timestamp) -> Past<'a> {
    // Newest first: the first one that is not later made the row what it was.
    let image = match history.versions.iter().find(|one| one.at <= at) {
        Some(one) => one.after.as_ref(),
        None if at < history.table.since => return Past::Unknown,
        None => history.versions.last().and_then(|first| first.before.as_ref()),
    };
    image.map_or(Past::None, Past::Row)
}

pub(super) fn section(
    visit: &Visit,
    history: &RowHistory<'_>,
    at: (&str, Option<Timestamp>),
) -> Markup {
    html! {
        section.card aria-labelledby="past" {
            @match at {
                (text, None) => {
                    h2 #past { "No such time" }
                    p { "“" (text) "” is no time. Write it as 2026-11-23 14:00." }
                }
                (_, Some(at)) => {
                    h2 #past { "The row at " (time::exact(at, &visit.clock)) }
                    @match past(history, at) {
                        Past::Row(image) => (diff::image(compare(Some(image), Some(image), history.order).unchanged.into_iter(), history.order)),
                        Past::None => p { "There was no such row." },
                        Past::Unknown => p { "That is not known: the table is tracked since " (time::exact(history.table.since, &visit.clock)) "." },
                    }
                }
            }
        }
    }
}
