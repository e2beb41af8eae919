//! What was done through the dashboard.

use std::borrow::Cow;

use axum::response::Html;
use maud::{Markup, html};

use super::layout::{Page, Section, page as frame};
use super::time;
use super::version::link_to_transaction;
use crate::links::encode;
use crate::store::audit::{Action, Line};
use crate::visit::Visit;
use crate::words::people::Text;
use crate::words::{Marked, Shared};

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
                h1 { (visit.say(Shared::AuditLog)) }
                div.actions { a.button.quiet href={ "/audit.jsonl?" (log.query()) } download { (visit.say(Text::JsonLines)) } }
            }
            p.note { (visit.say(Text::NeverRemoved)) }
            p.note { (visit.say(Marked::AuditOfDatabase)) }
        }
        form.row-form method="get" action="/audit" {
            label { span { (visit.say(Shared::Who)) } input type="text" name="name" value=(log.name); }
            label {
                span { (visit.say(Text::What)) }
                select name="action" {
                    option value="" { (visit.say(Text::Anything)) }
                    @for one in log.actions { option value=(one) selected[*one == log.action] { (did(visit, one)) } }
                }
            }
            button { (visit.say(Shared::Filter)) }
        }
        @if log.lines.is_empty() {
            div.card.blank { p { strong { (visit.say(Text::NothingOfTheKind)) } } }
        } @else {
            table.list {
                caption.hidden { (visit.say(Shared::AuditLog)) }
                thead {
                    tr {
                        th scope="col" { (visit.say(Shared::When)) } th scope="col" { (visit.say(Shared::Who)) } th scope="col" { (visit.say(Text::What)) }
                        th scope="col" { (visit.say(Text::About)) } th scope="col" { (visit.say(Text::From)) }
                    }
                }
                tbody { @for line in log.lines { (row(visit, line)) } }
            }
        }
        @if let Some(next) = log.next {
            nav.pager aria-label=(visit.say(Shared::Pages)) { a.button rel="next" href={ "/audit?" (log.query()) "&before=" (next) } { (visit.say(Text::OlderEntries)) } }
        }
    };
    frame(
        visit,
        &Page { title: &visit.say(Shared::AuditLog), section: Section::Other, above: &[], body },
    )
}

/// What was done; the log may know more than we do.
fn did<'a>(visit: &Visit, action: &'a str) -> Cow<'a, str> {
    let known = Action::ALL.into_iter().find(|one| one.words() == action);
    known.map_or(Cow::Borrowed(action), |known| visit.say(Text::Did(known)))
}

fn row(visit: &Visit, line: &Line) -> Markup {
    html! {
        tr {
            td data-head=(visit.say(Shared::When)) { (time::moment(visit, line.at)) }
            th scope="row" data-head=(visit.say(Shared::Who)) { (line.name) }
            td data-head=(visit.say(Text::What)) { (did(visit, &line.action)) }
            td data-head=(visit.say(Text::About)) {
                @if let Some(connection) = &line.connection { strong { (connection) } " " }
                @if let Some(subject) = &line.subject { code { (subject) } " " }
                @if let Some(outcome) = &line.outcome { span.note { (outcome) } " " }
                @if let Some(xid) = line.xid {
                    @if line.connection.as_deref() == Some(&visit.connection.slug) {
                        (link_to_transaction(visit, xid))
                    } @else {
                        (visit.say(Shared::TransactionNumber(xid)))
                    }
                }
            }
            td data-head=(visit.say(Text::From)) { (line.client_addr.as_deref().unwrap_or("")) }
        }
    }
}
