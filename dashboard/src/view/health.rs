//! Whether all that should be recorded is: findings, tables without a key, tables that are not tracked.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::TrackedTable;
use pgtrack_tracker::care::{Finding, Untracked};

use super::layout::{Page, Section, page as frame};
use super::number::{count, grouped, length};
use crate::auth::Role;
use crate::table_name;
use crate::visit::Visit;

/// What the page shows.
pub(crate) struct Health<'a> {
    pub(crate) tracked: &'a [TrackedTable],
    pub(crate) untracked: &'a [Untracked],
    pub(crate) findings: &'a [Finding],
}

pub(crate) fn page(visit: &Visit, health: &Health<'_>) -> Html<String> {
    let keyless: Vec<_> =
        health.tracked.iter().filter(|table| table.key_columns.is_empty()).collect();
    let all = health.tracked.len() + health.untracked.len();
    let body = html! {
        header.head {
            div.title {
                h1 { "Health" }
                @if visit.is(Role::Admin) { div.actions { a.button href=(visit.links().digests()) { "Digests" } a.button href=(visit.links().rules()) { "Column rules" } } }
            }
            dl.facts.strip {
                div { dt { "Tracked" } dd { (grouped(length(health.tracked.len()))) " of " (count(length(all), "table")) } }
                div { dt { "Findings" } dd { (grouped(length(health.findings.len()))) } }
                div { dt { "Without a primary key" } dd { (grouped(length(keyless.len()))) } }
            }
        }
        (findings(visit, health))
        @if !keyless.is_empty() { (without_key(visit, &keyless)) }
        (not_tracked(visit, health))
    };
    frame(visit, &Page { title: "Health", section: Section::Health, above: &[], body })
}

fn findings(visit: &Visit, health: &Health<'_>) -> Markup {
    html! {
        section aria-labelledby="findings" {
            h2 #findings { "Findings" }
            @if health.findings.is_empty() {
                div.notice.good { p { "Every change of the tracked tables is recorded." } }
            } @else {
                ul.findings {
                    @for one in health.findings {
                        li.card {
                            p { @if let Some(table) = &one.table { span.table { (table) } ": " } strong { (one.problem) } }
                            @if let Some(hint) = &one.hint { p.hint { strong { "What to do: " } (hint) } }
                            @if let (Some(table), true) = (&one.table, may_change(visit)) { (switch(visit, table, "on", "Track again")) }
                        }
                    }
                }
            }
        }
    }
}

fn without_key(visit: &Visit, tables: &[&TrackedTable]) -> Markup {
    html! {
        section aria-labelledby="keyless" {
            h2 #keyless { "Tracked without a primary key" }
            p.note { "Their changes are recorded, but single rows cannot be followed or put back." }
            ul.findings {
                @for table in tables {
                    li.card {
                        a.table href=(visit.links().table(&table.display_name)) { (table.display_name) }
                        pre data-copyable { code { "ALTER TABLE " (table.display_name) " ADD PRIMARY KEY (…);" } }
                    }
                }
            }
        }
    }
}

fn not_tracked(visit: &Visit, health: &Health<'_>) -> Markup {
    html! {
        section aria-labelledby="untracked" {
            h2 #untracked { "Not tracked" }
            @if health.untracked.is_empty() {
                p.note { "Every table is tracked." }
            } @else {
                table.list {
                    caption.hidden { "Tables that are not tracked" }
                    thead { tr { th scope="col" { "Table" } th scope="col" { "Primary key" } th.number scope="col" { "Rows" } th scope="col" { "Tracking" } } }
                    tbody {
                        @for table in health.untracked {
                            tr {
                                th scope="row" data-head="Table" { span.table { (table.display_name) } }
                                td data-head="Primary key" { @if table.has_key { "yes" } @else { span.badge.warn { "no primary key" } } }
                                td.number data-head="Rows" { @if table.estimated_rows == 0 { span.note { "not counted yet" } } @else { "about " (grouped(table.estimated_rows)) } }
                                td data-head="Tracking" {
                                    @if may_change(visit) { (switch(visit, &table_name::write(&table.name), "on", "Track")) }
                                    @else { span.note { "off" } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn may_change(visit: &Visit) -> bool {
    visit.is(Role::Admin) && !visit.connection.is_read_only
}

fn switch(visit: &Visit, table: &str, to: &str, label: &str) -> Markup {
    html! {
        form method="post" action={ (visit.links().health()) "/track" } {
            input type="hidden" name="table" value=(table);
            input type="hidden" name="tracking" value=(to);
            div.actions { button.quiet { (label) span.hidden { " " (table) } } }
        }
    }
}
