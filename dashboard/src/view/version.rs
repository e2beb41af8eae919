//! One change of one row: what was done, by whom, and the columns that differ.

use maud::{Markup, html};
use pgtrack_tracker::{Column, Operation, Version};

use super::{diff, effect, key, query, time};
use crate::links::Links;
use crate::visit::Visit;

/// Around a version: what differs from page to page.
pub(crate) struct Context<'a> {
    /// The table's columns in their order.
    pub(crate) order: &'a [Column],
    /// Whether to name the row.
    pub(crate) names_row: bool,
    /// What can be done about it.
    pub(crate) action: Option<Markup>,
}

/// A version in a list.
pub(crate) fn item(visit: &Visit, version: &Version, context: &Context<'_>) -> Markup {
    let mark = effect::mark(effect::done(version.operation));
    html! {
        li.version id=[version.number.filter(|_| !context.names_row).map(|number| format!("v{number}"))] {
            header {
                h3 {
                    (mark)
                    @if context.names_row { " " (row_name(version, visit.links())) }
                    @if let Some(number) = version.number { " " span.number { "version " (number) } }
                }
                p.meta {
                    (time::moment(version.at, &visit.clock)) " by " strong { (version.who) }
                    @if let Some(application) = &version.application { " with " (application) }
                    ", " a href=(visit.links().transaction(version.xid)) { "transaction " (version.xid) }
                }
                @if let Some(action) = &context.action { (action) }
            }
            @if let Some(message) = &version.message { p.message { (message) } }
            @if let Some(text) = &version.query { (query::line(text)) }
            (difference(visit, version, context.order))
        }
    }
}

/// The version as rows of a diff, headed by what was done to which row.
pub(crate) fn diff_row<'a>(version: &'a Version, links: Links<'_>) -> diff::Row<'a> {
    diff::Row {
        head: Some(html! {
            (effect::mark(effect::done(version.operation))) " " (row_name(version, links))
            @if let Some(number) = version.number { " " span.number { "version " (number) } }
            @if is_half_known(version) { (half_known()) }
        }),
        table: Some(&version.table),
        before: version.before.as_ref(),
        after: version.after.as_ref(),
    }
}

/// The row's key, linked to its history.
pub(crate) fn row_name(version: &Version, links: Links<'_>) -> Markup {
    html! {
        @if let Some(row_key) = &version.key {
            (key::link(links, &version.table, row_key))
        } @else {
            span.key { "a row without a key" }
        }
    }
}

fn difference(visit: &Visit, version: &Version, order: &[Column]) -> Markup {
    let row = diff::Row {
        head: None,
        table: Some(&version.table),
        before: version.before.as_ref(),
        after: version.after.as_ref(),
    };
    html! {
        @if is_half_known(version) { (half_known()) }
        (diff::table(visit, "What changed", diff::RECORDED, &[row], order))
    }
}

/// Whether only one side of an update is known. The row after it is found through the key.
pub(crate) fn is_half_known(version: &Version) -> bool {
    version.operation == Operation::Update && version.after.is_none()
}

/// Says so.
pub(crate) fn half_known() -> Markup {
    html! { p.note { "The table has no primary key, so what the row became cannot be told." } }
}
