//! The digests of a connection: the list, and the form to add or change one.

mod form;

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::response::Html;
use maud::{Markup, html};

use super::activity::chip_label;
use super::form::refusal;
use super::layout::{Page, Section, page as frame};
use super::time;
use crate::digests::Schedule;
use crate::search::Search;
use crate::store::digests::Saved;
use crate::visit::Visit;
use crate::words::digests::Text;
use crate::words::{Marked, Shared, Why, problem};

pub(crate) use form::{Editor, form_page};

/// What the page shows.
pub(crate) struct List<'a> {
    pub(crate) digests: &'a [Saved],
    /// A test that was sent just now.
    pub(crate) tested: Option<Tested<'a>>,
    /// Why none can be added.
    pub(crate) why_not: Option<Why>,
}

/// How a test went.
pub(crate) struct Tested<'a> {
    pub(crate) name: &'a str,
    pub(crate) result: Result<StatusCode, Why>,
}

pub(crate) fn list_page(visit: &Visit, list: &List<'_>) -> Html<String> {
    let add = format!("{}/new", visit.links().digests());
    let body = html! {
        header.head {
            div.title {
                h1 { (visit.say(Shared::Digests)) }
                @if list.why_not.is_none() { div.actions { a.button.primary href=(add) { (visit.say(Text::Add)) } } }
            }
            p.note { (visit.say(Text::AboutDigests)) }
        }
        @if visit.here.ends_with("saved=yes") { div.notice.good role="status" { p { (visit.say(Shared::Saved)) } } }
        @if let Some(tested) = &list.tested { (outcome(visit, tested)) }
        @if let Some(why) = &list.why_not { div.notice { p { (visit.say(problem::Text::Only(why.clone()))) } } }
        @if list.digests.is_empty() {
            div.card.blank {
                p { strong { (visit.say(Text::NoneYet)) } }
                @if list.why_not.is_none() { p { (visit.say(Text::ForExample)) } }
            }
        } @else {
            table.list {
                caption.hidden { (visit.say(Shared::Digests)) }
                thead { tr { th scope="col" { (visit.say(Shared::Name)) } th scope="col" { (visit.say(Shared::Changes)) } th scope="col" { (visit.say(Shared::When)) }
                        th scope="col" { (visit.say(Text::LatestAttempt)) } th scope="col" { (visit.say(Text::Change)) } } }
                tbody { @for one in list.digests { (row(visit, one)) } }
            }
        }
    };
    frame(
        visit,
        &Page {
            title: &visit.say(Shared::Digests),
            section: Section::Other,
            above: &[health(visit)],
            body,
        },
    )
}

fn health(visit: &Visit) -> (Cow<'static, str>, String) {
    (visit.say(Shared::Health), visit.links().health())
}

fn outcome(visit: &Visit, tested: &Tested<'_>) -> Markup {
    match &tested.result {
        Ok(status) => html! {
            div.notice.good role="status" { p { (visit.say(Marked::TestDelivered { name: tested.name, status: status.as_u16() })) } }
        },
        Err(why) => {
            let (name, why) = (tested.name.to_owned(), why.clone());
            refusal(visit, &problem::Text::TestNotDelivered { name, why })
        }
    }
}

fn row(visit: &Visit, one: &Saved) -> Markup {
    let details = &one.details;
    let search = Search::parse(&details.query).unwrap_or_default();
    html! {
        tr {
            th scope="row" data-head=(visit.say(Shared::Name)) {
                strong { (details.name) }
                div.note { (visit.say(Marked::DigestTo { format: &visit.say(Text::FormatName(details.format)), url: &one.sealed.shown_url })) }
            }
            td data-head=(visit.say(Shared::Changes)) {
                a href=(visit.links().changes(&search)) {
                    @if search.is_open() { (visit.say(Text::AllChanges)) }
                    @for (index, chip) in search.chips().enumerate() {
                        @if index > 0 { ", " }
                        (chip_label(visit, chip.name)) @if !chip.value.is_empty() { ": " strong { (chip.value) } }
                    }
                }
            }
            td data-head=(visit.say(Shared::When)) {
                @if details.sends_empty { (visit.say(Text::AlsoEmpty(&schedule(visit, &details.schedule)))) } @else { (schedule(visit, &details.schedule)) }
                @if !one.is_paused { div.note { (visit.say(Text::Next(&time::text(visit, one.due_at)))) } }
            }
            td data-head=(visit.say(Text::LatestAttempt)) { (latest(visit, one)) }
            td data-head=(visit.say(Text::Change)) { (actions(visit, one)) }
        }
    }
}

/// How the latest attempt went, and what follows from that.
fn latest(visit: &Visit, one: &Saved) -> Markup {
    html! {
        @match &one.last {
            None => span.note { (visit.say(Text::NoAttempt)) },
            Some(last) => {
                @if last.worked { span.mark.insert { span.sign aria-hidden="true" { "✓" } " " (visit.say(Text::Delivered)) } }
                @else { span.mark.delete { span.sign aria-hidden="true" { "✗" } " " (visit.say(Text::NotDelivered)) } }
                " " (last.outcome)
                div.note { (time::moment(visit, last.at)) }
            }
        }
        @if one.is_paused {
            div {
                span.badge.warn { (visit.say(Text::Paused)) } " "
                @if one.pause_reason.is_some() { (visit.say(Text::AfterAttempts(one.failures.into()))) }
                div.note { (visit.say(Text::GoesOnFrom(&time::text(visit, one.covered_until)))) }
            }
        } @else if one.failures > 0 {
            div.note { (visit.say(Text::IsTriedAgain(one.failures.into()))) }
        }
    }
}

fn actions(visit: &Visit, one: &Saved) -> Markup {
    let place = visit.links().digest(&one.id);
    let name = &one.details.name;
    html! {
        div.cell-forms {
            a.button.quiet href=(place) { (visit.say(Text::Edit)) span.hidden { " " (name) } }
            form method="post" action={ (place) "/test" } { button.quiet { (visit.say(Marked::SendTest(name))) } }
            form method="post" action={ (place) "/pause" } {
                input type="hidden" name="paused" value=(if one.is_paused { "off" } else { "on" });
                button.quiet { @if one.is_paused { (visit.say(Text::Resume)) } @else { (visit.say(Text::Pause)) } span.hidden { " " (name) } }
            }
            form method="post" action={ (place) "/remove" } { button.quiet.danger { (visit.say(Shared::Remove)) span.hidden { " " (name) } } }
        }
    }
}

fn schedule(visit: &Visit, schedule: &Schedule) -> Cow<'static, str> {
    visit.say(match schedule {
        Schedule::Every(interval) => Text::Every(*interval),
        Schedule::Daily { hour, zone } => Text::EveryDayAt { hour: *hour, zone },
    })
}
