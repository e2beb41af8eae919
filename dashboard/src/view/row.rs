//! One row: what it is now, and its versions, newest first.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::{Operation, RowKey, Version};

use super::layout::{Page, Section, page as frame};
use super::number::{count, length};
use super::{diff, version};
use crate::comparison::compare;
use crate::links::Links;
use crate::revert::Subject;
use crate::visit::Visit;

/// What the page shows.
pub(crate) struct RowHistory<'a> {
    /// The table's name as the tracker writes it.
    pub(crate) table: &'a str,
    pub(crate) key: &'a RowKey,
    /// The table's columns in their order.
    pub(crate) order: &'a [String],
    /// Newest first, and never empty.
    pub(crate) versions: &'a [Version],
    /// How many there are altogether.
    pub(crate) total: usize,
}

pub(crate) fn page(visit: &Visit, history: &RowHistory<'_>) -> Html<String> {
    let links = visit.links();
    let title = format!("{} ({})", history.table, history.key);
    let hidden = history.total - history.versions.len();
    let body = html! {
        header.head {
            div.title {
                h1.name { (history.key) }
                @if visit.may_revert() { (actions(links, history)) }
            }
        }
        (current(history))
        section aria-labelledby="history" {
            h2 #history { (count(length(history.total), "version")) }
            ol.versions.timeline {
                @for one in history.versions { (timeline_item(visit, history, one)) }
                @if hidden > 0 {
                    li.version { p.note { (count(length(hidden), "older version")) " not shown." } }
                } @else {
                    (origin(visit, history))
                }
            }
        }
    };
    let above = [("Tables", links.tables()), (history.table, links.table(history.table))];
    frame(visit, &Page { title: &title, section: Section::Tables, above: &above, body })
}

fn latest<'a>(history: &RowHistory<'a>) -> Option<&'a Version> {
    history.versions.first()
}

fn is_deleted(version: &Version) -> bool {
    matches!(version.operation, Operation::Delete | Operation::Truncate)
}

fn actions(links: Links<'_>, history: &RowHistory<'_>) -> Markup {
    let (table, key) = (history.table, history.key);
    html! {
        div.actions {
            @if latest(history).is_some_and(is_deleted) {
                a.button.primary href=(links.plan(&Subject::deleted_row(table, key))) { "Restore row…" }
            } @else {
                a.button.primary href=(links.plan(&Subject::last_change(table, key))) { "Undo last change…" }
            }
        }
    }
}

/// The row as its latest change left it.
fn current(history: &RowHistory<'_>) -> Markup {
    let Some(latest) = latest(history) else { return html! {} };
    let columns = |image| compare(Some(image), Some(image), history.order).unchanged;
    html! {
        section.card aria-labelledby="current" {
            @if let (false, Some(image)) = (is_deleted(latest), &latest.after) {
                h2 #current { "The row now" }
                (diff::image(columns(image).into_iter()))
            } @else if let Some(image) = &latest.before {
                h2 #current { "This row is deleted" }
                p.note { "It was:" }
                (diff::image(columns(image).into_iter()))
            } @else {
                h2 #current { "This row is missing" }
                p.note { "It disappeared while nobody recorded." }
            }
        }
    }
}

fn timeline_item(visit: &Visit, history: &RowHistory<'_>, one: &Version) -> Markup {
    let newest = latest(history).and_then(|version| version.number);
    let action = one
        .number
        .filter(|number| visit.may_revert() && Some(*number) != newest && !is_deleted(one))
        .map(|number| restore(visit.links(), history, number, "Restore this version…"));
    let context = version::Context {
        links: visit.links(),
        now: visit.now,
        order: history.order,
        names_row: false,
        action,
    };
    version::item(one, &context)
}

/// The end of the timeline: the row before anything was recorded, if there was one.
fn origin(visit: &Visit, history: &RowHistory<'_>) -> Markup {
    let existed = history.versions.last().is_some_and(|first| first.before.is_some());
    html! {
        @if existed {
            li.version.origin {
                header {
                    h3 { "Before version 1" }
                    p.meta { "The row existed when tracking began." }
                    @if visit.may_revert() { (restore(visit.links(), history, 0, "Restore this state…")) }
                }
            }
        }
    }
}

fn restore(links: Links<'_>, history: &RowHistory<'_>, number: i32, label: &str) -> Markup {
    let href = links.plan(&Subject::version(history.table, history.key, number));
    html! {
        div.actions { a.button href=(href) { (label) span.hidden { " version " (number) } } }
    }
}
