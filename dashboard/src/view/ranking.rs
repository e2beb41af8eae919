//! Of what most was changed: names with the number of rows, each a link to the changes behind it.

use std::collections::BTreeMap;

use maud::{Markup, html};
use pgtrack_tracker::activity::Count;

use super::number::{grouped, length};
use crate::search::Search;
use crate::visit::Visit;
use crate::words::Shared;

/// How many are named.
pub(super) const MOST: usize = 8;

/// The rows of each name, most first.
pub(super) fn sums(counts: &[Count], by: fn(&Count) -> &str) -> Vec<(&str, i64)> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for count in counts {
        *sums.entry(by(count)).or_default() += count.rows;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, rows)| -rows);
    sums
}

/// Each name narrows `search` by `parameter`.
pub(super) fn list(
    visit: &Visit,
    search: &Search,
    parameter: &'static str,
    sums: &[(&str, i64)],
) -> Markup {
    let most = sums.first().map_or(1, |one| one.1).max(1);
    html! {
        ol.ranking {
            @for (name, rows) in sums.iter().take(MOST) {
                li {
                    a href=(visit.links().changes(&search.only(parameter, name))) { (name) }
                    meter min="0" max=(most) value=(rows) aria-hidden="true" {}
                    span.number { (grouped(visit, *rows)) }
                }
            }
            @if sums.len() > MOST { li.note { (visit.say(Shared::AndMore(length(sums.len() - MOST)))) } }
        }
    }
}
