//! The boxes for the columns of a plan. They belong to the form below: what is ticked when it is sent is set back.

use maud::{Markup, html};

use super::{Preview, Refusal};
use crate::revert::{Confirmation, Offered};
use crate::view::number::length;
use crate::visit::Visit;
use crate::words::plan::Text;

pub(super) fn choice(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let is_wrong = preview.refusal == Some(Refusal::NoColumn);
    let has_many = preview.plan.steps.len() > 1;
    html! {
        section.card.columns-choice {
            fieldset aria-describedby="columns-help" aria-invalid=[is_wrong.then_some("true")] {
                legend { (visit.say(Text::ColumnsToSetBack)) }
                @for one in preview.offered { (tick(visit, preview, one, has_many)) }
            }
            p.note #columns-help { (visit.say(Text::WithoutTick)) }
        }
    }
}

/// Shows the plan again as the boxes are ticked, and what is chosen for rows that changed since. Comes after the button
/// that confirms: Enter is for that one.
pub(super) fn look(visit: &Visit, preview: &Preview<'_>) -> Markup {
    let label = match (preview.offered.is_empty(), preview.plan.conflicts()) {
        (true, 0) => return html! {},
        (true, _) => Text::ShowAsChosen,
        (false, _) => Text::ShowAsTicked,
    };
    html! {
        button.quiet name=(Confirmation::LOOK) value="yes" formnovalidate { (visit.say(label)) }
    }
}

fn tick(visit: &Visit, preview: &Preview<'_>, one: &Offered, has_many: bool) -> Markup {
    let ticked = preview.confirmation.columns.as_ref();
    html! {
        label.choice {
            input type="hidden" form="confirm" name=(Confirmation::OFFERED) value=(one.name);
            input.tick type="checkbox" form="confirm" name=(Confirmation::COLUMN) value=(one.name)
                checked[ticked.is_none_or(|columns| columns.contains(&one.name))];
            span { code { (one.name) } @if has_many { " " span.note { (visit.say(Text::InRows(length(one.rows)))) } } }
        }
    }
}
