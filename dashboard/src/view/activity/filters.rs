//! What to look for: the form, and what it holds as chips that can be taken away.

use std::borrow::Cow;

use maud::{Markup, html};
use pgtrack_tracker::Operation;

use super::Activity;
use crate::auth::Role;
use crate::search::{Chip, Grouping, SHOW, Search};
use crate::view::form::refusal;
use crate::visit::Visit;
use crate::words::activity::Text;
use crate::words::{Shared, Why, problem};

const OPERATIONS: [Operation; 4] =
    [Operation::Insert, Operation::Update, Operation::Delete, Operation::Truncate];
const TIMES: [(&str, Text<'_>); 6] = [
    ("15m", Text::Last15Minutes),
    ("1h", Text::LastHour),
    ("24h", Text::Last24Hours),
    ("7d", Text::Last7Days),
    ("30d", Text::Last30Days),
    ("", Text::AnyTime),
];

/// An example.
const KEY: &str = r#"{"id": 1}"#;

/// What can be done with the whole list.
pub(super) fn actions(visit: &Visit, search: &Search) -> Markup {
    let links = visit.links();
    html! {
        div.actions {
            @if search.frozen(&visit.clock) != *search {
                a.button.quiet href=(links.changes(&search.frozen(&visit.clock))) data-copy data-freeze title=(visit.say(Text::FreezeHelp)) { (visit.say(Text::FreezeTime)) }
            }
            @if visit.may_export() {
                a.button.quiet href=(links.export(search, "csv")) download title=(visit.say(Text::CsvHelp)) { (visit.say(Text::Csv)) }
                a.button.quiet href=(links.export(search, "jsonl")) download { (visit.say(Text::JsonLines)) }
            }
            @if visit.is(Role::Admin) { a.button.quiet href=(links.new_digest(search)) { (visit.say(Text::NewDigest)) } }
        }
    }
}

/// The form. Whatever it holds is in the URL, so that it can be shared.
pub(super) fn form(visit: &Visit, activity: &Activity<'_>) -> Markup {
    let search = activity.search;
    let links = visit.links();
    let is_marked = |name: &str| {
        let fields = activity.refusal.as_ref().map_or(&[] as &[&str], Why::fields);
        fields.contains(&name).then_some("true")
    };
    let from = search.value("since").filter(|from| TIMES.iter().all(|(value, _)| value != from));
    let more = ["until", "xid", "key", "column", "value", "reverts"];
    let is_open = from.is_some() || more.iter().any(|name| search.value(name).is_some());
    html! {
        section.filter aria-label=(visit.say(Shared::Filter)) {
            @if let Some(why) = &activity.refusal { (refusal(visit, &problem::Text::CannotBeLookedFor(why.clone()))) }
            form method="get" action=(links.changes(&Search::default())) role="search" {
                @if search.grouping == Grouping::Transactions { input type="hidden" name="view" value="transactions"; }
                @if search.shows_ignored { input type="hidden" name="ignored" value=(SHOW); }
                // Several tables or operations are kept, and the list adds one; a single one is chosen in the list.
                @for name in ["table", "op"] {
                    @if only(search, name).is_none() {
                        @for value in search.values(name) { input type="hidden" name=(name) value=(value); }
                    }
                }
                div.fields {
                    label.wide { span { (visit.say(Text::Wording)) } input #search type="search" name="q" value=[search.value("q")] placeholder=(visit.say(Text::InStatementOrReason)); }
                    label { span { (visit.say(Shared::Table)) } (tables(visit, activity, is_marked("table"))) }
                    label { span { (visit.say(Text::Operation)) }
                        select name="op" {
                            option value="" { (visit.say(Shared::Any)) }
                            @for one in OPERATIONS { option value=(one.word().to_lowercase()) selected[only(search, "op") == Some(&one.word().to_lowercase())] { (visit.say(Shared::Operation(one))) } }
                        }
                    }
                    label { span { (visit.say(Shared::Who)) } input type="text" name="who" value=[search.value("who")] autocomplete="off"; }
                    label { span { (visit.say(Shared::Application)) } input type="text" name="app" value=[search.value("app")] autocomplete="off"; }
                    label { span { (visit.say(Text::Time)) } (times(visit, search)) }
                    button.primary { (visit.say(Shared::Filter)) }
                }
                details open[is_open] {
                    summary { (visit.say(Text::More)) }
                    div.fields {
                        label { span { (visit.say(Text::From)) } input type="text" name="from" value=[from] placeholder="2026-11-23 13:00"; }
                        label { span { (visit.say(Text::Until)) } input type="text" name="until" value=[search.value("until")] placeholder="2026-11-23 14:00"; }
                        label { span { (visit.say(Shared::Transaction)) } input type="text" inputmode="numeric" name="xid" value=[search.value("xid")]; }
                        label { span { (visit.say(Text::RowKey)) } input type="text" name="key" value=[search.value("key")] placeholder=(KEY) aria-invalid=[is_marked("key")]; }
                        label { span { (visit.say(Shared::Column)) } input type="text" name="column" value=[search.value("column")] placeholder=(visit.say(Text::ThatWasChanged)) aria-invalid=[is_marked("column")]; }
                        label { span { (visit.say(Shared::Value)) } input type="text" name="value" value=[search.value("value")] placeholder=(visit.say(Text::BeforeOrAfter)); }
                        label.check { input type="checkbox" name="reverts" value="on" checked[search.value("reverts").is_some()]; span { (visit.say(Text::RevertsOnly)) } }
                    }
                }
            }
            @if !search.is_open() {
                div.chips-row {
                    ul.chips aria-label=(visit.say(Text::ActiveFilters)) { @for one in search.chips() { (chip(visit, &one)) } }
                    a href=(links.changes(&Search::default().grouped(search.grouping))) { (visit.say(Text::ClearAll)) }
                    form.save method="post" action=(links.views()) {
                        input type="hidden" name="query" value=(search.query());
                        label { span.hidden { (visit.say(Shared::Name)) } input type="text" name="name" required maxlength="64" placeholder=(visit.say(Text::NameOfView)); }
                        button.quiet { (visit.say(Text::SaveView)) }
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
        ul.chips aria-label=(visit.say(Text::SavedViews)) {
            @for view in activity.saved {
                li.chip {
                    a href={ (links.changes(&Search::default())) (view.query) } { (view.name) }
                    form method="post" action=(links.remove_view()) {
                        input type="hidden" name="name" value=(view.name);
                        button aria-label=(visit.say(Text::RemoveView(&view.name))) { "×" }
                    }
                }
            }
        }
    }
}

/// The value of a parameter that has one only.
fn only<'a>(search: &'a Search, name: &str) -> Option<&'a str> {
    let mut values = search.values(name);
    values.next().filter(|_| values.next().is_none())
}

/// The table in the URL is there also if it is not tracked any more.
fn tables(visit: &Visit, activity: &Activity<'_>, is_invalid: Option<&str>) -> Markup {
    let chosen = only(activity.search, "table");
    let is_listed = |name: &str| activity.tables.iter().any(|table| table.display_name == name);
    html! {
        select name="table" aria-invalid=[is_invalid] {
            option value="" { (visit.say(Shared::Any)) }
            @for table in activity.tables {
                option value=(table.display_name) selected[chosen == Some(&table.display_name)] { (table.display_name) }
            }
            @if let Some(name) = chosen.filter(|name| !is_listed(name)) { option value=(name) selected { (name) } }
        }
    }
}

/// The usual times, and the one in the URL if it is another one.
fn times(visit: &Visit, search: &Search) -> Markup {
    let chosen = search.value("since").unwrap_or("");
    html! {
        select name="since" {
            @for (value, label) in TIMES { option value=(value) selected[value == chosen] { (visit.say(label)) } }
            @if TIMES.iter().all(|(value, _)| *value != chosen) { option value=(chosen) selected { (visit.say(Text::SinceMoment(chosen))) } }
        }
    }
}

/// What a part of the filter is about.
pub(crate) fn chip_label(visit: &Visit, parameter: &str) -> Cow<'static, str> {
    match parameter {
        "table" => visit.say(Shared::Table),
        "op" => visit.say(Text::Operation),
        "who" => visit.say(Shared::Who),
        "app" => visit.say(Shared::Application),
        "since" => visit.say(Text::Since),
        "until" => visit.say(Text::Until),
        "q" => visit.say(Text::Wording),
        "xid" => visit.say(Shared::Transaction),
        "key" => visit.say(Text::Row),
        "column" => visit.say(Shared::Column),
        "value" => visit.say(Shared::Value),
        _ => visit.say(Text::RevertsOnly),
    }
}

/// One active part of the filter, with the way to take it away.
pub(super) fn chip(visit: &Visit, chip: &Chip<'_>) -> Markup {
    let label = &chip_label(visit, chip.name);
    html! {
        li.chip {
            span { (label) @if !chip.value.is_empty() { ": " strong { (chip.value) } } }
            a href=(visit.links().changes(&chip.without)) aria-label=(visit.say(Text::RemoveChip { label, value: chip.value })) { "×" }
        }
    }
}
