//! The first page: how much is tracked, what was changed in the last day, and what happens now.

mod rankings;

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::feed::Cursor;
use pgtrack_tracker::{TrackedTable, Transaction};

use super::layout::{Page, Section, page as frame};
use super::number::{grouped, length, size};
use super::{chart, feed, ignored, live, tables, time};
use crate::search::{Grouping, Search, Span};
use crate::tally::Tallied;
use crate::visit::Visit;
use crate::words::activity::Text;
use crate::words::{Marked, Shared};

/// What the page shows.
pub(crate) struct Overview<'a> {
    pub(crate) tables: &'a [TrackedTable],
    /// The newest ones.
    pub(crate) transactions: &'a [Transaction],
    /// Where the list ends and the live feed begins.
    pub(crate) cursor: &'a Cursor,
    /// How many were left out by the rules of the connection.
    pub(crate) ignored: usize,
    /// Whether there are older ones.
    pub(crate) has_older: bool,
    /// The last day.
    pub(crate) chart: (Span, Tallied),
}

pub(crate) fn page(visit: &Visit, overview: &Overview<'_>) -> Html<String> {
    let transactions = Search::default().grouped(Grouping::Transactions);
    let links = visit.links();
    let (span, tallied) = &overview.chart;
    let body = html! {
        header.head {
            h1 { (visit.say(Shared::Overview)) }
            (facts(visit, overview))
            (warnings(visit, overview))
        }
        @if !overview.transactions.is_empty() { (chart::section(visit, &Search::default(), *span, tallied, None)) }
        section aria-labelledby="feed-heading" {
            div.toolbar {
                h2 #feed-heading { (visit.say(Text::LatestTransactions)) }
                (live::controls(visit))
            }
            (live::banner(visit))
            (ignored::notice(visit, &transactions, overview.ignored))
            @if overview.transactions.is_empty() && overview.ignored == 0 { (nothing_yet(visit, overview)) }
            ol.feed #feed data-live=(links.live(&transactions, false)) data-cursor=(overview.cursor.as_str()) {
                @for transaction in overview.transactions { (feed::item(visit, transaction, false)) }
            }
            @if overview.has_older {
                nav.pager aria-label=(visit.say(Shared::Pages)) {
                    a.button href=(links.changes(&transactions)) { (visit.say(Text::AllActivity)) }
                }
            }
        }
        @if let Tallied::Known(counts) = tallied { (rankings::sections(visit, *span, counts)) }
    };
    frame(
        visit,
        &Page { title: &visit.say(Shared::Overview), section: Section::Overview, above: &[], body },
    )
}

fn facts(visit: &Visit, overview: &Overview<'_>) -> Markup {
    let bytes = overview.tables.iter().map(|table| table.history_bytes).sum();
    let links = visit.links();
    html! {
        dl.facts.strip {
            div {
                dt { (visit.say(Text::TrackedTables)) }
                dd { a href=(links.tables()) { (grouped(visit, length(overview.tables.len()))) } }
            }
            div { dt { (visit.say(Shared::History)) } dd { a href=(links.storage()) { (size(visit, bytes)) } } }
            @if let Tallied::Known(counts) = &overview.chart.1 {
                div { dt { (visit.say(Text::RowsChangedLastDay)) } dd { (grouped(visit, counts.iter().map(|one| one.rows).sum())) } }
            }
            @if let Some(last) = overview.transactions.first() {
                div { dt { (visit.say(Text::LastChange)) } dd { (time::moment(visit, last.at)) } }
            }
            @if let Some(since) = overview.tables.iter().map(|table| table.since).min() {
                div { dt { (visit.say(Shared::TrackedSince)) } dd { (time::exact(visit, since)) } }
            }
        }
    }
}

fn warnings(visit: &Visit, overview: &Overview<'_>) -> Markup {
    let keyless = overview.tables.iter().filter(|table| table.key_columns.is_empty()).count();
    html! {
        @if keyless > 0 {
            div.notice {
                p {
                    strong { (visit.say(Text::Keyless(length(keyless)))) " " }
                    (visit.say(Text::CannotBeFollowed)) " "
                    a href=(visit.links().health()) { (visit.say(Text::SeeHealth)) }
                }
            }
        }
    }
}

fn nothing_yet(visit: &Visit, overview: &Overview<'_>) -> Markup {
    html! {
        div.card.blank #nothing-yet {
            @if let Some(table) = overview.tables.first() {
                p { strong { (visit.say(Text::NothingRecordedYet)) } }
                p { (visit.say(Marked::ChangeARow(&table.display_name))) }
            } @else {
                (tables::nothing_tracked(visit))
            }
        }
    }
}
