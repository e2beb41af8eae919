//! The databases that are shown, and the form to add or change one.

use std::sync::Arc;

use axum::response::Html;
use maud::{Markup, html};

use super::form::refusal;
use super::layout::{Page, Section, environment, page as frame};
use crate::auth::Role;
use crate::connections::{Connection, Environment, Stages, TlsMode};
use crate::links::{Links, encode};
use crate::pages::connections::Fields;
use crate::store::connections::{Details, Saved};
use crate::visit::Visit;

pub(crate) fn list_page(
    visit: &Visit,
    configured: Option<&Arc<Connection>>,
    saved: &[Saved],
) -> Html<String> {
    let body = html! {
        header.head {
            div.title {
                h1 { "Connections" }
                @if visit.is(Role::Admin) { div.actions { a.button.primary href="/connections/new" { "Add connection…" } } }
            }
        }
        table.list {
            caption.hidden { "Connections" }
            thead { tr { th scope="col" { "Name" } th scope="col" { "Server" } th scope="col" { "Encryption" } th scope="col" { "Password" } th scope="col" { "Change" } } }
            tbody {
                @if let Some(configured) = configured {
                    tr {
                        th scope="row" data-head="Name" { a href=(Links::new(&configured.slug).overview()) { (configured.label) } }
                        td data-head="Server" colspan="4" { span.note { "from the configuration; also holds the dashboard's own tables" } }
                    }
                }
                @for one in saved { (row(visit, one)) }
            }
        }
        @if saved.is_empty() && visit.is(Role::Admin) {
            p.note { "Add another database to see its history here, too." }
        }
    };
    frame(visit, &Page { title: "Connections", section: Section::Other, above: &[], body })
}

fn row(visit: &Visit, one: &Saved) -> Markup {
    let details = &one.details;
    html! {
        tr {
            th scope="row" data-head="Name" {
                a href=(Links::new(&details.slug).overview()) { (details.label) } " "
                (environment(details.environment))
                @if details.is_read_only { " " span.badge.plain { "viewing only" } }
            }
            td data-head="Server" { code { (details.role) "@" (details.host) ":" (details.port) "/" (details.database) } }
            td data-head="Encryption" { (details.tls.label()) }
            td data-head="Password" { @if one.sealed_password.is_some() { "kept, sealed" } @else { "asked every time" } }
            td data-head="Change" {
                @if visit.is(Role::Admin) {
                    div.cell-forms {
                        a.button.quiet href={ "/connections/" (encode(&details.slug)) } { "Edit" span.hidden { " " (details.label) } }
                        form method="post" action={ "/connections/" (encode(&details.slug)) "/remove" } { button.quiet.danger { "Remove" span.hidden { " " (details.label) } } }
                    }
                }
            }
        }
    }
}

/// The form.
pub(crate) struct Editor<'a> {
    /// The connection that is changed; none if one is added.
    pub(crate) saved: Option<&'a Saved>,
    /// What was typed before.
    pub(crate) fields: Option<&'a Fields>,
    pub(crate) refusal: Option<String>,
    /// How a test went.
    pub(crate) stages: Option<&'a Stages>,
    /// Whether there is a key to seal a password with.
    pub(crate) can_keep: bool,
}

impl Editor<'_> {
    /// What a field holds: what was typed, else what is saved, else what is usual.
    fn value(
        &self,
        typed: fn(&Fields) -> &str,
        saved: fn(&Details) -> String,
        usual: &str,
    ) -> String {
        match (self.fields, self.saved) {
            (Some(fields), _) => typed(fields).to_owned(),
            (None, Some(one)) => saved(&one.details),
            (None, None) => usual.to_owned(),
        }
    }
}

pub(crate) fn page(visit: &Visit, editor: &Editor<'_>) -> Html<String> {
    let title = if editor.saved.is_some() { "Edit connection" } else { "Add connection" };
    let action = match editor.saved {
        Some(one) => format!("/connections/{}", encode(&one.details.slug)),
        None => "/connections/new".to_owned(),
    };
    let body = html! {
        header.head { h1 { (title) } }
        @if let Some(text) = &editor.refusal { (refusal(text)) }
        @if let Some(stages) = editor.stages { (tested(stages)) }
        section.card.form-card {
            form method="post" action=(action) autocomplete="off" {
                (text("Name", "label", &editor.value(|f| &f.label, |d| d.label.clone(), ""), None))
                @if editor.saved.is_none() {
                    (text("Name in URLs", "slug", &editor.value(|f| &f.slug, |d| d.slug.clone(), ""), Some("Small letters, digits and hyphens; it cannot be changed later.")))
                }
                (environments(editor))
                (text("Host", "host", &editor.value(|f| &f.host, |d| d.host.clone(), ""), Some("A name or an address. Private networks have to be listed in the configuration.")))
                (text("Port", "port", &editor.value(|f| &f.port, |d| d.port.to_string(), "5432"), None))
                (text("Database", "database", &editor.value(|f| &f.database, |d| d.database.clone(), ""), None))
                (text("Role", "role", &editor.value(|f| &f.role, |d| d.role.clone(), ""), Some("What the dashboard may read and revert there is what this role may.")))
                (encryption(editor))
                (password(editor))
                @let is_read_only = editor.fields.map_or_else(|| editor.saved.is_some_and(|one| one.details.is_read_only), |f| !f.read_only.is_empty());
                label.choice { input type="checkbox" name="read_only" value="on" checked[is_read_only]; span { strong { "Viewing only" } span.note { "Nothing is reverted or changed there through the dashboard." } } }
                div.actions {
                    button name="action" value="test" { "Test" }
                    button.primary name="action" value="save" { "Save" }
                    a.button.quiet href="/connections" { "Cancel" }
                }
            }
        }
    };
    let above = [("Connections", "/connections".to_owned())];
    frame(visit, &Page { title, section: Section::Other, above: &above, body })
}

fn text(label: &str, name: &str, value: &str, help: Option<&str>) -> Markup {
    let help_id = help.map(|_| format!("{name}-help"));
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="text" required value=(value) autocomplete="off" spellcheck="false" aria-describedby=[&help_id];
            @if let Some(help) = help { p.note id=[&help_id] { (help) } }
        }
    }
}

fn environments(editor: &Editor<'_>) -> Markup {
    let chosen = editor.value(|f| &f.environment, |d| d.environment.word().to_owned(), "none");
    html! {
        fieldset.choices {
            legend { "Environment" }
            @for one in Environment::ALL {
                label.choice { input type="radio" name="environment" value=(one.word()) checked[one.word() == chosen]; span { @if one == Environment::None { (one.word()) } @else { (environment(one)) } } }
            }
        }
    }
}

fn encryption(editor: &Editor<'_>) -> Markup {
    let chosen = editor.value(|f| &f.tls, |d| d.tls.word().to_owned(), "verify-full");
    html! {
        div.field {
            label for="tls" { "Encryption" }
            select #tls name="tls" { @for one in TlsMode::ALL { option value=(one.word()) selected[one.word() == chosen] { (one.word()) ": " (one.label()) } } }
        }
    }
}

/// Never filled in: what is kept stays here.
fn password(editor: &Editor<'_>) -> Markup {
    let is_kept = editor.saved.is_some_and(|one| one.sealed_password.is_some());
    let asks = match editor.fields {
        Some(fields) => fields.password_is == "ask",
        None => !is_kept && (editor.saved.is_some() || !editor.can_keep),
    };
    html! {
        div.field {
            label for="password" { "Password" }
            input #password name="password" type="password" autocomplete="new-password"
                placeholder=[is_kept.then_some("as it is kept")];
        }
        fieldset.choices {
            legend { "The password is" }
            @if editor.can_keep {
                label.choice { input type="radio" name="password_is" value="keep" checked[!asks]; span { strong { "kept" } span.note { "Sealed with the dashboard's key; for everybody who may sign in." } } }
            }
            label.choice { input type="radio" name="password_is" value="ask" checked[asks]; span { strong { "asked every time" } span.note { "Kept no longer than a person is signed in." } } }
            @if !editor.can_keep { p.note { "To keep passwords, give the dashboard a key: key_file in its configuration." } }
        }
    }
}

fn tested(stages: &Stages) -> Markup {
    html! {
        section.card aria-labelledby="tested" {
            h2 #tested { @if stages.all_good() { "The connection works" } @else { "The connection was tested" } }
            div role="status" { ol.stages {
                @for stage in &stages.0 {
                    @match &stage.result {
                        Some(Ok(what)) => li { span.mark.insert { span.sign aria-hidden="true" { "✓" } " " (stage.name) } " " (what) },
                        Some(Err(why)) => li { span.mark.delete { span.sign aria-hidden="true" { "✗" } " " (stage.name) } " " strong { (why) } },
                        None => li { span.mark.nothing { span.sign aria-hidden="true" { "·" } " " (stage.name) } " " span.note { "not tried" } },
                    }
                }
            } }
        }
    }
}

/// Asks for the password of a connection that keeps none.
pub(crate) fn unlock_page(visit: &Visit, saved: &Saved, why: Option<&str>) -> Html<String> {
    let details = &saved.details;
    let body = html! {
        section.card.narrow {
            h1 { (details.label) }
            p.note { "The password of " code { (details.role) } " is not kept. It is used until you sign out." }
            @if let Some(text) = why { (refusal(text)) }
            form method="post" action={ "/connections/" (encode(&details.slug)) "/unlock" } {
                div.field { label for="password" { "Password" } input #password name="password" type="password" autocomplete="off" required; }
                button.primary { "Connect" }
            }
        }
    };
    frame(visit, &Page { title: &details.label, section: Section::Other, above: &[], body })
}
