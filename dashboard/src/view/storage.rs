//! What the history takes up, and what a purge would remove.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::care::{Purged, Storage as Table};

use super::layout::{Page, Section, page as frame};
use super::number::{count, grouped, size};
use super::time;
use crate::auth::Role;
use crate::visit::Visit;

/// What the page shows.
pub(crate) struct Storage<'a> {
    pub(crate) tables: &'a [Table],
    /// What is recorded about statements.
    pub(crate) statement_bytes: i64,
    /// A purge to be confirmed.
    pub(crate) purge: Option<Purge>,
}

/// What a purge would remove.
pub(crate) struct Purge {
    pub(crate) days: u32,
    pub(crate) tables: Vec<Purged>,
}

pub(crate) fn page(visit: &Visit, storage: &Storage<'_>) -> Html<String> {
    let images: i64 = storage.tables.iter().map(|one| one.heap_bytes + one.index_bytes).sum();
    let body = html! {
        header.head {
            h1 { "Storage" }
            dl.facts.strip {
                div { dt { "All of the history" } dd { (size(images + storage.statement_bytes)) } }
                div { dt { "Of that statements" } dd { (size(storage.statement_bytes)) } }
                @if let Some(oldest) = storage.tables.iter().filter_map(|one| one.oldest).min() {
                    div { dt { "Oldest change" } dd { (time::moment(oldest, &visit.clock)) } }
                }
            }
        }
        @if let Some(purge) = &storage.purge { (preview(visit, purge)) }
        (tables(visit, storage))
        @if visit.is(Role::Admin) && !visit.connection.is_read_only { (form(visit, storage)) }
    };
    frame(visit, &Page { title: "Storage", section: Section::Storage, above: &[], body })
}

fn tables(visit: &Visit, storage: &Storage<'_>) -> Markup {
    html! {
        @if storage.tables.is_empty() {
            div.card.blank { (super::tables::nothing_tracked(visit)) }
        } @else {
            table.list {
                caption.hidden { "History by table" }
                thead {
                    tr {
                        th scope="col" { "Table" } th.number scope="col" { "Changes" } th.number scope="col" { "Images" }
                        th.number scope="col" { "Indexes" } th.number scope="col" { "Growth" } th scope="col" { "Oldest change" }
                    }
                }
                tbody { @for one in storage.tables { (row(visit, one)) } }
            }
        }
    }
}

fn row(visit: &Visit, one: &Table) -> Markup {
    html! {
        tr {
            th scope="row" data-head="Table" {
                @if one.is_tracked { a.table href=(visit.links().table(&one.table)) { (one.table) } }
                @else { span.table { (one.table) } " " span.badge.warn { "not tracked any more" } }
            }
            td.number data-head="Changes" { @if one.estimated_changes == 0 { span.note { "not counted yet" } } @else { "about " (grouped(one.estimated_changes)) } }
            td.number data-head="Images" { (size(one.heap_bytes)) }
            td.number data-head="Indexes" { (size(one.index_bytes)) }
            td.number data-head="Growth" { @if let Some(bytes) = daily(visit, one) { (size(bytes)) " a day" } @else { span.note { "not known yet" } } }
            td data-head="Oldest change" {
                @match one.oldest { Some(at) => (time::moment(at, &visit.clock)), None => span.note { "none" } }
                @if let Some(at) = one.purged_until { " " span.note { "purged until " (time::text(at, &visit.clock)) } }
            }
        }
    }
}

/// What has come a day on average, once there is a day to look back on.
fn daily(visit: &Visit, one: &Table) -> Option<i64> {
    let days = visit.clock.now.duration_since(one.oldest?).as_secs() / 86_400;
    (days > 0).then(|| (one.heap_bytes + one.index_bytes) / days)
}

fn form(visit: &Visit, storage: &Storage<'_>) -> Markup {
    html! {
        section.card.form-card aria-labelledby="purge" {
            h2 #purge { "Purge old history" }
            form.row-form method="get" action=(visit.links().storage()) {
                label {
                    span { "Keep the last … days" }
                    input type="text" inputmode="numeric" name="keep" required value=[storage.purge.as_ref().map(|purge| purge.days)] placeholder="90";
                }
                button { "Show what would be removed…" }
            }
        }
    }
}

fn preview(visit: &Visit, purge: &Purge) -> Markup {
    let changes = purge.tables.iter().map(|one| one.changes).sum();
    html! {
        section.card.form-card aria-labelledby="preview" {
            h2 #preview { "Purge what is older than " (purge.days) " days" }
            @if purge.tables.is_empty() {
                p { "There is nothing that old. Nothing would be removed." }
            } @else {
                p.lead {
                    "This would remove " strong { (count(changes, "change")) }
                    ". They could then neither be shown nor undone, and this cannot be taken back."
                }
                ul { @for one in &purge.tables { li { span.table { (one.table) } ": " (count(one.changes, "change")) " by " (count(one.statements, "statement")) } } }
                form method="post" action={ (visit.links().storage()) "/purge" } data-once {
                    input type="hidden" name="keep" value=(purge.days);
                    div.actions {
                        a.button href=(visit.links().storage()) { "Cancel" }
                        button.danger { "Remove " (count(changes, "change")) }
                    }
                }
            }
        }
    }
}
