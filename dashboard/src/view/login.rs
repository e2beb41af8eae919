//! The sign-in page.

use axum::response::Html;
use maud::html;

use super::form::{Field, field, refusal};
use super::layout::{Page, Section, page as frame};
use crate::visit::Visit;

/// What the form holds.
pub(crate) struct Login<'a> {
    /// Where to go afterwards.
    pub(crate) next: &'a str,
    /// What was typed before.
    pub(crate) name: &'a str,
    /// Why it was refused.
    pub(crate) refusal: Option<&'a str>,
    /// Whether there is no account yet.
    pub(crate) needs_setup: bool,
}

pub(crate) fn page(visit: &Visit, login: &Login<'_>) -> Html<String> {
    let name = Field {
        label: "User name",
        name: "name",
        kind: "text",
        autocomplete: "username",
        value: login.name,
        help: None,
    };
    let password = Field {
        label: "Password",
        name: "password",
        kind: "password",
        autocomplete: "current-password",
        value: "",
        help: None,
    };
    let body = html! {
        section.card.narrow {
            h1 { "Sign in" }
            p.note { "to the history of " strong { (visit.connection.label) } }
            @if login.needs_setup {
                div.notice role="status" {
                    p { "There is no account yet. Open the setup link that was printed when the dashboard started." }
                }
            }
            @if let Some(text) = login.refusal { (refusal(text)) }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(login.next);
                (field(&name))
                (field(&password))
                button.primary { "Sign in" }
            }
        }
    };
    frame(visit, &Page { title: "Sign in", section: Section::Other, above: &[], body })
}
