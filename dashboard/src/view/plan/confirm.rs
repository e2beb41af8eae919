//! The form that confirms a plan.

use maud::{Markup, html};
use pgtrack_tracker::revert::Target;

use super::{Preview, Refusal, batches, columns, target};
use crate::connections::Environment;
use crate::revert::{Choice, Confirmation, needs_reason};
use crate::visit::Visit;
use crate::words::plan::Text;
use crate::words::{Marked, Shared};

/// The form; for people who may not revert, the reason why there is none.
pub(super) fn form(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let back = target::back(visit.links(), preview.subject.target());
    html! {
        @if visit.may_revert() {
            form.confirm #confirm method="post" action=(visit.links().revert(preview.subject)) data-once {
                input type="hidden" name="token" value=(preview.confirmation.token);
                input type="hidden" name="submission" value=(preview.confirmation.submission);
                @if let Some(planned) = preview.confirmation.planned {
                    input type="hidden" name=(Confirmation::PLANNED) value=(planned.word());
                }
                @if preview.plan.conflicts() > 0 || preview.confirmation.planned.is_some() { (choices(visit, preview)) }
                (batches::accept(visit, preview))
                @if visit.connection.environment == Environment::Production { (name(visit, preview)) }
                (reason(visit, preview))
                div.actions {
                    a.button href=(back) { (visit.say(Shared::Cancel)) }
                    button.primary { (target::button(visit, preview.subject.target(), &preview.plan.totals)) }
                    (columns::look(visit, preview))
                }
                p.note {
                    (visit.say(Text::CanBeUndone))
                }
            }
        } @else {
            div.notice { p { (visit.say(Text::MayOnlyLook)) } }
            p.actions { a.button href=(back) { (visit.say(Shared::GoBack)) } }
        }
    }
}

/// Columns can be merged where a set of changes is undone; a single row is set back whole.
fn choices(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let offered: &[Choice] = match preview.subject.target() {
        Target::Transaction(_)
        | Target::Transactions(_)
        | Target::Statements(_)
        | Target::Cause(_) => &[Choice::Skip, Choice::Merge, Choice::Delta, Choice::Overwrite],
        _ => &[Choice::Skip, Choice::Overwrite],
    };
    html! {
        fieldset {
            legend { (visit.say(Text::RowsThatChanged)) }
            @for choice in offered {
                @let (label, help) = explanation(*choice);
                label.choice {
                    input type="radio" name="on_conflict" value=(choice.word()) required
                        checked[preview.confirmation.on_conflict == Some(*choice)];
                    span { strong { (visit.say(label)) } " " span.note { (visit.say(help)) } }
                }
            }
        }
    }
}

fn explanation(choice: Choice) -> (Text<'static>, Text<'static>) {
    match choice {
        Choice::Skip => (Text::Skip, Text::SkipHelp),
        Choice::Merge => (Text::Merge, Text::MergeHelp),
        Choice::Delta => (Text::Delta, Text::DeltaHelp),
        Choice::Overwrite => (Text::Overwrite, Text::OverwriteHelp),
    }
}

/// One more look before production is changed.
fn name(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let is_missing = preview.refusal == Some(Refusal::NotNamed);
    html! {
        div.field {
            label for="label" { (visit.say(Marked::ProductionTypeName(&visit.connection.label))) }
            input #label name="label" type="text" autocomplete="off" required aria-invalid=[is_missing.then_some("true")];
        }
    }
}

fn reason(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let is_needed = needs_reason(preview.plan.rows());
    let is_missing = preview.refusal == Some(Refusal::NoReason);
    html! {
        div.field {
            label for="reason" { (visit.say(Text::Reason)) @if !is_needed { span.note { " " (visit.say(Text::Optional)) } } }
            input #reason name="reason" type="text" maxlength="500" autocomplete="off" required[is_needed]
                value=[(!preview.confirmation.reason.is_empty()).then_some(&preview.confirmation.reason)]
                aria-invalid=[is_missing.then_some("true")] placeholder=(visit.say(Text::RecordedWithChange));
        }
    }
}
