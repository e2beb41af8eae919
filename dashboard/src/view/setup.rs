//! The page that creates the first account.

use axum::response::Html;
use maud::html;

use super::form::{Field, field, refusal};
use super::layout::{Page, Section, page as frame};
use crate::visit::Visit;

/// What the form holds.
pub(crate) struct Setup<'a> {
    pub(crate) token: &'a str,
    /// What was typed before.
    pub(crate) name: &'a str,
    /// Why it was refused.
    pub(crate) refusal: Option<&'a str>,
}

pub(crate) fn page(visit: &Visit, setup: &Setup<'_>) -> Html<String> {
    let name = Field {
        label: "User name",
        name: "name",
        kind: "text",
        autocomplete: "username",
        value: setup.name,
        help: Some("It is recorded with everything you undo."),
    };
    let password = Field {
        label: "Password",
        name: "password",
        kind: "password",
        autocomplete: "new-password",
        value: "",
        help: Some("At least 12 characters. A sentence is easy to remember and hard to guess."),
    };
    let again = Field {
        label: "Password again",
        name: "again",
        kind: "password",
        autocomplete: "new-password",
        value: "",
        help: None,
    };
    let body = html! {
        section.card.narrow {
            h1 { "Create the first account" }
            p.note { "It is an admin of this dashboard." }
            @if let Some(text) = setup.refusal { (refusal(text)) }
            form method="post" action="/setup" {
                input type="hidden" name="token" value=(setup.token);
                (field(&name))
                (field(&password))
                (field(&again))
                button.primary { "Create account" }
            }
        }
    };
    frame(visit, &Page { title: "First account", section: Section::Other, above: &[], body })
}
