//! The sign-in page.

use axum::response::Html;
use maud::html;

use super::form::{Field, field, refusal};
use super::layout::{Page, Section, page as frame};
use crate::visit::Visit;
use crate::words::people::Text;
use crate::words::{Marked, Shared, problem};

/// What the form holds.
pub(crate) struct Login<'a> {
    /// Where to go afterwards.
    pub(crate) next: &'a str,
    /// What was typed before.
    pub(crate) name: &'a str,
    /// Why it was refused.
    pub(crate) refusal: Option<&'a problem::Text>,
    /// Whether there is no account yet.
    pub(crate) needs_setup: bool,
}

pub(crate) fn page(visit: &Visit, login: &Login<'_>) -> Html<String> {
    let name = Field {
        label: visit.say(Shared::UserName),
        name: "name",
        kind: "text",
        autocomplete: "username",
        value: login.name,
        help: None,
    };
    let password = Field {
        label: visit.say(Shared::Password),
        name: "password",
        kind: "password",
        autocomplete: "current-password",
        value: "",
        help: None,
    };
    let body = html! {
        section.card.narrow {
            h1 { (visit.say(Text::SignIn)) }
            p.note { (visit.say(Marked::ToTheHistoryOf(&visit.connection.label))) }
            @if login.needs_setup {
                div.notice role="status" {
                    p { (visit.say(Text::NoAccountYet)) }
                }
            }
            @if let Some(text) = login.refusal { (refusal(visit, text)) }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(login.next);
                (field(&name))
                (field(&password))
                button.primary { (visit.say(Text::SignIn)) }
            }
        }
    };
    frame(
        visit,
        &Page { title: &visit.say(Text::SignIn), section: Section::Other, above: &[], body },
    )
}
