//! One statement: an entry of the list, and a page of its own.

use std::borrow::Cow;

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::activity::Statement;
use pgtrack_tracker::{Column, Version};

use super::effect::{done, mark, rows_done, undo_badge};
use super::layout::{Page, Section, page as frame};
use super::number::length;
use super::{diff, query, select, sql, time, version};
use crate::revert::Subject;
use crate::search::Search;
use crate::visit::Visit;
use crate::words::activity::Text;
use crate::words::{Marked, Shared};

/// An entry of the list; with a box to select it for an undo.
pub(crate) fn item(visit: &Visit, statement: &Statement, may_select: bool) -> Markup {
    let links = visit.links();
    let (id, xid) = (statement.id, statement.xid);
    html! {
        li.entry data-xid=(xid) data-undo-plan=[visit.may_revert().then(|| links.plan(&Subject::statements(&[id])))] {
            div.when {
                @if may_select { (select::tick("statement", id, &visit.say(Text::SelectChange(id)))) }
                (time::moment(visit, statement.at))
            }
            div.who {
                span {
                    strong { (statement.who) }
                    @if let Some(application) = &statement.application { " " span.origin { (application) } }
                }
                span.origin { (origin(visit, statement)) }
            }
            div.what {
                div.summary {
                    @if let Some(reverts) = &statement.reverts { (undo_badge(visit, reverts)) }
                    ul.effects {
                        li {
                            a.table href=(links.table(&statement.table)) { (statement.table) } " "
                            (mark(&rows_done(visit, statement.rows, statement.operation)))
                        }
                    }
                }
                @if let Some(message) = &statement.message { p.message { (message) } }
                @if let Some(text) = &statement.query { (query::line(visit, text)) }
            }
            div.open {
                a href=(links.change(id)) { (visit.say(Text::Change(id))) }
                a.quiet href=(links.transaction(xid)) { (visit.say(Text::ShortTransaction(xid))) }
            }
        }
    }
}

fn origin(visit: &Visit, statement: &Statement) -> Cow<'static, str> {
    visit.say(Text::Origin {
        client: statement.client_addr.as_deref(),
        through_proxy: statement.through_proxy,
        user: (statement.who != statement.user_name).then_some(&statement.user_name),
    })
}

/// What the page of a statement shows.
pub(crate) struct Changes<'a> {
    pub(crate) statement: &'a Statement,
    /// The table's columns in their order.
    pub(crate) order: &'a [Column],
    pub(crate) versions: &'a [Version],
    /// How many rows are shown, if not all.
    pub(crate) shown: Option<usize>,
}

pub(crate) fn page(visit: &Visit, changes: &Changes<'_>) -> Html<String> {
    let statement = changes.statement;
    let links = visit.links();
    let title = visit.say(Text::Change(statement.id));
    let undo = links.plan(&Subject::statements(&[statement.id]));
    let transaction = Search::with("xid", &statement.xid.to_string());
    let rows = Marked::RowsOf {
        mark: mark(&done(visit, statement.operation)),
        rows: statement.rows,
        table: html! { a.table href=(links.table(&statement.table)) { (statement.table) } },
    };
    let body = html! {
        header.head {
            div.title {
                h1 { (title) }
                @if let Some(reverts) = &statement.reverts { (undo_badge(visit, reverts)) }
                @if visit.may_revert() {
                    div.actions {
                        a.button href=(links.plan(&Subject::transaction(statement.xid))) { (visit.say(Shared::UndoTransaction)) }
                        a.button.primary data-undo href=(undo) { (visit.say(Text::UndoThisChange)) }
                    }
                }
            }
            p { (visit.say(rows)) }
            @if let Some(message) = &statement.message { p.message { (message) } }
        }
        dl.facts.card {
            div { dt { (visit.say(Shared::When)) } dd { (time::moment(visit, statement.at)) } }
            div { dt { (visit.say(Shared::Who)) } dd { strong { (statement.who) } } }
            div { dt { (visit.say(Shared::Application)) } dd { @match &statement.application { Some(name) => (name), None => (visit.say(Shared::NotNamed)) } } }
            div { dt { (visit.say(Shared::Client)) } dd { (origin(visit, statement)) } }
            div {
                dt { (visit.say(Shared::Transaction)) }
                dd {
                    a href=(links.transaction(statement.xid)) { (statement.xid) } " "
                    a.note href=(links.changes(&transaction)) { (visit.say(Text::ItsChanges)) }
                }
            }
        }
        @if let Some(text) = &statement.query {
            section { h2 { (visit.say(Text::Statement)) } pre.query data-copyable { code { (sql::highlighted(text)) } } }
        }
        @if visit.rules.hides_any() {
            p.note { (visit.say(Text::StatementHidden)) }
        }
        @if let Some(shown) = changes.shown {
            div.notice { p { (visit.say(Text::OnlyRows(length(shown)))) } }
        }
        (row_changes(visit, changes))
    };
    let above = [(visit.say(Shared::Activity), links.changes(&Search::default()))];
    frame(visit, &Page { title: &title, section: Section::Activity, above: &above, body })
}

fn row_changes(visit: &Visit, changes: &Changes<'_>) -> Markup {
    let rows: Vec<_> = changes.versions.iter().map(|one| version::diff_row(visit, one)).collect();
    let caption = visit.say(Shared::ChangesOf(&changes.statement.table));
    html! {
        section {
            h2 { (visit.say(Text::Rows)) }
            (diff::table(visit, &caption, &diff::Heads::recorded(visit), &rows, changes.order))
        }
    }
}
