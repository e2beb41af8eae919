//! The page that creates the first account.

use axum::response::Html;
use maud::html;

use super::form::{Field, field, refusal};
use super::layout::{Page, Section, page as frame};
use crate::visit::Visit;
use crate::words::people::Text;
use crate::words::{Shared, problem};

/// What the form holds.
pub(crate) struct Setup<'a> {
    pub(crate) token: &'a str,
    /// What was typed before.
    pub(crate) name: &'a str,
    /// Why it was refused.
    pub(crate) refusal: Option<&'a problem::Text>,
}

pub(crate) fn page(visit: &Visit, setup: &Setup<'_>) -> Html<String> {
    let name = Field {
        label: visit.say(Shared::UserName),
        name: "name",
        kind: "text",
        autocomplete: "username",
        value: setup.name,
        help: Some(visit.say(Text::RecordedWithYours)),
    };
    let password = Field {
        label: visit.say(Shared::Password),
        name: "password",
        kind: "password",
        autocomplete: "new-password",
        value: "",
        help: Some(visit.say(Text::PasswordHelp)),
    };
    let again = Field {
        label: visit.say(Text::PasswordAgain),
        name: "again",
        kind: "password",
        autocomplete: "new-password",
        value: "",
        help: None,
    };
    let body = html! {
        section.card.narrow {
            h1 { (visit.say(Text::CreateFirst)) }
            p.note { (visit.say(Text::AdminOfThis)) }
            @if let Some(text) = setup.refusal { (refusal(visit, text)) }
            form method="post" action="/setup" {
                input type="hidden" name="token" value=(setup.token);
                (field(&name))
                (field(&password))
                (field(&again))
                button.primary { (visit.say(Text::CreateAccount)) }
            }
        }
    };
    frame(
        visit,
        &Page { title: &visit.say(Text::FirstAccount), section: Section::Other, above: &[], body },
    )
}
