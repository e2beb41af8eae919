//! The first page: how much is tracked, and what happens.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::feed::Cursor;
use pgtrack_tracker::{TrackedTable, Transaction};

use super::layout::{Page, Section, page as frame};
use super::number::{grouped, length, size};
use super::{feed, time};
use crate::visit::Visit;

/// What the page shows.
pub(crate) struct Overview<'a> {
    pub(crate) tables: &'a [TrackedTable],
    pub(crate) transactions: &'a [Transaction],
    /// Where the list ends and the live feed begins.
    pub(crate) cursor: &'a Cursor,
    /// Whether these are the newest transactions.
    pub(crate) is_newest: bool,
    /// Whether there are older ones.
    pub(crate) has_older: bool,
}

pub(crate) fn page(visit: &Visit, overview: &Overview<'_>) -> Html<String> {
    let body = html! {
        header.head {
            h1 { "Overview" }
            (facts(visit, overview))
        }
        section aria-labelledby="feed-heading" {
            div.toolbar {
                h2 #feed-heading { @if overview.is_newest { "Latest transactions" } @else { "Earlier transactions" } }
                @if overview.is_newest { (live_controls(visit)) } @else { (newest_link(visit)) }
            }
            @if overview.is_newest { (live_banner()) }
            @if overview.transactions.is_empty() { (nothing_yet(overview)) }
            ol.feed #feed data-live=[overview.is_newest.then(|| visit.links().live())]
                data-cursor=[overview.is_newest.then(|| overview.cursor.as_str())] {
                @for transaction in overview.transactions { (feed::item(transaction, visit.links(), visit.now)) }
            }
            @if let (true, Some(last)) = (overview.has_older, overview.transactions.last()) {
                nav.pager aria-label="Pages" {
                    a.button rel="next" href=(visit.links().older_than(last.xid)) { "Older transactions" }
                }
            }
        }
    };
    frame(visit, &Page { title: "Overview", section: Section::Overview, above: &[], body })
}

fn facts(visit: &Visit, overview: &Overview<'_>) -> Markup {
    let bytes = overview.tables.iter().map(|table| table.history_bytes).sum();
    html! {
        dl.facts.strip {
            div {
                dt { "Tracked tables" }
                dd { a href=(visit.links().tables()) { (grouped(length(overview.tables.len()))) } }
            }
            div { dt { "History" } dd { (size(bytes)) } }
            @if let (true, Some(last)) = (overview.is_newest, overview.transactions.first()) {
                div { dt { "Last change" } dd { (time::moment(last.at, visit.now)) } }
            }
        }
    }
}

/// Without the script there is a link to load the page again; with it, the feed moves and can be paused.
fn live_controls(visit: &Visit) -> Markup {
    html! {
        div.live #live {
            span.state #live-state role="status" {}
            span.hidden #live-news role="status" {}
            button.quiet #live-pause type="button" hidden { "Pause" }
            a.button.quiet #live-refresh href=(visit.here) { "Refresh" }
        }
    }
}

/// Shown by the script.
fn live_banner() -> Markup {
    html! {
        div.banner #live-banner hidden {
            button.primary #live-show type="button" { "Show new changes" }
            a.button.primary #live-reload href="" hidden { "Newer changes: reload" }
        }
    }
}

fn newest_link(visit: &Visit) -> Markup {
    html! { div.live { a.button.quiet href=(visit.links().overview()) { "Newest transactions" } } }
}

fn nothing_yet(overview: &Overview<'_>) -> Markup {
    html! {
        div.card.blank #nothing-yet {
            @if !overview.is_newest {
                p { "There are no earlier transactions." }
            } @else if let Some(table) = overview.tables.first() {
                p { strong { "No change has been recorded yet." } }
                p { "Change a row of a tracked table, for example in " code { (table.display_name) } ", and it appears here." }
            } @else {
                p { strong { "No table is tracked yet." } }
                p { "Track a schema or a table, as its owner:" }
                pre { code { "SELECT * FROM pgtrack.track('public');" } }
            }
        }
    }
}
