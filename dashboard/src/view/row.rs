//! One row: what it is now and who made it so, its versions, and any two of them beside each other.

mod cell;
mod compare;
mod past;

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::{Column, Operation, RowKey, TrackedTable, Version};

use super::layout::{Page, Section, page as frame};
use super::number::{count, length};
use super::value::value;
use super::{diff, version};
use crate::comparison;
use crate::revert::Subject;
use crate::visit::Visit;

pub(crate) use compare::Compared;

/// What the page shows.
pub(crate) struct RowHistory<'a> {
    pub(crate) table: &'a TrackedTable,
    pub(crate) key: &'a RowKey,
    /// The table's columns in their order.
    pub(crate) order: &'a [Column],
    /// All of them, newest first, and never empty.
    pub(crate) versions: &'a [Version],
    /// Two versions to compare.
    pub(crate) compared: Option<Compared<'a>>,
    /// The column whose history is shown.
    pub(crate) column: Option<&'a str>,
    /// The moment whose state is shown, as it was typed, and as it was understood.
    pub(crate) at: Option<(&'a str, Option<jiff::Timestamp>)>,
}

/// No more versions than this are shown.
const MOST_VERSIONS: usize = 200;

impl RowHistory<'_> {
    fn name(&self) -> &str {
        &self.table.display_name
    }

    fn latest(&self) -> Option<&Version> {
        self.versions.first()
    }
}

pub(crate) fn page(visit: &Visit, history: &RowHistory<'_>) -> Html<String> {
    let links = visit.links();
    let title = format!("{} ({})", history.name(), history.key);
    let body = html! {
        header.head {
            div.title {
                h1.name { (history.key) }
                @if visit.may_revert() { (actions(visit, history)) }
            }
        }
        @if let Some(compared) = &history.compared { (compare::section(visit, history, compared)) }
        @if let Some(column) = history.column { (cell::section(visit, history, column)) }
        @if let Some(at) = history.at { (past::section(visit, history, at)) }
        (current(visit, history))
        section.tools aria-label="Look at the past" { (compare::form(visit, history)) (past::form(visit, history)) }
        (timeline(visit, history))
    };
    let above = [("Tables", links.tables()), (history.name(), links.table(history.name()))];
    frame(visit, &Page { title: &title, section: Section::Tables, above: &above, body })
}

fn is_deleted(version: &Version) -> bool {
    matches!(version.operation, Operation::Delete | Operation::Truncate)
}

fn actions(visit: &Visit, history: &RowHistory<'_>) -> Markup {
    let (links, table, key) = (visit.links(), &history.table.name, history.key);
    html! {
        div.actions {
            @if history.latest().is_some_and(is_deleted) {
                a.button.primary data-undo href=(links.plan(&Subject::deleted_row(table, key))) { "Restore row…" }
            } @else {
                a.button.primary data-undo href=(links.plan(&Subject::last_change(table, key))) { "Undo last change…" }
            }
        }
    }
}

/// The row as its latest change left it, and which change made each column what it is.
fn current(visit: &Visit, history: &RowHistory<'_>) -> Markup {
    let Some(latest) = history.latest() else { return html! {} };
    let columns = |image| comparison::compare(Some(image), Some(image), history.order).unchanged;
    html! {
        section.card aria-labelledby="current" {
            @if let (false, Some(image)) = (is_deleted(latest), &latest.after) {
                h2 #current { "The row now" }
                dl.image {
                    @for (name, content) in columns(image) {
                        div {
                            dt title=[diff::type_name(name, history.order)] {
                                a href=(visit.links().cell(history.name(), history.key, name)) { (name) }
                            }
                            dd { (value(Some(content))) " " (blame(history, name)) }
                        }
                    }
                }
            } @else if let Some(image) = &latest.before {
                h2 #current { "This row is deleted" }
                p.note { "It was:" }
                (diff::image(columns(image).into_iter(), history.order))
            } @else {
                h2 #current { "This row is missing" }
                p.note { "It disappeared while nobody recorded." }
            }
        }
    }
}

/// The latest version that gave a column its value.
fn author<'a>(history: &RowHistory<'a>, column: &str) -> Option<&'a Version> {
    history.versions.iter().find(|one| {
        one.operation == Operation::Insert || one.changed_columns.iter().any(|name| name == column)
    })
}

fn blame(history: &RowHistory<'_>, column: &str) -> Markup {
    html! {
        span.blame {
            @match author(history, column).and_then(|one| Some((one, one.number?))) {
                Some((one, number)) => a href={ "#v" (number) } { "v" (number) " " (one.who) },
                None => "since before tracking",
            }
        }
    }
}

fn timeline(visit: &Visit, history: &RowHistory<'_>) -> Markup {
    let shown = &history.versions[..history.versions.len().min(MOST_VERSIONS)];
    let hidden = history.versions.len() - shown.len();
    let day = |one: &Version| one.at.to_zoned(visit.clock.zone.clone()).date();
    let mut previous = None;
    html! {
        section aria-labelledby="history" {
            h2 #history { (count(length(history.versions.len()), "version")) }
            ol.versions.timeline {
                @for one in shown {
                    @if previous.replace(day(one)) != Some(day(one)) { li.day { (day(one).strftime("%A, %-d %B %Y")) } }
                    (timeline_item(visit, history, one))
                }
                @if hidden > 0 {
                    li.version { p.note { (count(length(hidden), "older version")) " not shown." } }
                } @else {
                    (origin(visit, history))
                }
            }
        }
    }
}

fn timeline_item(visit: &Visit, history: &RowHistory<'_>, one: &Version) -> Markup {
    let newest = history.latest().and_then(|version| version.number);
    let action = one
        .number
        .filter(|number| Some(*number) != newest)
        .map(|number| version_actions(visit, history, number, !is_deleted(one)));
    let context = version::Context { order: history.order, names_row: false, action };
    version::item(visit, one, &context)
}

fn version_actions(visit: &Visit, history: &RowHistory<'_>, number: i32, has_row: bool) -> Markup {
    let compare =
        visit.links().compare(history.name(), history.key, &format!("v{number}"), "current");
    html! {
        div.actions {
            @if has_row { a.button.quiet href=(compare) { "Compare with now" span.hidden { " version " (number) } } }
            @if has_row && visit.may_revert() { (restore(visit, history, number, "Restore this version…")) }
        }
    }
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
                    @if visit.may_revert() { div.actions { (restore(visit, history, 0, "Restore this state…")) } }
                }
            }
        }
    }
}

fn restore(visit: &Visit, history: &RowHistory<'_>, number: i32, label: &str) -> Markup {
    let subject = Subject::version(&history.table.name, history.key, number);
    html! { a.button href=(visit.links().plan(&subject)) { (label) span.hidden { " version " (number) } } }
}
