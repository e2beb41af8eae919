//! The history of one column of a row.

use maud::{Markup, html};
use pgtrack_tracker::{Operation, Version};

use super::RowHistory;
use crate::view::value::value;
use crate::view::{diff, time};
use crate::visit::Visit;

pub(super) fn section(visit: &Visit, history: &RowHistory<'_>, column: &str) -> Markup {
    let touches = |one: &&Version| {
        one.operation != Operation::Update || one.changed_columns.iter().any(|name| name == column)
    };
    html! {
        section aria-labelledby="cell" {
            div.toolbar {
                h2 #cell { "History of " code { (column) } @if let Some(name) = diff::type_name(column, history.order) { " " span.note { (name) } } }
                a.button.quiet href=(visit.links().row(history.name(), history.key)) { "All columns" }
            }
            table.list {
                caption.hidden { "Values of " (column) }
                thead { tr { th scope="col" { "Version" } th scope="col" { "Value" } th scope="col" { "Who" } th scope="col" { "When" } } }
                tbody {
                    @for one in history.versions.iter().filter(touches) {
                        tr {
                            th scope="row" data-head="Version" { @if let Some(number) = one.number { a href={ "#v" (number) } { "version " (number) } } }
                            td data-head="Value" { (value(one.after.as_ref().and_then(|image| image.get(column)))) }
                            td data-head="Who" { (one.who) }
                            td data-head="When" { (time::moment(one.at, &visit.clock)) }
                        }
                    }
                    @if let Some(first) = history.versions.last().and_then(|one| one.before.as_ref()) {
                        tr {
                            th scope="row" data-head="Version" { "before version 1" }
                            td data-head="Value" { (value(first.get(column))) }
                            td data-head="Who" { span.note { "not recorded" } }
                            td data-head="When" { span.note { "before tracking" } }
                        }
                    }
                }
            }
        }
    }
}
