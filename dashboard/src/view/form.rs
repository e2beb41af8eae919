//! Fields of forms.

use std::borrow::Cow;

use maud::{Markup, html};

use crate::visit::Visit;
use crate::words::problem::Text;

/// A labelled field.
pub(crate) struct Field<'a> {
    pub(crate) label: Cow<'a, str>,
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
    /// What a password manager may fill in.
    pub(crate) autocomplete: &'a str,
    pub(crate) value: &'a str,
    /// What helps to fill it in.
    pub(crate) help: Option<Cow<'a, str>>,
}

/// The field with its label and help.
pub(crate) fn field(field: &Field<'_>) -> Markup {
    let help_id = field.help.as_ref().map(|_| format!("{}-help", field.name));
    html! {
        div.field {
            label for=(field.name) { (field.label) }
            input id=(field.name) name=(field.name) type=(field.kind) autocomplete=(field.autocomplete)
                value=[(!field.value.is_empty()).then_some(field.value)] required aria-describedby=[&help_id];
            @if let Some(help) = &field.help { p.note id=[&help_id] { (help) } }
        }
    }
}

/// What a field holds: what was typed, else what is saved, else what is usual.
pub(crate) fn held(typed: Option<&str>, saved: Option<String>, usual: &str) -> String {
    typed.map(str::to_owned).or(saved).unwrap_or_else(|| usual.to_owned())
}

/// Why a form was not accepted.
pub(crate) fn refusal(visit: &Visit, text: &Text) -> Markup {
    html! { div.notice.bad role="alert" { p { (visit.say(text)) } } }
}
