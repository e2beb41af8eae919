//! What a plan for many rows shows besides its rows: how many they are, and the choice to do it in batches.

use std::borrow::Cow;

use maud::{Markup, html};
use pgtrack_tracker::revert::{self, Action, Plan};

use super::{MOST_STEPS, Preview, Refusal, Takes, effect};
use crate::revert::{BATCH_ROWS, Confirmation, PAGE};
use crate::view::number::{grouped, length};
use crate::visit::Visit;
use crate::words::plan::Text;
use crate::words::{Marked, Shared};

/// Whether a plan can be done in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It is small, or cannot be split.
    OneStep,
    /// As the person likes.
    Choice,
    /// It is too much for one step.
    OnlyBatches,
    /// It is too much for one step, and cannot be split.
    Neither,
}

/// The numbers of a plan that is too long to be shown.
pub(super) fn totals(visit: &Visit, plan: &Plan) -> Markup {
    html! {
        section {
            h2 { (visit.say(Text::WhatWouldChange)) }
            table.list.totals {
                caption.hidden { (visit.say(Text::RowsByTable)) }
                thead {
                    tr {
                        th scope="col" { (visit.say(Shared::Table)) } th scope="col" { (visit.say(Text::What)) }
                        th scope="col" { (visit.say(Text::Rows)) } th scope="col" { (visit.say(Text::ChangedHead)) }
                    }
                }
                tbody {
                    @for total in plan.totals.iter().filter(|total| total.action != Action::Nothing) {
                        tr {
                            th scope="row" data-head=(visit.say(Shared::Table)) { (total.table) }
                            td data-head=(visit.say(Text::What)) { (effect::mark(&effect::planned(visit, total.action))) }
                            td data-head=(visit.say(Text::Rows)) { (grouped(visit, total.rows)) }
                            td data-head=(visit.say(Text::ChangedHead)) { (grouped(visit, total.conflicts)) }
                        }
                    }
                }
            }
        }
        div.notice {
            p { (visit.say(Text::OnlyFirst { shown: length(MOST_STEPS), of: plan.rows() })) }
        }
    }
}

/// Too much for one step, and what to do then.
pub(super) fn too_many(visit: &Visit, offer: Offer) -> Markup {
    html! {
        div.notice role="status" {
            p { strong { (visit.say(Text::TooMany(length(revert::MOST_STEPS)))) } }
            @if offer == Offer::OnlyBatches {
                p { (visit.say(Text::CanBeBatches)) }
            } @else {
                p { (visit.say(Marked::ChooseFewer)) }
            }
        }
    }
}

/// How long it takes; of both ways, where there are two.
pub(super) fn duration(visit: &Visit, preview: &Preview<'_>) -> Cow<'static, str> {
    let Takes { at_once, in_batches } = preview.takes;
    visit.say(match preview.offer {
        Offer::OneStep | Offer::Neither => Text::Takes(at_once),
        Offer::OnlyBatches => Text::TakesInBatches(in_batches),
        Offer::Choice => Text::TakesEither { at_once, in_batches },
    })
}

/// The box that accepts that it is not all or nothing.
pub(super) fn accept(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let is_needed = preview.offer == Offer::OnlyBatches;
    let is_missing = preview.refusal == Some(Refusal::OnlyBatches);
    html! {
        @if matches!(preview.offer, Offer::Choice | Offer::OnlyBatches) {
            label.choice {
                input type="checkbox" name=(Confirmation::BATCHES) value="on" required[is_needed]
                    checked[preview.confirmation.in_batches] aria-invalid=[is_missing.then_some("true")];
                span {
                    strong { (visit.say(Text::InBatches(BATCH_ROWS.into()))) }
                    " " span.note { (visit.say(Text::InBatchesHelp)) }
                    @if preview.takes.at_once > PAGE { " " span.note { (visit.say(Text::LongerThanPage(PAGE))) } }
                }
            }
        }
    }
}
