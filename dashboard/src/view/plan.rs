//! The preview of a revert: what would happen, what stands against it, and the button that does it.

mod batches;
mod columns;
mod confirm;
mod words;

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::revert::{Plan, Step};
use pgtrack_tracker::{Column, Version};

use super::layout::{Page, Section, page as frame};
use super::number::count;
use super::{diff, effect, key, sql, time};
use crate::app_error::Problem;
use crate::revert::{Confirmation, Offered, Subject, narrowed};
use crate::visit::Visit;

pub(crate) use batches::Offer;

/// No more rows than this are shown; all are reverted.
pub(crate) const MOST_STEPS: usize = 200;

/// What the page shows.
pub(crate) struct Preview<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) plan: &'a Plan,
    /// For each table of the plan its columns in their order.
    pub(crate) orders: &'a [(String, Vec<Column>)],
    /// The columns to choose from.
    pub(crate) offered: &'a [Offered],
    /// For a revert of one row: the row's latest change.
    pub(crate) latest: Option<&'a Version>,
    /// Whether it can be done in batches.
    pub(crate) offer: Offer,
    /// What would stand against it besides conflicts.
    pub(crate) obstacle: Option<Problem>,
    /// Why the page is shown again.
    pub(crate) refusal: Option<Refusal>,
    /// What the form holds.
    pub(crate) confirmation: &'a Confirmation,
}

/// Why a confirmed plan was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The rows have changed since the plan was shown.
    Stale,
    /// Somebody changed rows since, and nothing was chosen to do about it.
    Conflict,
    /// A reason is needed.
    NoReason,
    /// The connection's name is needed.
    NotNamed,
    /// No column is ticked.
    NoColumn,
    /// Not all columns are ticked, and it was to be done in batches.
    ColumnsInBatches,
    /// It is too much for one step.
    OnlyBatches,
    /// Another undo in batches is running in this connection; its number.
    Busy(Option<i64>),
    /// Every row was left as it is.
    NothingChanged,
}

/// What a revert is called.
pub(crate) fn title(subject: &Subject) -> String {
    words::title(subject.target())
}

pub(crate) fn page(visit: &Visit, preview: &Preview<'_>) -> Html<String> {
    let title = title(preview.subject);
    let links = visit.links();
    let Preview { plan, offer, .. } = *preview;
    let body = html! {
        header.head {
            h1 { (title) }
            @if let Some(refusal) = preview.refusal { (refused(visit, refusal, preview)) }
            p.lead { (words::sentence(preview.subject.target(), &plan.totals, preview.confirmation)) }
            @if matches!(offer, Offer::OnlyBatches | Offer::Neither) { (batches::too_many(offer)) }
            @if let Some(latest) = preview.latest { (latest_change(visit, latest)) }
        }
        @if plan.conflicts() > 0 { (conflicts(plan)) }
        @if let Some(problem) = &preview.obstacle { (obstacle(problem)) }
        @if plan.steps.len() > MOST_STEPS { (batches::totals(plan)) }
        @if !preview.offered.is_empty() { (columns::choice(preview)) }
        @for (table, order) in preview.orders { (table_steps(visit, preview, table, order)) }
        @if words::is_idle(&plan.totals) {
            p.actions { a.button href=(words::back(links, preview.subject.target())) { "Go back" } }
        } @else {
            (exact_sql(preview))
            @if offer == Offer::Neither {
                p.actions { a.button href=(words::back(links, preview.subject.target())) { "Go back" } }
            } @else {
                (confirm::form(visit, preview))
            }
        }
    };
    let above = [("Overview", links.overview())];
    frame(visit, &Page { title: &title, section: Section::Other, above: &above, body })
}

/// What does the same in psql.
fn exact_sql(preview: &Preview<'_>) -> Markup {
    html! {
        details.card.sql {
            summary { "The same in SQL" }
            pre data-copyable { code { (sql::highlighted(&words::sql(preview.subject.target(), preview.confirmation))) } }
        }
    }
}

fn refused(visit: &Visit, refusal: Refusal, preview: &Preview<'_>) -> Markup {
    html! {
        div.notice.bad role="alert" {
            @match refusal {
                Refusal::Stale => {
                    p { strong { "The rows have changed since the plan was made, so nothing was done." } }
                    p { "This is the plan as of now. Look at it again before you confirm: it may be another one." }
                    @if let Some(latest) = preview.latest {
                        p { "See " a href=(visit.links().transaction(latest.xid)) { "transaction " (latest.xid) } " for what changed." }
                    }
                }
                Refusal::Conflict => {
                    p { strong { "Somebody changed rows since, so nothing was done." } }
                    p { "Choose below what to do with those rows." }
                }
                Refusal::NoReason => {
                    p { strong { "Nothing was done yet: say why." } }
                    p { "A reason is needed when more than one row is reverted. It is recorded with the change." }
                }
                Refusal::NotNamed => {
                    p { strong { "Nothing was done yet: this is production." } }
                    p { "Type the name of the connection, " strong { (visit.connection.label) } ", to confirm." }
                }
                Refusal::NoColumn => {
                    p { strong { "Nothing was done yet: no column is ticked." } }
                    p { "Tick those to set back." }
                }
                Refusal::ColumnsInBatches => {
                    p { strong { "Nothing was done yet: in batches, rows are set back whole." } }
                    p { "Tick all columns, or do it in one step." }
                }
                Refusal::OnlyBatches => {
                    p { strong { "Nothing was done yet: this is too much for one step." } }
                    p { "Tick below that it is done in batches." }
                }
                Refusal::Busy(job) => {
                    p { strong { "Nothing was done yet: another undo in batches is running here." } }
                    p {
                        "There is one at a time in a connection. "
                        @if let Some(id) = job { a href=(visit.links().job(id)) { "See how far it is" } "." }
                    }
                }
                Refusal::NothingChanged => {
                    p { strong { "Nothing was changed." } }
                    p { "Every row was left as it is." }
                }
            }
        }
    }
}

fn latest_change(visit: &Visit, latest: &Version) -> Markup {
    html! {
        p.meta {
            "The row's latest change: " (effect::mark(effect::done(latest.operation)))
            " by " strong { (latest.who) } ", " (time::moment(latest.at, &visit.clock)) ", "
            a href=(visit.links().transaction(latest.xid)) { "transaction " (latest.xid) }
            @if let Some(message) = &latest.message { ", " q { (message) } }
        }
    }
}

fn conflicts(plan: &Plan) -> Markup {
    html! {
        div.notice role="status" {
            p {
                strong { (count(plan.conflicts(), "row")) " changed since." }
                " What is shown for them is what overwriting would do."
            }
        }
    }
}

fn obstacle(problem: &Problem) -> Markup {
    html! {
        div.notice.bad role="status" {
            p { strong { "As things are, this cannot be done." } " It was tried and taken back." }
            p { (problem.text) }
            @if let Some(detail) = &problem.detail { p { (detail) } }
            @if let Some(hint) = &problem.hint { p.hint { strong { "What to do: " } (hint) } }
        }
    }
}

fn table_steps(visit: &Visit, preview: &Preview<'_>, table: &str, order: &[Column]) -> Markup {
    let steps = preview.plan.steps.iter().take(MOST_STEPS).filter(|step| step.table == table);
    let steps: Vec<_> = steps
        .map(|step| match &preview.confirmation.columns {
            Some(columns) => (step, narrowed(step, columns)),
            None => (step, step.after.clone()),
        })
        .collect();
    let rows: Vec<_> = steps
        .iter()
        .map(|(step, after)| diff::Row {
            head: Some(step_head(visit, step)),
            table: None,
            before: step.before.as_ref(),
            after: after.as_ref(),
        })
        .collect();
    html! {
        section {
            h2 { (table) }
            (diff::table(visit, &format!("What would happen to {table}"), diff::PLANNED, &rows, order))
        }
    }
}

fn step_head(visit: &Visit, step: &Step) -> Markup {
    html! {
        (effect::mark(effect::planned(step.action))) " "
        (key::link(visit.links(), &step.table, &step.key))
        @if let Some(conflict) = &step.conflict {
            p.conflict { span.sign aria-hidden="true" { "!" } " Conflict: " (conflict) }
        }
    }
}
