//! One row: what it is now and who made it so, its versions, and any two of them beside each other.

mod cell;
mod compare;
mod past;

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::{Column, Operation, RowKey, TrackedTable, Version};

use super::layout::{Page, Section, page as frame};
use super::number::length;
use super::value::value;
use super::{diff, version};
use crate::comparison;
use crate::revert::Subject;
use crate::visit::Visit;
use crate::words::rows::Text;
use crate::words::{Marked, Shared};

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
        section.tools aria-label=(visit.say(Text::LookAtThePast)) { (compare::form(visit, history)) (past::form(visit, history)) }
        (timeline(visit, history))
    };
    let above = [
        (visit.say(Shared::Tables), links.tables()),
        (history.name().into(), links.table(history.name())),
    ];
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
                a.button.primary data-undo href=(links.plan(&Subject::deleted_row(table, key))) { (visit.say(Shared::RestoreRow)) }
            } @else {
                a.button.primary data-undo href=(links.plan(&Subject::last_change(table, key))) { (visit.say(Text::UndoLastChange)) }
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
                h2 #current { (visit.say(Text::TheRowNow)) }
                dl.image {
                    @for (name, content) in columns(image) {
                        div {
                            dt title=[diff::type_name(name, history.order)] {
                                a href=(visit.links().cell(history.name(), history.key, name)) { (name) }
                            }
                            dd { (value(visit, Some(content))) " " (blame(visit, history, name)) }
                        }
                    }
                }
            } @else if let Some(image) = &latest.before {
                h2 #current { (visit.say(Text::IsDeleted)) }
                p.note { (visit.say(Text::ItWas)) }
                (diff::image(visit, columns(image).into_iter(), history.order))
            } @else {
                h2 #current { (visit.say(Text::IsMissing)) }
                p.note { (visit.say(Text::Disappeared)) }
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

fn blame(visit: &Visit, history: &RowHistory<'_>, column: &str) -> Markup {
    html! {
        span.blame {
            @match author(history, column).and_then(|one| Some((one, one.number?))) {
                Some((one, number)) => a href={ "#v" (number) } { (visit.say(Text::Blame { version: number, who: &one.who })) },
                None => (visit.say(Text::SinceBeforeTracking)),
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
            h2 #history { (visit.say(Text::Versions(length(history.versions.len())))) }
            ol.versions.timeline {
                @for one in shown {
                    @if previous.replace(day(one)) != Some(day(one)) { li.day { (visit.say(Text::Day(day(one)))) } }
                    (timeline_item(visit, history, one))
                }
                @if hidden > 0 {
                    li.version { p.note { (visit.say(Text::OlderNotShown(length(hidden)))) } }
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
            @if has_row { a.button.quiet href=(compare) { (visit.say(Marked::CompareWithNow(number))) } }
            @if has_row && visit.may_revert() { (restore(visit, history, number, Marked::RestoreVersion(number))) }
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
                    h3 { (visit.say(Text::Before1)) }
                    p.meta { (visit.say(Text::ExistedBefore)) }
                    @if visit.may_revert() { div.actions { (restore(visit, history, 0, Marked::RestoreState)) } }
                }
            }
        }
    }
}

fn restore(visit: &Visit, history: &RowHistory<'_>, number: i32, label: Marked<'_>) -> Markup {
    let subject = Subject::version(&history.table.name, history.key, number);
    html! { a.button href=(visit.links().plan(&subject)) { (visit.say(label)) } }
}
