//! The form that confirms a plan.

use maud::{Markup, html};
use pgtrack_tracker::revert::Target;

use super::{Preview, Refusal, batches, columns, words};
use crate::connections::Environment;
use crate::revert::{Choice, needs_reason};
use crate::visit::Visit;

/// The form; for people who may not revert, the reason why there is none.
pub(super) fn form(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let back = words::back(visit.links(), preview.subject.target());
    html! {
        @if visit.may_revert() {
            form.confirm #confirm method="post" action=(visit.links().revert(preview.subject)) data-once {
                input type="hidden" name="token" value=(preview.confirmation.token);
                input type="hidden" name="submission" value=(preview.confirmation.submission);
                @if preview.plan.conflicts() > 0 { (choices(preview)) }
                (batches::accept(preview))
                @if visit.connection.environment == Environment::Production { (name(visit, preview)) }
                (reason(preview))
                div.actions {
                    a.button href=(back) { "Cancel" }
                    button.primary { (words::button(preview.subject.target(), &preview.plan.totals)) }
                    (columns::look(preview))
                }
                p.note {
                    "You can undo this afterwards. Sequences, and what triggers did outside of tables, stay as they are."
                }
            }
        } @else {
            div.notice { p { "Your role may look at this plan, but not apply it. Ask an operator or an admin." } }
            p.actions { a.button href=(back) { "Go back" } }
        }
    }
}

/// Columns can be merged where a set of changes is undone; a single row is set back whole.
fn choices(preview: &Preview<'_>) -> Markup {
    let offered: &[Choice] = match preview.subject.target() {
        Target::Transaction(_)
        | Target::Transactions(_)
        | Target::Statements(_)
        | Target::Cause(_) => &[Choice::Skip, Choice::Merge, Choice::Overwrite],
        _ => &[Choice::Skip, Choice::Overwrite],
    };
    html! {
        fieldset {
            legend { "Rows that changed since" }
            @for choice in offered {
                @let (label, help) = explanation(*choice);
                label.choice {
                    input type="radio" name="on_conflict" value=(choice.word()) required
                        checked[preview.confirmation.on_conflict == Some(*choice)];
                    span { strong { (label) } " " span.note { (help) } }
                }
            }
        }
    }
}

fn explanation(choice: Choice) -> (&'static str, &'static str) {
    match choice {
        Choice::Skip => ("Skip", "Leave the rows that changed since as they are."),
        Choice::Merge => ("Merge", "Set back only the columns that nobody changed since."),
        Choice::Overwrite => ("Overwrite", "Set these rows back too, over the newer changes."),
    }
}

/// One more look before production is changed.
fn name(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let is_missing = preview.refusal == Some(Refusal::NotNamed);
    html! {
        div.field {
            label for="label" { "This is production. Type " strong { (visit.connection.label) } " to confirm." }
            input #label name="label" type="text" autocomplete="off" required aria-invalid=[is_missing.then_some("true")];
        }
    }
}

fn reason(preview: &Preview<'_>) -> Markup {
    let is_needed = needs_reason(preview.plan.rows());
    let is_missing = preview.refusal == Some(Refusal::NoReason);
    html! {
        div.field {
            label for="reason" { "Reason" @if !is_needed { span.note { " (optional)" } } }
            input #reason name="reason" type="text" maxlength="500" autocomplete="off" required[is_needed]
                value=[(!preview.confirmation.reason.is_empty()).then_some(&preview.confirmation.reason)]
                aria-invalid=[is_missing.then_some("true")] placeholder="Recorded with the change";
        }
    }
}
