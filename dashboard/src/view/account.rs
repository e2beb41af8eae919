//! One's own account.

use axum::response::Html;
use maud::html;

use super::form::{Field, field, refusal};
use super::layout::{Page, Section, page as frame};
use crate::auth::Account;
use crate::visit::Visit;
use crate::words::people::Text;
use crate::words::{Marked, Shared, problem};

/// What the page shows.
pub(crate) struct Own<'a> {
    pub(crate) account: &'a Account,
    /// In how many browsers it is signed in.
    pub(crate) sessions: i64,
    /// Why the password was not changed.
    pub(crate) refusal: Option<problem::Text>,
}

pub(crate) fn page(visit: &Visit, own: &Own<'_>) -> Html<String> {
    let password = |label: Text<'_>, name, autocomplete, help: Option<Text<'_>>| Field {
        label: visit.say(label),
        name,
        kind: "password",
        autocomplete,
        value: "",
        help: help.map(|help| visit.say(help)),
    };
    let long = Some(Text::PasswordHelp);
    let body = html! {
        header.head {
            h1 { (own.account.name) }
            p { (visit.say(Marked::YourRoleIs(own.account.role))) }
        }
        section.card.form-card aria-labelledby="password-heading" {
            h2 #password-heading { (visit.say(Text::ChangeYourPassword)) }
            @if let Some(text) = &own.refusal { (refusal(visit, text)) }
            form method="post" action="/account" {
                input type="hidden" name="username" autocomplete="username" value=(own.account.name);
                (field(&password(Text::CurrentPassword, "current", "current-password", None)))
                (field(&password(Text::NewPassword, "password", "new-password", long)))
                (field(&password(Text::NewPasswordAgain, "again", "new-password", None)))
                button.primary { (visit.say(Text::ChangePassword)) }
            }
        }
        section.card.form-card aria-labelledby="sessions" {
            h2 #sessions { (visit.say(Text::SignedIn)) }
            p { (visit.say(Text::SignedInBrowsers(own.sessions))) }
            form method="post" action="/account/sign-out-everywhere" { div.actions { button { (visit.say(Text::SignOutEverywhere)) } } }
        }
    };
    frame(
        visit,
        &Page { title: &visit.say(Shared::Account), section: Section::Other, above: &[], body },
    )
}
