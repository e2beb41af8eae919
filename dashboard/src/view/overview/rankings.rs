//! Where and by whom most was changed, and when in the day.

use std::collections::BTreeMap;

use maud::{Markup, html};
use pgtrack_tracker::activity::Count;

use crate::search::{Search, Span};
use crate::view::{ranking, time};
use crate::visit::Visit;
use crate::words::activity::Text;

/// The heat map's shades, besides none.
const SHADES: i64 = 5;

pub(super) fn sections(visit: &Visit, span: Span, counts: &[Count]) -> Markup {
    if counts.is_empty() {
        return html! {};
    }
    let since = Search::with("since", &span.from.to_string());
    let tables = ranking::sums(counts, |one| &one.table);
    let people = ranking::sums(counts, |one| &one.who);
    html! {
        div.columns {
            section.card { h2 { (visit.say(Text::TablesLastDay)) } (ranking::list(visit, &since, "table", &tables)) }
            section.card { h2 { (visit.say(Text::PeopleLastDay)) } (ranking::list(visit, &since, "who", &people)) }
        }
        (heat_map(visit, span, &tables, counts))
    }
}

/// Tables against time; the darker, the more rows were changed. Each square is a link.
fn heat_map(visit: &Visit, span: Span, tables: &[(&str, i64)], counts: &[Count]) -> Markup {
    let parts: Vec<_> = span.parts().collect();
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
                    @for (table, _) in tables.iter().take(ranking::MOST) {
                        tr {
                            th scope="row" { a.table href=(visit.links().table(table)) { (table) } }
                            @for at in &parts {
                                @match cells.get(&(*table, at.as_second())) {
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
