//! The rows of a table that were deleted and are still missing.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::history::DeletedRow;
use pgtrack_tracker::{Column, TrackedTable};

use super::layout::{Page, Section, page as frame};
use super::number::length;
use super::table::{Tab, head};
use super::version::link_to_transaction;
use super::{diff, key, time};
use crate::comparison::compare;
use crate::revert::Subject;
use crate::visit::Visit;
use crate::words::rows::Text;
use crate::words::{Marked, Shared};

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
                p { strong { (visit.say(Text::NothingMissing)) } }
                p { (visit.say(Marked::DeletedRowsAppear(name))) }
            }
        }
        @if deleted.is_cut {
            div.notice { p { (visit.say(Text::OnlyLatestDeleted(length(deleted.rows.len())))) } }
        }
        ol.versions { @for row in deleted.rows { (item(visit, deleted, row)) } }
    };
    let above = [(visit.say(Shared::Tables), links.tables()), (name.into(), links.table(name))];
    frame(
        visit,
        &Page {
            title: &visit.say(Text::DeletedRows),
            section: Section::Tables,
            above: &above,
            body,
        },
    )
}

fn item(visit: &Visit, deleted: &Deleted<'_>, row: &DeletedRow) -> Markup {
    let links = visit.links();
    let name = &deleted.table.display_name;
    let columns = compare(Some(&row.data), Some(&row.data), deleted.order).unchanged;
    let restore = links.plan(&Subject::deleted_row(&deleted.table.name, &row.key));
    let deleted_by = Marked::DeletedBy {
        when: time::moment(visit, row.deleted_at),
        who: &row.who,
        transaction: link_to_transaction(visit, row.xid),
    };
    html! {
        li.version {
            header {
                h2 { (key::link(visit, name, &row.key)) }
                p.meta { (visit.say(deleted_by)) }
                @if visit.may_revert() && !key::is_hidden(&row.key) {
                    div.actions { a.button href=(restore) { (visit.say(Shared::RestoreRow)) span.hidden { " " (row.key) } } }
                }
            }
            (diff::image(visit, columns.into_iter(), deleted.order))
        }
    }
}
