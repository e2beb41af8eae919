//! What the history takes up, and what a purge would remove.

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::care::{Purged, Storage as Table};

use super::layout::{Page, Section, page as frame};
use super::number::size;
use super::time;
use crate::auth::Role;
use crate::visit::Visit;
use crate::words::care::Text;
use crate::words::{Marked, Shared};

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
            h1 { (visit.say(Shared::Storage)) }
            dl.facts.strip {
                div { dt { (visit.say(Text::AllOfTheHistory)) } dd { (size(visit, images + storage.statement_bytes)) } }
                div { dt { (visit.say(Text::OfThatStatements)) } dd { (size(visit, storage.statement_bytes)) } }
                @if let Some(oldest) = storage.tables.iter().filter_map(|one| one.oldest).min() {
                    div { dt { (visit.say(Shared::OldestChange)) } dd { (time::moment(visit, oldest)) } }
                }
            }
        }
        @if let Some(purge) = &storage.purge { (preview(visit, purge)) }
        (tables(visit, storage))
        @if visit.is(Role::Admin) && !visit.connection.is_read_only { (form(visit, storage)) }
    };
    frame(
        visit,
        &Page { title: &visit.say(Shared::Storage), section: Section::Storage, above: &[], body },
    )
}

fn tables(visit: &Visit, storage: &Storage<'_>) -> Markup {
    html! {
        @if storage.tables.is_empty() {
            div.card.blank { (super::tables::nothing_tracked(visit)) }
        } @else {
            table.list {
                caption.hidden { (visit.say(Text::HistoryByTable)) }
                thead {
                    tr {
                        th scope="col" { (visit.say(Shared::Table)) } th.number scope="col" { (visit.say(Shared::Changes)) } th.number scope="col" { (visit.say(Text::Images)) }
                        th.number scope="col" { (visit.say(Text::Indexes)) } th.number scope="col" { (visit.say(Text::Growth)) } th scope="col" { (visit.say(Shared::OldestChange)) }
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
            th scope="row" data-head=(visit.say(Shared::Table)) {
                @if one.is_tracked { a.table href=(visit.links().table(&one.table)) { (one.table) } }
                @else { span.table { (one.table) } " " span.badge.warn { (visit.say(Text::NotTrackedAnyMore)) } }
            }
            td.number data-head=(visit.say(Shared::Changes)) { @if one.estimated_changes == 0 { span.note { (visit.say(Shared::NotCountedYet)) } } @else { (visit.say(Shared::About(one.estimated_changes))) } }
            td.number data-head=(visit.say(Text::Images)) { (size(visit, one.heap_bytes)) }
            td.number data-head=(visit.say(Text::Indexes)) { (size(visit, one.index_bytes)) }
            td.number data-head=(visit.say(Text::Growth)) { @if let Some(bytes) = daily(visit, one) { (visit.say(Marked::ADay(size(visit, bytes)))) } @else { span.note { (visit.say(Text::NotKnownYet)) } } }
            td data-head=(visit.say(Shared::OldestChange)) {
                @match one.oldest { Some(at) => (time::moment(visit, at)), None => span.note { (visit.say(Text::Nothing)) } }
                @if let Some(at) = one.purged_until { " " span.note { (visit.say(Text::PurgedUntil(&time::text(visit, at)))) } }
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
            h2 #purge { (visit.say(Text::PurgeOld)) }
            form.row-form method="get" action=(visit.links().storage()) {
                label {
                    span { (visit.say(Text::KeepDays)) }
                    input type="text" inputmode="numeric" name="keep" required value=[storage.purge.as_ref().map(|purge| purge.days)] placeholder="90";
                }
                button { (visit.say(Text::ShowWhatGoes)) }
            }
        }
    }
}

fn preview(visit: &Visit, purge: &Purge) -> Markup {
    let changes = purge.tables.iter().map(|one| one.changes).sum();
    html! {
        section.card.form-card aria-labelledby="preview" {
            h2 #preview { (visit.say(Text::PurgeOlder(purge.days))) }
            @if purge.tables.is_empty() {
                p { (visit.say(Text::NothingThatOld)) }
            } @else {
                p.lead { (visit.say(Marked::WouldRemove(changes))) }
                ul { @for one in &purge.tables { li { span.table { (one.table) } ": " (visit.say(Text::ChangesByStatements { changes: one.changes, statements: one.statements })) } } }
                form method="post" action={ (visit.links().storage()) "/purge" } data-once {
                    input type="hidden" name="keep" value=(purge.days);
                    div.actions {
                        a.button href=(visit.links().storage()) { (visit.say(Shared::Cancel)) }
                        button.danger { (visit.say(Text::RemoveChanges(changes))) }
                    }
                }
            }
        }
    }
}
