//! Where and by whom most was changed, and when in the day.

use std::collections::BTreeMap;

use maud::{Markup, html};
use pgtrack_tracker::activity::Count;

use crate::search::{Search, Span};
use crate::view::number::{grouped, length};
use crate::view::time;
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::activity::Text;

/// How many tables and people are named.
const MOST: usize = 8;
/// The heat map's shades, besides none.
const SHADES: i64 = 5;

pub(super) fn sections(visit: &Visit, span: Span, counts: &[Count]) -> Markup {
    if counts.is_empty() {
        return html! {};
    }
    html! {
        div.columns {
            section.card { h2 { (visit.say(Text::TablesLastDay)) } (ranking(visit, span, "table", counts, |one| &one.table)) }
            section.card { h2 { (visit.say(Text::PeopleLastDay)) } (ranking(visit, span, "who", counts, |one| &one.who)) }
        }
        (heat_map(visit, span, counts))
    }
}

fn sums(counts: &[Count], by: fn(&Count) -> &String) -> Vec<(&str, i64)> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for count in counts {
        *sums.entry(by(count)).or_default() += count.rows;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, rows)| -rows);
    sums
}

fn ranking(
    visit: &Visit,
    span: Span,
    parameter: &'static str,
    counts: &[Count],
    by: fn(&Count) -> &String,
) -> Markup {
    let sums = sums(counts, by);
    let most = sums.first().map_or(1, |one| one.1).max(1);
    let since = Search::with("since", &span.from.to_string());
    html! {
        ol.ranking {
            @for (name, rows) in sums.iter().take(MOST) {
                li {
                    a href=(visit.links().changes(&since.and(parameter, name))) { (name) }
                    meter min="0" max=(most) value=(rows) aria-hidden="true" {}
                    span.number { (grouped(visit, *rows)) }
                }
            }
            @if sums.len() > MOST { li.note { (visit.say(Shared::AndMore(length(sums.len() - MOST)))) } }
        }
    }
}

/// Tables against time; the darker, the more rows were changed. Each square is a link.
fn heat_map(visit: &Visit, span: Span, counts: &[Count]) -> Markup {
    let parts: Vec<_> = span.parts().collect();
    let tables: Vec<&str> =
        sums(counts, |one| &one.table).iter().take(MOST).map(|one| one.0).collect();
    let mut cells: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for count in counts {
        *cells.entry((&count.table, count.at.as_second())).or_default() += count.rows;
    }
    let most = cells.values().copied().max().unwrap_or(1).max(1);
    html! {
        section.heat aria-labelledby="heat" {
            h2 #heat { (visit.say(Text::WhenHeading)) }
            table {
                caption.hidden { (visit.say(Text::RowsByTableAndTime)) }
                tbody {
                    @for table in tables {
                        tr {
                            th scope="row" { a.table href=(visit.links().table(table)) { (table) } }
                            @for at in &parts {
                                @match cells.get(&(table, at.as_second())) {
                                    None => td {},
                                    Some(rows) => {
                                        @let label = visit.say(Text::RowsOfTableAt { table, at: &time::text(visit, *at), rows: *rows });
                                        @let end = at.checked_add(span.width).unwrap_or(span.to);
                                        @let inside = Search::with("table", table).and("since", &at.to_string()).and("until", &end.to_string());
                                        td.{ "heat-" (shade(*rows, most)) } { a href=(visit.links().changes(&inside)) title=(label) aria-label=(label) {} }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// From 1 to [`SHADES`], by the order of magnitude: a single row can be seen beside a million.
fn shade(rows: i64, most: i64) -> i64 {
    let digits = |number: i64| i64::from(number.max(1).ilog2()) + 1;
    (digits(rows) * SHADES).div_euclid(digits(most)).clamp(1, SHADES)
}

#[cfg(test)]
mod tests {
    use super::shade;

    #[test]
    fn shades_follow_the_order_of_magnitude() {
        assert_eq!(shade(1, 1_000_000), 1);
        assert_eq!(shade(1_000, 1_000_000), 2);
        assert_eq!(shade(1_000_000, 1_000_000), 5);
        assert_eq!(shade(1, 1), 5);
    }
}
