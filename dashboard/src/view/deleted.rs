//! The rows of a table that were deleted and are still missing.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::history::DeletedRow;
use pgtrack_tracker::{Column, TrackedTable};

use super::layout::{Page, Section, page as frame};
use super::number::{count, length};
use super::table::{Tab, head};
use super::{diff, key, time};
use crate::comparison::compare;
use crate::revert::Subject;
use crate::visit::Visit;

/// What the page shows.
pub(crate) struct Deleted<'a> {
    pub(crate) table: &'a TrackedTable,
    /// The table's columns in their order.
    pub(crate) order: &'a [Column],
    /// Newest first.
    pub(crate) rows: &'a [DeletedRow],
    /// Whether there may be more.
    pub(crate) is_cut: bool,
}

pub(crate) fn page(visit: &Visit, deleted: &Deleted<'_>) -> Html<String> {
    let links = visit.links();
    let name = &deleted.table.display_name;
    let body = html! {
        (head(visit, deleted.table, Tab::Deleted))
        @if deleted.rows.is_empty() {
            div.card.blank {
                p { strong { "Nothing is missing." } }
                p { "Rows that are deleted from " code { (name) } " appear here and can be restored." }
            }
        }
        @if deleted.is_cut {
            div.notice { p { "Only the latest " (count(length(deleted.rows.len()), "deleted row")) " are shown." } }
        }
        ol.versions { @for row in deleted.rows { (item(visit, deleted, row)) } }
    };
    let above = [("Tables", links.tables()), (name.as_str(), links.table(name))];
    frame(visit, &Page { title: "Deleted rows", section: Section::Tables, above: &above, body })
}

fn item(visit: &Visit, deleted: &Deleted<'_>, row: &DeletedRow) -> Markup {
    let links = visit.links();
    let name = &deleted.table.display_name;
    let columns = compare(Some(&row.data), Some(&row.data), deleted.order).unchanged;
    let restore = links.plan(&Subject::deleted_row(&deleted.table.name, &row.key));
    html! {
        li.version {
            header {
                h2 { (key::link(links, name, &row.key)) }
                p.meta {
                    "Deleted " (time::moment(row.deleted_at, &visit.clock)) " by " strong { (row.who) } ", "
                    a href=(links.transaction(row.xid)) { "transaction " (row.xid) }
                }
                @if visit.may_revert() && !key::is_hidden(&row.key) {
                    div.actions { a.button href=(restore) { "Restore row…" span.hidden { " " (row.key) } } }
                }
            }
            (diff::image(columns.into_iter(), deleted.order))
        }
    }
}
