//! A row as it was at a moment.

use jiff::Timestamp;
use maud::{Markup, html};

use super::RowHistory;
use crate::comparison::{Image, compare};
use crate::view::{diff, time};
use crate::visit::Visit;
use crate::words::rows::Text;
use crate::words::{Marked, Shared};

pub(super) fn form(visit: &Visit, history: &RowHistory<'_>) -> Markup {
    html! {
        form.row-form method="get" action=(visit.links().row(history.name(), history.key)) {
            label {
                span { (visit.say(Text::AsItWasAt(visit.preferences.zone_name()))) }
                input type="text" name="at" required value=[history.at.map(|at| at.0)] placeholder="2026-11-23 14:00";
            }
            button { (visit.say(Shared::ShowIt)) }
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
                    h2 #past { (visit.say(Text::NoSuchTime)) }
                    p { (visit.say(Text::NoTime(text))) }
                }
                (_, Some(at)) => {
                    h2 #past { (visit.say(Marked::RowAt(time::exact(visit, at)))) }
                    @match past(history, at) {
                        Past::Row(image) => (diff::image(visit, compare(Some(image), Some(image), history.order).unchanged.into_iter(), history.order)),
                        Past::None => p { (visit.say(Text::NoSuchRowThen)) },
                        Past::Unknown => p { (visit.say(Marked::TrackedOnlySince(time::exact(visit, history.table.since)))) },
                    }
                }
            }
        }
    }
}
