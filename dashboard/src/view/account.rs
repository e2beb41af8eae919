//! One's own account.

use axum::response::Html;
use maud::html;

use super::form::{Field, field, refusal};
use super::layout::{Page, Section, page as frame};
use super::number::count;
use crate::auth::Account;
use crate::visit::Visit;

/// What the page shows.
pub(crate) struct Own<'a> {
    pub(crate) account: &'a Account,
    /// In how many browsers it is signed in.
    pub(crate) sessions: i64,
    /// Why the password was not changed.
    pub(crate) refusal: Option<String>,
}

pub(crate) fn page(visit: &Visit, own: &Own<'_>) -> Html<String> {
    let password = |label, name, autocomplete, help| Field {
        label,
        name,
        kind: "password",
        autocomplete,
        value: "",
        help,
    };
    let long = Some("At least 12 characters. A sentence is easy to remember and hard to guess.");
    let body = html! {
        header.head {
            h1 { (own.account.name) }
            p { "Your role is " strong { (own.account.role.word()) } "." }
        }
        section.card.form-card aria-labelledby="password-heading" {
            h2 #password-heading { "Change your password" }
            @if let Some(text) = &own.refusal { (refusal(text)) }
            form method="post" action="/account" {
                input type="hidden" name="username" autocomplete="username" value=(own.account.name);
                (field(&password("Current password", "current", "current-password", None)))
                (field(&password("New password", "password", "new-password", long)))
                (field(&password("New password again", "again", "new-password", None)))
                button.primary { "Change password" }
            }
        }
        section.card.form-card aria-labelledby="sessions" {
            h2 #sessions { "Signed in" }
            p { "You are signed in in " (count(own.sessions, "browser")) "." }
            form method="post" action="/account/sign-out-everywhere" { div.actions { button { "Sign out everywhere" } } }
        }
    };
    frame(visit, &Page { title: "Account", section: Section::Other, above: &[], body })
}
