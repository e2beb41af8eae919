//! The preview of a revert: what would happen, what stands against it, and the button that does it.

mod batches;
mod columns;
mod confirm;
mod target;

use std::time::Duration;

use axum::response::Html;
use maud::{Markup, html};
use pgtrack_tracker::revert::{Plan, Step, Target};
use pgtrack_tracker::{Column, Version};

use super::layout::{Page, Section, page as frame};
use super::version::link_to_transaction;
use super::{diff, effect, key, sql, time};
use crate::app_error::Problem;
use crate::revert::{Choice, Confirmation, Offered, Subject, narrowed};
use crate::visit::Visit;
use crate::words::plan::Text;
use crate::words::{Marked, Shared};

pub(crate) use batches::Offer;
pub(crate) use target::{back as target_page, shell};

/// No more rows than this are shown; all are reverted.
pub(crate) const MOST_STEPS: usize = 200;

/// Fewer rows take no time worth a word.
const MANY: i64 = 1000;

/// What the page shows.
pub(crate) struct Preview<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) plan: &'a Plan,
    pub(crate) takes: Takes,
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

/// About how long it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Takes {
    pub(crate) at_once: Duration,
    pub(crate) in_batches: Duration,
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
    /// What is done by the difference has to be seen first.
    ByDifference,
}

/// What a revert is called.
pub(crate) fn title(subject: &Subject) -> Text<'_> {
    Text::Title(subject.target())
}

pub(crate) fn page(visit: &Visit, preview: &Preview<'_>) -> Html<String> {
    let title = visit.say(title(preview.subject));
    let links = visit.links();
    let Preview { plan, offer, .. } = *preview;
    let body = html! {
        header.head {
            h1 { (title) }
            @if let Some(refusal) = preview.refusal { (refused(visit, refusal, preview)) }
            p.lead { (target::sentence(visit, preview.subject.target(), &plan.totals, preview.confirmation)) }
            @if plan.rows() >= MANY { p.meta { (batches::duration(visit, preview)) } }
            @if matches!(offer, Offer::OnlyBatches | Offer::Neither) { (batches::too_many(visit, offer)) }
            @if let Some(latest) = preview.latest { (latest_change(visit, latest)) }
        }
        @if plan.conflicts() > 0 { (conflicts(visit, preview)) }
        @if let Some(problem) = &preview.obstacle { (obstacle(visit, problem)) }
        @if plan.steps.len() > MOST_STEPS { (batches::totals(visit, plan)) }
        @if !preview.offered.is_empty() { (columns::choice(visit, preview)) }
        @for (table, order) in preview.orders { (table_steps(visit, preview, table, order)) }
        @if target::is_idle(&plan.totals) && plan.conflicts() == 0 {
            p.actions { a.button href=(target::back(links, preview.subject.target())) { (visit.say(Shared::GoBack)) } }
        } @else {
            (exact_sql(visit, preview))
            @if offer == Offer::Neither {
                p.actions { a.button href=(target::back(links, preview.subject.target())) { (visit.say(Shared::GoBack)) } }
            } @else {
                (confirm::form(visit, preview))
            }
        }
    };
    let above = [(visit.say(Shared::Overview), links.overview())];
    frame(visit, &Page { title: &title, section: Section::Other, above: &above, body })
}

/// What does the same in psql.
fn exact_sql(visit: &Visit, preview: &Preview<'_>) -> Markup {
    html! {
        details.card.sql {
            summary { (visit.say(Text::SameInSql)) }
            pre data-copyable { code { (sql::highlighted(&target::sql(preview.subject.target(), preview.confirmation))) } }
        }
        details.card.sql {
            summary { (visit.say(Text::SameInShell)) }
            (command(preview.subject.target(), preview.confirmation))
        }
    }
}

/// The command that does it in a shell.
pub(crate) fn command(target: &Target, confirmation: &Confirmation) -> Markup {
    html! { pre data-copyable { code { (shell(target, confirmation)) } } }
}

fn refused(visit: &Visit, refusal: Refusal, preview: &Preview<'_>) -> Markup {
    html! {
        div.notice.bad role="alert" {
            @match refusal {
                Refusal::Stale => {
                    p { strong { (visit.say(Text::StaleTitle)) } }
                    p { (visit.say(Text::StaleHelp)) }
                    @if let Some(latest) = preview.latest {
                        p { (visit.say(Marked::SeeTransaction(link_to_transaction(visit, latest.xid)))) }
                    }
                }
                Refusal::Conflict => {
                    p { strong { (visit.say(Text::ConflictTitle)) } }
                    p { (visit.say(Text::ConflictHelp)) }
                }
                Refusal::NoReason => {
                    p { strong { (visit.say(Text::NoReasonTitle)) } }
                    p { (visit.say(Text::NoReasonHelp)) }
                }
                Refusal::NotNamed => {
                    p { strong { (visit.say(Text::NotNamedTitle)) } }
                    p { (visit.say(Marked::TypeName(&visit.connection.label))) }
                }
                Refusal::NoColumn => {
                    p { strong { (visit.say(Text::NoColumnTitle)) } }
                    p { (visit.say(Text::NoColumnHelp)) }
                }
                Refusal::ColumnsInBatches => {
                    p { strong { (visit.say(Text::ColumnsInBatchesTitle)) } }
                    p { (visit.say(Text::ColumnsInBatchesHelp)) }
                }
                Refusal::OnlyBatches => {
                    p { strong { (visit.say(Text::OnlyBatchesTitle)) } }
                    p { (visit.say(Text::OnlyBatchesHelp)) }
                }
                Refusal::Busy(job) => {
                    p { strong { (visit.say(Text::BusyTitle)) } }
                    p {
                        (visit.say(Text::OneAtATime)) " "
                        @if let Some(id) = job { (visit.say(Marked::SeeHowFar(&visit.links().job(id)))) }
                    }
                }
                Refusal::NothingChanged => {
                    p { strong { (visit.say(Text::NothingChangedTitle)) } }
                    p { (visit.say(Text::NothingChangedHelp)) }
                }
                Refusal::ByDifference => {
                    p { strong { (visit.say(Text::ByDifferenceTitle)) } }
                    p { (visit.say(Text::ByDifferenceHelp)) }
                }
            }
        }
    }
}

fn latest_change(visit: &Visit, latest: &Version) -> Markup {
    let change = Marked::LatestChange {
        mark: effect::mark(&effect::done(visit, latest.operation)),
        who: &latest.who,
        when: time::moment(visit, latest.at),
        transaction: link_to_transaction(visit, latest.xid),
        message: latest.message.as_deref(),
    };
    html! { p.meta { (visit.say(change)) } }
}

fn conflicts(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let shown = match preview.confirmation.planned {
        None | Some(Choice::Overwrite) => Text::OverwritingShown,
        Some(Choice::Skip | Choice::Merge | Choice::Delta) => Text::ChoiceShown,
    };
    html! {
        div.notice role="status" {
            p {
                strong { (visit.say(Text::ChangedSince(preview.plan.conflicts()))) } " "
                (visit.say(shown))
            }
        }
    }
}

fn obstacle(visit: &Visit, problem: &Problem) -> Markup {
    html! {
        div.notice.bad role="status" {
            p { strong { (visit.say(Text::CannotBeDone)) } " " (visit.say(Text::TriedAndTakenBack)) }
            p { (visit.say(&problem.text)) }
            @if let Some(detail) = &problem.detail { p { (visit.say(detail)) } }
            @if let Some(hint) = &problem.hint { p.hint { strong { (visit.say(Shared::WhatToDo)) " " } (visit.say(hint)) } }
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
            (diff::table(visit, &visit.say(Text::WhatWouldHappen(table)), &diff::Heads::planned(visit), &rows, order))
        }
    }
}

fn step_head(visit: &Visit, step: &Step) -> Markup {
    html! {
        (effect::mark(&effect::planned(visit, step.action))) " "
        (key::link(visit, &step.table, &step.key))
        @if let Some(conflict) = &step.conflict {
            p.conflict { span.sign aria-hidden="true" { "!" } " " (visit.say(Text::Conflict(conflict))) }
        }
    }
}
