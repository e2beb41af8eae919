//! The history of one column of a row.

use maud::{Markup, html};
use pgtrack_tracker::{Operation, Version};

use super::RowHistory;
use crate::view::value::value;
use crate::view::{diff, time};
use crate::visit::Visit;
use crate::words::rows::Text;
use crate::words::{Marked, Shared};

pub(super) fn section(visit: &Visit, history: &RowHistory<'_>, column: &str) -> Markup {
    let touches = |one: &&Version| {
        one.operation != Operation::Update || one.changed_columns.iter().any(|name| name == column)
    };
    html! {
        section aria-labelledby="cell" {
            div.toolbar {
                h2 #cell { (visit.say(Marked::HistoryOf(column))) @if let Some(name) = diff::type_name(column, history.order) { " " span.note { (name) } } }
                a.button.quiet href=(visit.links().row(history.name(), history.key)) { (visit.say(Text::AllColumns)) }
            }
            table.list {
                caption.hidden { (visit.say(Text::ValuesOf(column))) }
                thead { tr { th scope="col" { (visit.say(Text::Version)) } th scope="col" { (visit.say(Shared::Value)) } th scope="col" { (visit.say(Shared::Who)) } th scope="col" { (visit.say(Shared::When)) } } }
                tbody {
                    @for one in history.versions.iter().filter(touches) {
                        tr {
                            th scope="row" data-head=(visit.say(Text::Version)) { @if let Some(number) = one.number { a href={ "#v" (number) } { (visit.say(Shared::VersionNumber(number))) } } }
                            td data-head=(visit.say(Shared::Value)) { (value(visit, one.after.as_ref().and_then(|image| image.get(column)))) }
                            td data-head=(visit.say(Shared::Who)) { (one.who) }
                            td data-head=(visit.say(Shared::When)) { (time::moment(visit, one.at)) }
                        }
                    }
                    @if let Some(first) = history.versions.last().and_then(|one| one.before.as_ref()) {
                        tr {
                            th scope="row" data-head=(visit.say(Text::Version)) { (visit.say(Text::BeforeVersion1)) }
                            td data-head=(visit.say(Shared::Value)) { (value(visit, first.get(column))) }
                            td data-head=(visit.say(Shared::Who)) { span.note { (visit.say(Text::NotRecorded)) } }
                            td data-head=(visit.say(Shared::When)) { span.note { (visit.say(Text::BeforeTracking)) } }
                        }
                    }
                }
            }
        }
    }
}
