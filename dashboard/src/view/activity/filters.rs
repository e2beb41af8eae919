//! What to look for: the form, and what it holds as chips that can be taken away.

use maud::{Markup, html};

use super::Activity;
use crate::auth::Role;
use crate::links::Links;
use crate::search::{Chip, Grouping, SHOW, Search};
use crate::view::form::refusal;
use crate::visit::Visit;

const OPERATIONS: [&str; 4] = ["insert", "update", "delete", "truncate"];
const TIMES: [(&str, &str); 6] = [
    ("15m", "the last 15 minutes"),
    ("1h", "the last hour"),
    ("24h", "the last 24 hours"),
    ("7d", "the last 7 days"),
    ("30d", "the last 30 days"),
    ("", "any time"),
];

/// What can be done with the whole list.
pub(super) fn actions(visit: &Visit, search: &Search) -> Markup {
    let links = visit.links();
    html! {
        div.actions {
            @if search.frozen(&visit.clock) != *search {
                a.button.quiet href=(links.changes(&search.frozen(&visit.clock))) data-copy title="A link that goes on to show this time" { "Freeze time" }
            }
            @if visit.may_export() {
                a.button.quiet href=(links.export(search, "csv")) download { "CSV" }
                a.button.quiet href=(links.export(search, "jsonl")) download { "JSON Lines" }
            }
            @if visit.is(Role::Admin) { a.button.quiet href=(links.new_digest(search)) { "Digest…" } }
        }
    }
}

/// The form. Whatever it holds is in the URL, so that it can be shared.
pub(super) fn form(visit: &Visit, activity: &Activity<'_>) -> Markup {
    let search = activity.search;
    let links = visit.links();
    let more = ["until", "xid", "key", "column", "value", "reverts"];
    let is_open = more.iter().any(|name| search.value(name).is_some());
    html! {
        section.filter aria-label="Filter" {
            @if let Some(why) = &activity.refusal { (refusal(&format!("This cannot be looked for: {why}."))) }
            form method="get" action=(links.changes(&Search::default())) role="search" {
                @if search.grouping == Grouping::Transactions { input type="hidden" name="view" value="transactions"; }
                @if search.shows_ignored { input type="hidden" name="ignored" value=(SHOW); }
                // Several tables or operations are kept; the list adds one.
                @for name in ["table", "op"] {
                    @for value in search.values(name) { input type="hidden" name=(name) value=(value); }
                }
                div.fields {
                    label.wide { span { "Text" } input #search type="search" name="q" value=[search.value("q")] placeholder="in the statement or the reason"; }
                    label { span { "Table" } (tables(activity)) }
                    label { span { "Operation" }
                        select name="op" {
                            option value="" { "any" }
                            @for one in OPERATIONS { option value=(one) { (one) } }
                        }
                    }
                    label { span { "Who" } input type="text" name="who" value=[search.value("who")] autocomplete="off"; }
                    label { span { "Application" } input type="text" name="app" value=[search.value("app")] autocomplete="off"; }
                    label { span { "Time" } (times(search)) }
                    button.primary { "Filter" }
                }
                details open[is_open] {
                    summary { "More" }
                    div.fields {
                        label { span { "Until" } input type="text" name="until" value=[search.value("until")] placeholder="2026-11-23 14:00"; }
                        label { span { "Transaction" } input type="text" inputmode="numeric" name="xid" value=[search.value("xid")]; }
                        label { span { "Row key" } input type="text" name="key" value=[search.value("key")] placeholder="{\"id\": 1}"; }
                        label { span { "Column" } input type="text" name="column" value=[search.value("column")] placeholder="that was changed"; }
                        label { span { "Value" } input type="text" name="value" value=[search.value("value")] placeholder="before or after"; }
                        label.check { input type="checkbox" name="reverts" value="on" checked[search.value("reverts").is_some()]; span { "Reverts only" } }
                    }
                }
            }
            @if !search.is_open() {
                div.chips-row {
                    ul.chips aria-label="Active filters" { @for one in search.chips() { (chip(links, &one)) } }
                    a href=(links.changes(&Search::default().grouped(search.grouping))) { "Clear all" }
                    form.save method="post" action=(links.views()) {
                        input type="hidden" name="query" value=(search.query());
                        label { span.hidden { "Name" } input type="text" name="name" required maxlength="64" placeholder="Name of this view"; }
                        button.quiet { "Save view" }
                    }
                }
            }
            @if !activity.saved.is_empty() { (saved(visit, activity)) }
        }
    }
}

fn saved(visit: &Visit, activity: &Activity<'_>) -> Markup {
    let links = visit.links();
    html! {
        ul.chips aria-label="Saved views" {
            @for view in activity.saved {
                li.chip {
                    a href={ (links.changes(&Search::default())) (view.query) } { (view.name) }
                    form method="post" action=(links.remove_view()) {
                        input type="hidden" name="name" value=(view.name);
                        button aria-label={ "Remove the view " (view.name) } { "×" }
                    }
                }
            }
        }
    }
}

fn tables(activity: &Activity<'_>) -> Markup {
    html! {
        select name="table" {
            option value="" { "any" }
            @for table in activity.tables { option value=(table.display_name) { (table.display_name) } }
        }
    }
}

/// The usual times, and the one in the URL if it is another one.
fn times(search: &Search) -> Markup {
    let chosen = search.value("since").unwrap_or("");
    html! {
        select name="since" {
            @for (value, label) in TIMES { option value=(value) selected[value == chosen] { (label) } }
            @if TIMES.iter().all(|(value, _)| *value != chosen) { option value=(chosen) selected { "since " (chosen) } }
        }
    }
}

/// One active part of the filter, with the way to take it away.
pub(super) fn chip(links: Links<'_>, chip: &Chip<'_>) -> Markup {
    html! {
        li.chip {
            span { (chip.label) @if !chip.value.is_empty() { ": " strong { (chip.value) } } }
            a href=(links.changes(&chip.without)) aria-label={ "Remove " (chip.label) " " (chip.value) } { "×" }
        }
    }
}
