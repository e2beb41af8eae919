//! What a plan for many rows shows besides its rows: how many they are, and the choice to do it in batches.

use maud::{Markup, html};
use pgtrack_tracker::revert::{self, Action, Plan};

use super::{MOST_STEPS, Preview, Refusal, effect};
use crate::revert::{BATCH_ROWS, Confirmation};
use crate::view::number::{count, grouped, length};

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
pub(super) fn totals(plan: &Plan) -> Markup {
    html! {
        section {
            h2 { "What would change" }
            table.list.totals {
                caption.hidden { "Rows by table" }
                thead {
                    tr {
                        th scope="col" { "Table" } th scope="col" { "What" } th scope="col" { "Rows" }
                        th scope="col" { "Changed since" }
                    }
                }
                tbody {
                    @for total in plan.totals.iter().filter(|total| total.action != Action::Nothing) {
                        tr {
                            th scope="row" data-head="Table" { (total.table) }
                            td data-head="What" { (effect::mark(effect::planned(total.action))) }
                            td data-head="Rows" { (grouped(total.rows)) }
                            td data-head="Changed since" { (grouped(total.conflicts)) }
                        }
                    }
                }
            }
        }
        div.notice {
            p { "Only the first " (MOST_STEPS) " of " (count(plan.rows(), "row")) " are shown. All of them are included." }
        }
    }
}

/// Too much for one step, and what to do then.
pub(super) fn too_many(offer: Offer) -> Markup {
    let most = count(length(revert::MOST_STEPS), "row");
    html! {
        div.notice role="status" {
            p { strong { "This is about more than " (most) ", which is too much for one step." } }
            @if offer == Offer::OnlyBatches {
                p { "It can be done in batches. Nothing has been changed yet." }
            } @else {
                p { "Nothing can be done from here. Choose fewer changes or a shorter time, or run the statement below in psql. On the command line, " code { "pgtrack undo" } " shows how many rows of which table it is about, and asks first." }
            }
        }
    }
}

/// The box that accepts that it is not all or nothing.
pub(super) fn accept(preview: &Preview<'_>) -> Markup {
    let is_needed = preview.offer == Offer::OnlyBatches;
    let is_missing = preview.refusal == Some(Refusal::OnlyBatches);
    html! {
        @if matches!(preview.offer, Offer::Choice | Offer::OnlyBatches) {
            label.choice {
                input type="checkbox" name=(Confirmation::BATCHES) value="on" required[is_needed]
                    checked[preview.confirmation.in_batches] aria-invalid=[is_missing.then_some("true")];
                span {
                    strong { "In batches of " (grouped(i64::from(BATCH_ROWS))) " rows." }
                    " " span.note { "Each batch is applied by itself: what is done stays done if a later one fails." }
                }
            }
        }
    }
}
