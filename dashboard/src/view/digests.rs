//! The digests of a connection: the list, and the form to add or change one.

mod form;

use axum::http::StatusCode;
use axum::response::Html;
use maud::{Markup, html};

use super::form::refusal;
use super::layout::{Page, Section, page as frame};
use super::{number, time};
use crate::digests::{Format, Interval, Schedule};
use crate::search::Search;
use crate::store::digests::Saved;
use crate::visit::Visit;

pub(crate) use form::{Editor, form_page};

/// What the page shows.
pub(crate) struct List<'a> {
    pub(crate) digests: &'a [Saved],
    /// A test that was sent just now.
    pub(crate) tested: Option<Tested<'a>>,
    /// Why none can be added.
    pub(crate) why_not: Option<&'static str>,
}

/// How a test went.
pub(crate) struct Tested<'a> {
    pub(crate) name: &'a str,
    pub(crate) result: Result<StatusCode, String>,
}

pub(crate) fn list_page(visit: &Visit, list: &List<'_>) -> Html<String> {
    let add = format!("{}/new", visit.links().digests());
    let body = html! {
        header.head {
            div.title {
                h1 { "Digests" }
                @if list.why_not.is_none() { div.actions { a.button.primary href=(add) { "Add digest…" } } }
            }
            p.note { "A digest tells a chat or a program how much was changed, where and by whom. It holds no values and no texts of statements." }
        }
        @if visit.here.ends_with("saved=yes") { div.notice.good role="status" { p { "Saved." } } }
        @if let Some(tested) = &list.tested { (outcome(tested)) }
        @if let Some(why) = list.why_not { div.notice { p { (why) "." } } }
        @if list.digests.is_empty() {
            div.card.blank {
                p { strong { "There is no digest yet." } }
                @if list.why_not.is_none() { p { "For example, be told in a Slack channel within five minutes of every DELETE on one table." } }
            }
        } @else {
            table.list {
                caption.hidden { "Digests" }
                thead { tr { th scope="col" { "Name" } th scope="col" { "Changes" } th scope="col" { "When" } th scope="col" { "Latest attempt" } th scope="col" { "Change" } } }
                tbody { @for one in list.digests { (row(visit, one)) } }
            }
        }
    };
    frame(visit, &Page { title: "Digests", section: Section::Other, above: &[health(visit)], body })
}

fn health(visit: &Visit) -> (&'static str, String) {
    ("Health", visit.links().health())
}

fn outcome(tested: &Tested<'_>) -> Markup {
    match &tested.result {
        Ok(status) => html! {
            div.notice.good role="status" { p { "The test of " strong { (tested.name) } " was delivered, with status " (status.as_u16()) "." } }
        },
        Err(why) => refusal(&format!("The test of {} was not delivered: {why}.", tested.name)),
    }
}

fn row(visit: &Visit, one: &Saved) -> Markup {
    let details = &one.details;
    let search = Search::parse(&details.query).unwrap_or_default();
    html! {
        tr {
            th scope="row" data-head="Name" {
                strong { (details.name) }
                div.note { (format_label(details.format)) " to " code { (one.sealed.shown_url) } }
            }
            td data-head="Changes" {
                a href=(visit.links().changes(&search)) {
                    @if search.is_open() { "all" }
                    @for (index, chip) in search.chips().enumerate() {
                        @if index > 0 { ", " }
                        (chip.label) @if !chip.value.is_empty() { ": " strong { (chip.value) } }
                    }
                }
            }
            td data-head="When" {
                (schedule(&details.schedule)) @if details.sends_empty { ", also empty" }
                @if !one.is_paused { div.note { "next " (time::text(one.due_at, &visit.clock)) } }
            }
            td data-head="Latest attempt" { (latest(visit, one)) }
            td data-head="Change" { (actions(visit, one)) }
        }
    }
}

/// How the latest attempt went, and what follows from that.
fn latest(visit: &Visit, one: &Saved) -> Markup {
    html! {
        @match &one.last {
            None => span.note { "none yet" },
            Some(last) => {
                @if last.worked { span.mark.insert { span.sign aria-hidden="true" { "✓" } " delivered" } }
                @else { span.mark.delete { span.sign aria-hidden="true" { "✗" } " not delivered" } }
                " " (last.outcome)
                div.note { (time::moment(last.at, &visit.clock)) }
            }
        }
        @if one.is_paused {
            div {
                span.badge.warn { "paused" } " "
                @if one.pause_reason.is_some() { "after " (number::count(i64::from(one.failures), "attempt")) " that did not work" }
                div.note { "Once it goes on, it tells all since " (time::text(one.covered_until, &visit.clock)) "." }
            }
        } @else if one.failures > 0 {
            div.note { (number::count(i64::from(one.failures), "attempt")) " did not work; it is tried again" }
        }
    }
}

fn actions(visit: &Visit, one: &Saved) -> Markup {
    let place = visit.links().digest(&one.id);
    let name = &one.details.name;
    html! {
        div.cell-forms {
            a.button.quiet href=(place) { "Edit" span.hidden { " " (name) } }
            form method="post" action={ (place) "/test" } { button.quiet { "Send a test" span.hidden { " of " (name) } } }
            form method="post" action={ (place) "/pause" } {
                input type="hidden" name="paused" value=(if one.is_paused { "off" } else { "on" });
                button.quiet { @if one.is_paused { "Resume" } @else { "Pause" } span.hidden { " " (name) } }
            }
            form method="post" action={ (place) "/remove" } { button.quiet.danger { "Remove" span.hidden { " " (name) } } }
        }
    }
}

fn format_label(format: Format) -> &'static str {
    match format {
        Format::Json => "JSON",
        Format::Slack => "Text",
    }
}

fn schedule(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Every(interval) => interval_label(*interval).to_owned(),
        Schedule::Daily { hour, zone } => format!("every day at {hour:02}:00 {zone}"),
    }
}

fn interval_label(interval: Interval) -> &'static str {
    match interval {
        Interval::FiveMinutes => "every 5 minutes",
        Interval::QuarterHour => "every 15 minutes",
        Interval::Hour => "every hour",
    }
}
