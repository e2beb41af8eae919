//! One tracked table: its latest changes.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::{Column, TrackedTable, Version};

use super::layout::{Page, Section, page as frame};
use super::number::size;
use super::{ignored, tables, time, version};
use crate::search::{SHOW, Search};
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::rows::Text;

/// What the page shows.
pub(crate) struct Latest<'a> {
    pub(crate) table: &'a TrackedTable,
    /// The table's columns in their order.
    pub(crate) order: &'a [Column],
    /// Newest first.
    pub(crate) versions: &'a [Version],
    /// How many were left out by the rules of the connection.
    pub(crate) ignored: usize,
    pub(crate) shows_ignored: bool,
    /// How many to show next, if there may be more.
    pub(crate) more: Option<i32>,
}

pub(crate) fn page(visit: &Visit, latest: &Latest<'_>) -> Html<String> {
    let name = &latest.table.display_name;
    let context = version::Context { order: latest.order, names_row: true, action: None };
    let body = html! {
        (head(visit, latest.table, Tab::Changes))
        (ignored::notice_of_table(visit, name, latest.ignored, latest.shows_ignored))
        @if latest.versions.is_empty() && latest.ignored == 0 {
            div.card.blank { p { strong { (visit.say(Text::NothingRecorded)) } } }
        }
        h2.hidden { (visit.say(Shared::LatestChanges)) }
        ol.versions { @for one in latest.versions { (version::item(visit, one, &context)) } }
        @if let Some(more) = latest.more {
            nav.pager aria-label=(visit.say(Shared::Pages)) {
                a.button href={ (visit.links().table(name)) "?max=" (more) @if latest.shows_ignored { "&ignored=" (SHOW) } } { (visit.say(Text::ShowChanges(more.into()))) }
            }
        }
    };
    let above = [(visit.say(Shared::Tables), visit.links().tables())];
    frame(visit, &Page { title: name, section: Section::Tables, above: &above, body })
}

/// The pages of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    Changes,
    Deleted,
    AsOf,
}

/// The table's name and facts, and the way between its pages.
pub(crate) fn head(visit: &Visit, table: &TrackedTable, tab: Tab) -> Markup {
    let links = visit.links();
    let name = &table.display_name;
    let current = |this| (this == tab).then_some("page");
    html! {
        header.head {
            h1.name { (name) }
            dl.facts.strip {
                div { dt { (visit.say(Shared::PrimaryKey)) } dd { (tables::key(visit, table)) } }
                div { dt { (visit.say(Shared::TrackedSince)) } dd { (time::moment(visit, table.since)) } }
                div { dt { (visit.say(Shared::Changes)) } dd { (tables::changes(visit, table)) } }
                div { dt { (visit.say(Shared::History)) } dd { (size(visit, table.history_bytes)) } }
            }
        }
        @if table.key_columns.is_empty() {
            div.notice {
                p {
                    (visit.say(Text::NoKeyHere)) " "
                    (visit.say(Text::ToChangeThat)) " " code { (tables::add_key(name)) }
                }
            }
        } @else {
            nav.tabs aria-label=(visit.say(Text::OfThisTable)) {
                a href=(links.table(name)) aria-current=[current(Tab::Changes)] { (visit.say(Shared::Changes)) }
                a href=(links.deleted(name)) aria-current=[current(Tab::Deleted)] { (visit.say(Text::DeletedRows)) }
                a href=(links.as_of(name)) aria-current=[current(Tab::AsOf)] { (visit.say(Text::TimeTravel)) }
                a href=(links.changes(&Search::with("table", name))) { (visit.say(Text::SearchItsChanges)) }
            }
        }
    }
}
