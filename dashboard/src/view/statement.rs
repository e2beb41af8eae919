//! One statement: an entry of the list, and a page of its own.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::activity::Statement;
use pgtrack_tracker::{Column, Version};

use super::effect::{done, mark, undo_badge};
use super::layout::{Page, Section, page as frame};
use super::number::{count, grouped, length};
use super::{diff, feed, query, select, sql, time, version};
use crate::clock::Clock;
use crate::links::Links;
use crate::revert::Subject;
use crate::search::Search;
use crate::visit::Visit;

/// An entry of the list; with a box to select it for an undo.
pub(crate) fn item(
    statement: &Statement,
    links: Links<'_>,
    clock: &Clock,
    may_select: bool,
) -> Markup {
    let sign = done(statement.operation);
    html! {
        li.entry data-xid=(statement.xid) {
            div.when {
                @if may_select { (select::tick("statement", statement.id, &format!("change {}", statement.id))) }
                (time::moment(statement.at, clock))
            }
            div.who {
                span {
                    strong { (statement.who) }
                    @if let Some(application) = &statement.application { " " span.origin { (application) } }
                }
                span.origin { (origin(statement)) }
            }
            div.what {
                div.summary {
                    @if let Some(reverts) = &statement.reverts { (undo_badge(reverts, links)) }
                    ul.effects {
                        li {
                            a.table href=(links.table(&statement.table)) { (statement.table) } " "
                            span.mark.(sign.class) {
                                span.sign aria-hidden="true" { (sign.sign) } " " (grouped(statement.rows)) " " (sign.word)
                            }
                        }
                    }
                }
                @if let Some(message) = &statement.message { p.message { (message) } }
                @if let Some(text) = &statement.query { (query::line(text)) }
            }
            div.open {
                a href=(links.change(statement.id)) { "Change " (statement.id) }
                a.quiet href=(links.transaction(statement.xid)) { "tx " (statement.xid) }
            }
        }
    }
}

fn origin(statement: &Statement) -> Markup {
    feed::origin_of(
        statement.client_addr.as_deref(),
        statement.through_proxy,
        (statement.who != statement.user_name).then_some(&*statement.user_name),
    )
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
    let title = format!("Change {}", statement.id);
    let undo = links.plan(&Subject::statements(&[statement.id]));
    let transaction = Search::with("xid", &statement.xid.to_string());
    let body = html! {
        header.head {
            div.title {
                h1 { (title) }
                @if let Some(reverts) = &statement.reverts { (undo_badge(reverts, links)) }
                @if visit.may_revert() {
                    div.actions {
                        a.button href=(links.plan(&Subject::transaction(statement.xid))) { "Undo transaction…" }
                        a.button.primary data-undo href=(undo) { "Undo this change…" }
                    }
                }
            }
            p { (mark(done(statement.operation))) " " (count(statement.rows, "row")) " of " a.table href=(links.table(&statement.table)) { (statement.table) } }
            @if let Some(message) = &statement.message { p.message { (message) } }
        }
        dl.facts.card {
            div { dt { "When" } dd { (time::moment(statement.at, &visit.clock)) } }
            div { dt { "Who" } dd { strong { (statement.who) } } }
            div { dt { "Application" } dd { (statement.application.as_deref().unwrap_or("not named")) } }
            div { dt { "Client" } dd { (origin(statement)) } }
            div {
                dt { "Transaction" }
                dd {
                    a href=(links.transaction(statement.xid)) { (statement.xid) } " "
                    a.note href=(links.changes(&transaction)) { "its changes" }
                }
            }
        }
        @if let Some(text) = &statement.query {
            section { h2 { "Statement" } pre.query data-copyable { code { (sql::highlighted(text)) } } }
        }
        @if visit.rules.hides_any() {
            p.note { "The text of the statement is hidden from your role, as it may hold hidden values." }
        }
        @if let Some(shown) = changes.shown {
            div.notice { p { "Only " (count(length(shown), "row")) " are shown. An undo includes all of them." } }
        }
        (rows(visit, changes))
    };
    let above = [("Activity", links.changes(&Search::default()))];
    frame(visit, &Page { title: &title, section: Section::Activity, above: &above, body })
}

fn rows(visit: &Visit, changes: &Changes<'_>) -> Markup {
    let rows: Vec<_> =
        changes.versions.iter().map(|one| version::diff_row(one, visit.links())).collect();
    html! {
        section {
            h2 { "Rows" }
            (diff::table(visit, &format!("Changes of {}", changes.statement.table), diff::RECORDED, &rows, changes.order))
        }
    }
}
