//! Charts as SVG. Every bar is a link to what it counts; the numbers are also in a table.

use jiff::Timestamp;
use maud::{Markup, html};
use pgtrack_tracker::Operation;
use pgtrack_tracker::activity::Count;

use super::number::grouped;
use super::time;
use crate::search::{Search, Span};
use crate::tally::Tallied;
use crate::visit::Visit;
use crate::words::activity::Text;
use crate::words::{Marked, Shared};

const WIDTH: i64 = 960;
const HEIGHT: i64 = 96;
/// From the bottom of a bar to its top.
const ORDER: [(Operation, &str); 3] =
    [(Operation::Insert, "insert"), (Operation::Update, "update"), (Operation::Delete, "delete")];

/// One bar.
struct Part {
    at: Timestamp,
    /// Rows inserted, updated and deleted.
    rows: [i64; 3],
}

impl Part {
    fn sum(&self) -> i64 {
        self.rows.iter().sum()
    }
}

/// The chart of a search, or why there is none; `beginning` is that of the history.
pub(crate) fn section(
    visit: &Visit,
    search: &Search,
    span: Span,
    tallied: &Tallied,
    beginning: Option<Timestamp>,
) -> Markup {
    html! {
        section.chart aria-label=(visit.say(Text::RowChangesOverTime)) {
            @match tallied {
                Tallied::Known(counts) => (bars(visit, search, span, counts, beginning)),
                Tallied::Pending => p.note { (visit.say(Text::BeingCounted)) " " a href=(visit.here) { (visit.say(Text::ShowChart)) } },
                Tallied::Failed => p.note { (visit.say(Text::TooManyToCount)) },
            }
        }
    }
}

fn parts(span: Span, counts: &[Count]) -> Vec<Part> {
    let mut parts: Vec<Part> = span.parts().map(|at| Part { at, rows: [0; 3] }).collect();
    for count in counts {
        let place = match count.operation {
            Operation::Insert => 0,
            Operation::Update => 1,
            Operation::Delete | Operation::Truncate => 2,
        };
        if let Ok(index) = parts.binary_search_by_key(&count.at, |part| part.at) {
            parts[index].rows[place] += count.rows;
        }
    }
    parts
}

fn bars(
    visit: &Visit,
    search: &Search,
    span: Span,
    counts: &[Count],
    beginning: Option<Timestamp>,
) -> Markup {
    let parts = parts(span, counts);
    let most = parts.iter().map(Part::sum).max().unwrap_or(0);
    if most == 0 {
        let nothing = Marked::NothingChanged {
            from: time::exact(visit, span.from),
            to: time::exact(visit, span.to.min(visit.clock.now)),
            is_filtered: search.chips().any(|chip| !matches!(chip.name, "since" | "until")),
            beginning: beginning.filter(|at| *at > span.from).map(|at| time::exact(visit, at)),
        };
        return html! { p.note { (visit.say(nothing)) } };
    }
    let number = i64::try_from(parts.len()).unwrap_or(1).max(1);
    let step = WIDTH / number;
    let (from, to) = (time::text(visit, span.from), time::text(visit, span.to));
    html! {
        figure {
            svg.bars viewBox={ "0 0 " (step * number) " " (HEIGHT) } preserveAspectRatio="none" role="group"
                aria-labelledby="chart-title" {
                title #chart-title { (visit.say(Text::RowChangesBetween { from: &from, to: &to })) }
                defs {
                    pattern #hatch width="4" height="4" patternUnits="userSpaceOnUse" { path d="M0 4L4 0" {} }
                }
                @for (index, part) in (0_i64..).zip(&parts) {
                    @if part.sum() > 0 { (bar(visit, search, span, part, (index * step, step, most))) }
                }
            }
            figcaption.axis {
                span { (time::exact(visit, span.from)) }
                span.legend {
                    @for (operation, class) in ORDER { span.key-of { span.swatch.(class) {} " " (visit.say(Shared::Done(operation))) } }
                    span { (visit.say(Text::Most(most))) }
                }
                span { (time::exact(visit, span.to)) }
            }
            details.numbers { summary { (visit.say(Text::Figures)) } (numbers(visit, &parts)) }
        }
    }
}

/// `place` is where the bar begins, how wide it is, and what the highest one counts.
fn bar(visit: &Visit, search: &Search, span: Span, part: &Part, place: (i64, i64, i64)) -> Markup {
    let (x, step, most) = place;
    let end = part.at.checked_add(span.width).unwrap_or(span.to);
    let inside = search.and("since", &part.at.to_string()).and("until", &end.to_string());
    let mut top = HEIGHT;
    let mut pieces = Vec::new();
    for (rows, (_, class)) in part.rows.into_iter().zip(ORDER) {
        if rows == 0 {
            continue;
        }
        // Whatever there is can be seen.
        let height = (i128::from(rows) * i128::from(HEIGHT) / i128::from(most)).max(2);
        let height = i64::try_from(height).unwrap_or(HEIGHT).min(top);
        top -= height;
        pieces.push((class, top, height));
    }
    let rows: Vec<_> = part.rows.into_iter().zip(ORDER.map(|(operation, _)| operation)).collect();
    html! {
        a href=(visit.links().changes(&inside)) {
            title { (visit.say(Text::Bar { at: &time::text(visit, part.at), rows: &rows })) }
            @for (class, y, height) in pieces {
                rect.(class) x=(x) y=(y) width=((step - 2).max(1)) height=(height) {}
                @if class == "delete" { rect.hatched x=(x) y=(y) width=((step - 2).max(1)) height=(height) {} }
            }
        }
    }
}

fn numbers(visit: &Visit, parts: &[Part]) -> Markup {
    html! {
        table.list {
            caption.hidden { (visit.say(Text::RowChangesOverTime)) }
            thead { tr { th scope="col" { (visit.say(Text::From)) } @for (operation, _) in ORDER { th.number scope="col" { (visit.say(Shared::Done(operation))) } } } }
            tbody {
                @for part in parts.iter().filter(|part| part.sum() > 0) {
                    tr {
                        th scope="row" data-head=(visit.say(Text::From)) { (time::exact(visit, part.at)) }
                        @for (rows, (operation, _)) in part.rows.into_iter().zip(ORDER) { td.number data-head=(visit.say(Shared::Done(operation))) { (grouped(visit, rows)) } }
                    }
                }
            }
        }
    }
}
