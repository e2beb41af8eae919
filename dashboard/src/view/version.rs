//! One change of one row: what was done, by whom, and the columns that differ.

use maud::{Markup, html};
use pgtrack_tracker::{Column, Operation, Version};

use super::{diff, effect, key, query, time};
use crate::visit::Visit;
use crate::words::rows::Text;
use crate::words::{Marked, Shared};

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
    let mark = effect::mark(&effect::done(visit, version.operation));
    let made_by = Marked::MadeBy {
        when: time::moment(visit, version.at),
        who: &version.who,
        application: version.application.as_deref(),
        transaction: link_to_transaction(visit, version.xid),
    };
    html! {
        li.version id=[version.number.filter(|_| !context.names_row).map(|number| format!("v{number}"))] {
            header {
                h3 {
                    (mark)
                    @if context.names_row { " " (row_name(visit, version)) }
                    @if let Some(number) = version.number { " " span.number { (visit.say(Shared::VersionNumber(number))) } }
                }
                p.meta { (visit.say(made_by)) }
                @if let Some(action) = &context.action { (action) }
            }
            @if let Some(message) = &version.message { p.message { (message) } }
            @if let Some(text) = &version.query { (query::line(visit, text)) }
            (difference(visit, version, context.order))
        }
    }
}

/// The version as rows of a diff, headed by what was done to which row.
pub(crate) fn diff_row<'a>(visit: &Visit, version: &'a Version) -> diff::Row<'a> {
    diff::Row {
        head: Some(html! {
            (effect::mark(&effect::done(visit, version.operation))) " " (row_name(visit, version))
            @if let Some(number) = version.number { " " span.number { (visit.say(Shared::VersionNumber(number))) } }
            @if is_half_known(version) { (half_known(visit)) }
        }),
        table: Some(&version.table),
        before: version.before.as_ref(),
        after: version.after.as_ref(),
    }
}

/// The transaction in a sentence, linked to its page.
pub(crate) fn link_to_transaction(visit: &Visit, xid: i64) -> Markup {
    html! { a href=(visit.links().transaction(xid)) { (visit.say(Shared::TransactionNumber(xid))) } }
}

/// The row's key, linked to its history.
pub(crate) fn row_name(visit: &Visit, version: &Version) -> Markup {
    html! {
        @if let Some(row_key) = &version.key {
            (key::link(visit, &version.table, row_key))
        } @else {
            span.key { (visit.say(Text::RowWithoutKey)) }
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
        @if is_half_known(version) { (half_known(visit)) }
        (diff::table(visit, &visit.say(Text::WhatChanged), &diff::Heads::recorded(visit), &[row], order))
    }
}

/// Whether only one side of an update is known. The row after it is found through the key.
pub(crate) fn is_half_known(version: &Version) -> bool {
    version.operation == Operation::Update && version.after.is_none()
}

/// Says so.
pub(crate) fn half_known(visit: &Visit) -> Markup {
    html! { p.note { (visit.say(Text::HalfKnown)) } }
}
