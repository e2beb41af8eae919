//! What was done through the dashboard.

use axum::response::Html;
use maud::{Markup, html};

use super::layout::{Page, Section, page as frame};
use super::time;
use crate::links::encode;
use crate::store::audit::Line;
use crate::visit::Visit;

/// What the page shows.
pub(crate) struct Log<'a> {
    /// Newest first.
    pub(crate) lines: &'a [Line],
    /// Whose.
    pub(crate) name: &'a str,
    pub(crate) action: &'a str,
    /// What there can be.
    pub(crate) actions: &'a [&'static str],
    /// The line below which the next page begins.
    pub(crate) next: Option<i64>,
}

impl Log<'_> {
    fn query(&self) -> String {
        format!("name={}&action={}", encode(self.name), encode(self.action))
    }
}

pub(crate) fn page(visit: &Visit, log: &Log<'_>) -> Html<String> {
    let body = html! {
        header.head {
            div.title {
                h1 { "Audit log" }
                div.actions { a.button.quiet href={ "/audit.jsonl?" (log.query()) } download { "JSON Lines" } }
            }
            p.note { "Nothing is ever removed from it. What reverts did is in the history itself." }
        }
        form.row-form method="get" action="/audit" {
            label { span { "Who" } input type="text" name="name" value=(log.name); }
            label {
                span { "What" }
                select name="action" {
                    option value="" { "anything" }
                    @for one in log.actions { option value=(one) selected[*one == log.action] { (one) } }
                }
            }
            button { "Filter" }
        }
        @if log.lines.is_empty() {
            div.card.blank { p { strong { "There is nothing of the kind in the log." } } }
        } @else {
            table.list {
                caption.hidden { "Audit log" }
                thead {
                    tr {
                        th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "What" }
                        th scope="col" { "About" } th scope="col" { "From" }
                    }
                }
                tbody { @for line in log.lines { (row(visit, line)) } }
            }
        }
        @if let Some(next) = log.next {
            nav.pager aria-label="Pages" { a.button rel="next" href={ "/audit?" (log.query()) "&before=" (next) } { "Older entries" } }
        }
    };
    frame(visit, &Page { title: "Audit log", section: Section::Other, above: &[], body })
}

fn row(visit: &Visit, line: &Line) -> Markup {
    html! {
        tr {
            td data-head="When" { (time::moment(line.at, &visit.clock)) }
            th scope="row" data-head="Who" { (line.name) }
            td data-head="What" { (line.action) }
            td data-head="About" {
                @if let Some(connection) = &line.connection { strong { (connection) } " " }
                @if let Some(subject) = &line.subject { code { (subject) } " " }
                @if let Some(outcome) = &line.outcome { span.note { (outcome) } " " }
                @if let Some(xid) = line.xid {
                    @if line.connection.as_deref() == Some(&visit.connection.slug) {
                        a href=(visit.links().transaction(xid)) { "transaction " (xid) }
                    } @else {
                        "transaction " (xid)
                    }
                }
            }
            td data-head="From" { (line.client_addr.as_deref().unwrap_or("")) }
        }
    }
}
