//! What the changes of the chart have in common and what not: a click narrows the filter.

use maud::{Markup, html};
use pgtrack_tracker::activity::Count;

use crate::search::Search;
use crate::tally::Tallied;
use crate::view::ranking;
use crate::visit::Visit;
use crate::words::activity::Text;

/// A parameter of the filter, what its list is called, and what it counts.
type Facet = (&'static str, Text<'static>, fn(&Count) -> &str);

const FACETS: [Facet; 3] = [
    ("table", Text::FacetTables, |one| &one.table),
    ("op", Text::FacetOperations, |one| one.operation.word()),
    ("who", Text::FacetPeople, |one| &one.who),
];

/// Nothing where nothing could be narrowed, or where it was not counted in time.
pub(super) fn section(visit: &Visit, search: &Search, tallied: &Tallied) -> Markup {
    let Tallied::Known(counts) = tallied else { return html! {} };
    let facets = FACETS.map(|(parameter, label, by)| (parameter, label, ranking::sums(counts, by)));
    let facets: Vec<_> = facets.into_iter().filter(|(_, _, sums)| sums.len() > 1).collect();
    html! {
        @if !facets.is_empty() {
            details.facets {
                summary { (visit.say(Text::NarrowDown)) }
                div.columns {
                    @for (parameter, label, sums) in &facets {
                        section.card {
                            h3 { (visit.say(label)) }
                            (ranking::list(visit, search, parameter, sums))
                        }
                    }
                }
            }
        }
    }
}
