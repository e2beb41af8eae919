//! Everything about one transaction, and the way to undo it.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::{Column, Transaction, Version};

use super::effect::{effects, undo_badge};
use super::feed::origin;
use super::layout::{Page, Section, page as frame};
use super::number::{grouped, length};
use super::{diff, sql, time, version};
use crate::revert::Subject;
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::activity::Text;

/// The changes of one table.
pub(crate) struct TableChanges<'a> {
    pub(crate) table: &'a str,
    /// The table's columns in their order.
    pub(crate) order: Vec<Column>,
    pub(crate) versions: Vec<&'a Version>,
}

/// What the page shows.
pub(crate) struct Changes<'a> {
    pub(crate) transaction: &'a Transaction,
    pub(crate) tables: Vec<TableChanges<'a>>,
    /// How many rows are shown, if not all.
    pub(crate) shown: Option<usize>,
}

pub(crate) fn page(visit: &Visit, changes: &Changes<'_>) -> Html<String> {
    let transaction = changes.transaction;
    let title = visit.say(Text::Transaction(transaction.xid));
    let links = visit.links();
    let undo = links.plan(&Subject::transaction(transaction.xid));
    let body = html! {
        header.head {
            div.title {
                h1 { (title) }
                @if let Some(reverts) = &transaction.reverts { (undo_badge(visit, reverts)) }
                @if visit.may_revert() {
                    div.actions { a.button.primary href=(undo) { (visit.say(Shared::UndoTransaction)) } }
                }
            }
            (effects(visit, &transaction.effects))
            @if let Some(message) = &transaction.message { p.message { (message) } }
        }
        (facts(visit, transaction))
        @if let Some(query) = &transaction.query {
            section { h2 { (visit.say(Text::FirstStatement)) } pre.query data-copyable { code { (sql::highlighted(query)) } } }
        }
        @if let Some(shown) = changes.shown {
            div.notice {
                p { (visit.say(Text::OnlyFirstRows(length(shown)))) }
            }
        }
        @for table in &changes.tables { (table_changes(visit, table)) }
    };
    let above = [(visit.say(Shared::Overview), links.overview())];
    frame(visit, &Page { title: &title, section: Section::Overview, above: &above, body })
}

fn facts(visit: &Visit, transaction: &Transaction) -> Markup {
    let rows = transaction.effects.iter().map(|effect| effect.rows).sum();
    html! {
        dl.facts.card {
            div { dt { (visit.say(Shared::When)) } dd { (time::moment(visit, transaction.at)) } }
            div { dt { (visit.say(Shared::Who)) } dd { strong { (transaction.who) } } }
            div { dt { (visit.say(Shared::Application)) } dd { @match &transaction.application { Some(name) => (name), None => (visit.say(Shared::NotNamed)) } } }
            div { dt { (visit.say(Shared::Client)) } dd { (origin(visit, transaction)) } }
            div { dt { (visit.say(Text::RowChanges)) } dd { (grouped(visit, rows)) } }
        }
    }
}

fn table_changes(visit: &Visit, changes: &TableChanges<'_>) -> Markup {
    let links = visit.links();
    let rows: Vec<_> =
        changes.versions.iter().map(|version| version::diff_row(visit, version)).collect();
    let caption = visit.say(Shared::ChangesOf(changes.table));
    html! {
        section {
            h2 { a href=(links.table(changes.table)) { (changes.table) } }
            (diff::table(visit, &caption, &diff::Heads::recorded(visit), &rows, &changes.order))
        }
    }
}
