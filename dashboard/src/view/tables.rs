//! The tracked tables.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::TrackedTable;

use super::layout::{Page, Section, page as frame};
use super::number::size;
use super::time;
use crate::auth::Role;
use crate::visit::Visit;
use crate::words::rows::Text;
use crate::words::{Marked, Shared};

/// Tracks the tables of a schema.
const TRACK: &str = "SELECT * FROM pgtrack.track('public');";

/// Gives a table a primary key, once somebody has said which columns.
pub(crate) fn add_key(table: &str) -> String {
    format!("ALTER TABLE {table} ADD PRIMARY KEY (…)")
}

pub(crate) fn page(visit: &Visit, tables: &[TrackedTable]) -> Html<String> {
    let body = html! {
        header.head { h1 { (visit.say(Text::TrackedTables)) } }
        @if tables.is_empty() {
            div.card.blank { (nothing_tracked(visit)) }
        } @else {
            table.list {
                caption.hidden { (visit.say(Text::TrackedTables)) }
                thead {
                    tr {
                        th scope="col" { (visit.say(Shared::Table)) }
                        th scope="col" { (visit.say(Shared::PrimaryKey)) }
                        th scope="col" { (visit.say(Shared::TrackedSince)) }
                        th.number scope="col" { (visit.say(Shared::Changes)) }
                        th.number scope="col" { (visit.say(Shared::History)) }
                    }
                }
                tbody { @for table in tables { (row(visit, table)) } }
            }
        }
    };
    frame(
        visit,
        &Page {
            title: &visit.say(Text::TrackedTables),
            section: Section::Tables,
            above: &[],
            body,
        },
    )
}

/// What to do where no table is tracked yet.
pub(crate) fn nothing_tracked(visit: &Visit) -> Markup {
    html! {
        p { strong { (visit.say(Text::NothingTracked)) } }
        p { (visit.say(Text::HowToTrack)) }
        pre data-copyable { code { (TRACK) } }
        @if visit.is(Role::Admin) { p { (visit.say(Marked::ChooseTables(&visit.links().health()))) } }
    }
}

fn row(visit: &Visit, table: &TrackedTable) -> Markup {
    html! {
        tr {
            th scope="row" data-head=(visit.say(Shared::Table)) {
                a.table href=(visit.links().table(&table.display_name)) { (table.display_name) }
            }
            td data-head=(visit.say(Shared::PrimaryKey)) { (key(visit, table)) }
            td data-head=(visit.say(Shared::TrackedSince)) { (time::moment(visit, table.since)) }
            td.number data-head=(visit.say(Shared::Changes)) { (changes(visit, table)) }
            td.number data-head=(visit.say(Shared::History)) { (size(visit, table.history_bytes)) }
        }
    }
}

/// The primary key's columns.
pub(crate) fn key(visit: &Visit, table: &TrackedTable) -> Markup {
    html! {
        @if table.key_columns.is_empty() {
            span.badge.warn { (visit.say(Shared::NoPrimaryKey)) }
        } @else {
            code { (table.key_columns.join(", ")) }
        }
    }
}

/// About how many changes are recorded, as the planner knows it; it knows nothing of a table that is new to it.
pub(crate) fn changes(visit: &Visit, table: &TrackedTable) -> Markup {
    html! {
        @if table.estimated_changes == 0 {
            span.note { (visit.say(Shared::NotCountedYet)) }
        } @else {
            (visit.say(Shared::About(table.estimated_changes)))
        }
    }
}
