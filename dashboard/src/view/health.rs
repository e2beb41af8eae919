//! Whether all that should be recorded is: findings, tables without a key, tables that are not tracked.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::TrackedTable;
use pgtrack_tracker::care::{Finding, Standing, Untracked};

use super::layout::{Page, Section, page as frame};
use super::number::{grouped, length};
use super::tables::add_key;
use crate::auth::Role;
use crate::table_name;
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::care::Text;

/// What the page shows.
pub(crate) struct Health<'a> {
    pub(crate) tracked: &'a [TrackedTable],
    pub(crate) untracked: &'a [Untracked],
    pub(crate) findings: &'a [Finding],
    pub(crate) standing: &'a Standing,
}

pub(crate) fn page(visit: &Visit, health: &Health<'_>) -> Html<String> {
    let keyless: Vec<_> =
        health.tracked.iter().filter(|table| table.key_columns.is_empty()).collect();
    let all = health.tracked.len() + health.untracked.len();
    let body = html! {
        header.head {
            div.title {
                h1 { (visit.say(Shared::Health)) }
                @if visit.is(Role::Admin) {
                    div.actions {
                        a.button href=(visit.links().digests()) { (visit.say(Shared::Digests)) }
                        a.button href=(visit.links().rules()) { (visit.say(Text::ColumnRules)) }
                    }
                }
            }
            dl.facts.strip {
                div { dt { (visit.say(Text::Tracked)) } dd { (visit.say(Text::TrackedOf { tracked: length(health.tracked.len()), of: length(all) })) } }
                div { dt { (visit.say(Text::Findings)) } dd { (grouped(visit, length(health.findings.len()))) } }
                div { dt { (visit.say(Text::WithoutKey)) } dd { (grouped(visit, length(keyless.len()))) } }
            }
        }
        (findings(visit, health))
        @if visit.is(Role::Admin) { (rights(visit, health.standing)) }
        @if !keyless.is_empty() { (without_key(visit, &keyless)) }
        (not_tracked(visit, health))
    };
    frame(
        visit,
        &Page { title: &visit.say(Shared::Health), section: Section::Health, above: &[], body },
    )
}

fn findings(visit: &Visit, health: &Health<'_>) -> Markup {
    html! {
        section aria-labelledby="findings" {
            h2 #findings { (visit.say(Text::Findings)) }
            @if health.findings.is_empty() {
                div.notice.good { p { (visit.say(Text::EverythingRecorded)) } }
            } @else {
                ul.findings {
                    @for one in health.findings {
                        li.card {
                            p { @if let Some(table) = &one.table { span.table { (table) } ": " } strong { (one.problem) } }
                            @if let Some(hint) = &one.hint { p.hint { strong { (visit.say(Shared::WhatToDo)) " " } (hint) } }
                            @if let (Some(table), true) = (&one.table, may_change(visit)) { (switch(visit, table, "on", Text::TrackAgain)) }
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
            h2 #keyless { (visit.say(Text::TrackedWithoutKey)) }
            p.note { (visit.say(Text::KeylessHelp)) }
            ul.findings {
                @for table in tables {
                    li.card {
                        a.table href=(visit.links().table(&table.display_name)) { (table.display_name) }
                        pre data-copyable { code { (add_key(&table.display_name)) ";" } }
                    }
                }
            }
        }
    }
}

fn not_tracked(visit: &Visit, health: &Health<'_>) -> Markup {
    html! {
        section aria-labelledby="untracked" {
            h2 #untracked { (visit.say(Text::NotTracked)) }
            @if health.untracked.is_empty() {
                p.note { (visit.say(Text::EverythingTracked)) }
            } @else {
                table.list {
                    caption.hidden { (visit.say(Text::TablesNotTracked)) }
                    thead { tr { th scope="col" { (visit.say(Shared::Table)) } th scope="col" { (visit.say(Shared::PrimaryKey)) } th.number scope="col" { (visit.say(Text::Rows)) } th scope="col" { (visit.say(Text::Tracking)) } } }
                    tbody {
                        @for table in health.untracked {
                            tr {
                                th scope="row" data-head=(visit.say(Shared::Table)) { span.table { (table.display_name) } }
                                td data-head=(visit.say(Shared::PrimaryKey)) { @if table.has_key { (visit.say(Text::HasKey)) } @else { span.badge.warn { (visit.say(Shared::NoPrimaryKey)) } } }
                                td.number data-head=(visit.say(Text::Rows)) { @if table.estimated_rows == 0 { span.note { (visit.say(Shared::NotCountedYet)) } } @else { (visit.say(Shared::About(table.estimated_rows))) } }
                                td data-head=(visit.say(Text::Tracking)) {
                                    @if may_change(visit) { (switch(visit, &table_name::write(&table.name), "on", Text::Track)) }
                                    @else { span.note { (visit.say(Text::TrackingOff)) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What pg_track could do with less: no fault of the recording, so no finding.
fn rights(visit: &Visit, standing: &Standing) -> Markup {
    let other_owner = standing.other_owner();
    html! {
        @if standing.is_superuser || other_owner.is_some() {
            section aria-labelledby="rights" {
                h2 #rights { (visit.say(Text::Rights)) }
                ul.findings {
                    @if standing.is_superuser {
                        li.card {
                            p { strong { (visit.say(Text::IsSuperuser(&standing.role))) } }
                            p.hint { strong { (visit.say(Shared::WhatToDo)) " " } (visit.say(Text::MakeServiceRole)) }
                        }
                    }
                    @if let Some(owner) = other_owner {
                        li.card {
                            p { strong { (visit.say(Text::OtherOwner(owner))) } }
                            p.hint { strong { (visit.say(Shared::WhatToDo)) " " } (visit.say(Text::InstallAgain)) }
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

fn switch(visit: &Visit, table: &str, to: &str, label: Text<'_>) -> Markup {
    html! {
        form method="post" action={ (visit.links().health()) "/track" } {
            input type="hidden" name="table" value=(table);
            input type="hidden" name="tracking" value=(to);
            div.actions { button.quiet { (visit.say(label)) span.hidden { " " (table) } } }
        }
    }
}
