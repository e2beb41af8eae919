//! The tracked tables.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::TrackedTable;

use super::layout::{Page, Section, page as frame};
use super::number::{grouped, size};
use super::time;
use crate::auth::Role;
use crate::visit::Visit;

pub(crate) fn page(visit: &Visit, tables: &[TrackedTable]) -> Html<String> {
    let body = html! {
        header.head { h1 { "Tracked tables" } }
        @if tables.is_empty() {
            div.card.blank { (nothing_tracked(visit)) }
        } @else {
            table.list {
                caption.hidden { "Tracked tables" }
                thead {
                    tr {
                        th scope="col" { "Table" }
                        th scope="col" { "Primary key" }
                        th scope="col" { "Tracked since" }
                        th.number scope="col" { "Changes" }
                        th.number scope="col" { "History" }
                    }
                }
                tbody { @for table in tables { (row(visit, table)) } }
            }
        }
    };
    frame(visit, &Page { title: "Tracked tables", section: Section::Tables, above: &[], body })
}

/// What to do where no table is tracked yet.
pub(crate) fn nothing_tracked(visit: &Visit) -> Markup {
    html! {
        p { strong { "No table is tracked yet." } }
        p { "Track a schema or a table, as its owner:" }
        pre data-copyable { code { "SELECT * FROM pgtrack.track('public');" } }
        @if visit.is(Role::Admin) { p { "Or choose tables on the " a href=(visit.links().health()) { "health page" } "." } }
    }
}

fn row(visit: &Visit, table: &TrackedTable) -> Markup {
    html! {
        tr {
            th scope="row" data-head="Table" {
                a.table href=(visit.links().table(&table.display_name)) { (table.display_name) }
            }
            td data-head="Primary key" { (key(table)) }
            td data-head="Tracked since" { (time::moment(table.since, &visit.clock)) }
            td.number data-head="Changes" { (changes(table)) }
            td.number data-head="History" { (size(table.history_bytes)) }
        }
    }
}

/// The primary key's columns.
pub(crate) fn key(table: &TrackedTable) -> Markup {
    html! {
        @if table.key_columns.is_empty() {
            span.badge.warn { "no primary key" }
        } @else {
            code { (table.key_columns.join(", ")) }
        }
    }
}

/// About how many changes are recorded, as the planner knows it; it knows nothing of a table that is new to it.
pub(crate) fn changes(table: &TrackedTable) -> Markup {
    html! {
        @if table.estimated_changes == 0 {
            span.note { "not counted yet" }
        } @else {
            "about " (grouped(table.estimated_changes))
        }
    }
}
