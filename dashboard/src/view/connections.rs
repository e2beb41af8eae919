//! The databases that are shown, and the form to add or change one.

use std::sync::Arc;

use axum::response::Html;
use maud::{Markup, html};

use super::form::{held, refusal};
use super::layout::{Page, Section, environment, page as frame};
use crate::auth::Role;
use crate::connections::{Connection, Environment, Stages, TlsMode};
use crate::links::{Links, encode};
use crate::pages::connections::Fields;
use crate::store::connections::{Details, Saved};
use crate::visit::Visit;
use crate::words::connections::Text;
use crate::words::{Marked, Shared, problem};

pub(crate) fn list_page(
    visit: &Visit,
    configured: Option<&Arc<Connection>>,
    saved: &[Saved],
) -> Html<String> {
    let body = html! {
        header.head {
            div.title {
                h1 { (visit.say(Shared::Connections)) }
                @if visit.is(Role::Admin) { div.actions { a.button.primary href="/connections/new" { (visit.say(Text::Add)) } } }
            }
        }
        table.list {
            caption.hidden { (visit.say(Shared::Connections)) }
            thead { tr { th scope="col" { (visit.say(Shared::Name)) } th scope="col" { (visit.say(Text::Server)) } th scope="col" { (visit.say(Shared::Encryption)) } th scope="col" { (visit.say(Shared::Password)) } th scope="col" { (visit.say(Text::Change)) } } }
            tbody {
                @if let Some(configured) = configured {
                    tr {
                        th scope="row" data-head=(visit.say(Shared::Name)) { a href=(Links::new(&configured.slug).overview()) { (configured.label) } }
                        td data-head=(visit.say(Text::Server)) colspan="4" { span.note { (visit.say(Text::FromConfiguration)) } }
                    }
                }
                @for one in saved { (row(visit, one)) }
            }
        }
        @if saved.is_empty() && visit.is(Role::Admin) {
            p.note { (visit.say(Text::AddAnother)) }
        }
    };
    frame(
        visit,
        &Page { title: &visit.say(Shared::Connections), section: Section::Other, above: &[], body },
    )
}

fn row(visit: &Visit, one: &Saved) -> Markup {
    let details = &one.details;
    html! {
        tr {
            th scope="row" data-head=(visit.say(Shared::Name)) {
                a href=(Links::new(&details.slug).overview()) { (details.label) } " "
                (environment(visit, details.environment))
                @if details.is_read_only { " " span.badge.plain { (visit.say(Shared::ViewingOnly)) } }
            }
            td data-head=(visit.say(Text::Server)) { code { (details.role) "@" (details.host) ":" (details.port) "/" (details.database) } }
            td data-head=(visit.say(Shared::Encryption)) { (visit.say(Shared::Tls(details.tls))) }
            td data-head=(visit.say(Shared::Password)) { @if one.sealed_password.is_some() { (visit.say(Text::KeptSealed)) } @else { (visit.say(Text::AskedEveryTime)) } }
            td data-head=(visit.say(Text::Change)) {
                @if visit.is(Role::Admin) {
                    div.cell-forms {
                        a.button.quiet href={ "/connections/" (encode(&details.slug)) } { (visit.say(Text::Edit)) span.hidden { " " (details.label) } }
                        form method="post" action={ "/connections/" (encode(&details.slug)) "/remove" } { button.quiet.danger { (visit.say(Shared::Remove)) span.hidden { " " (details.label) } } }
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
    pub(crate) refusal: Option<problem::Text>,
    /// How a test went.
    pub(crate) stages: Option<&'a Stages>,
    /// Whether there is a key to seal a password with.
    pub(crate) can_keep: bool,
}

impl Editor<'_> {
    fn value(
        &self,
        typed: fn(&Fields) -> &str,
        saved: fn(&Details) -> String,
        usual: &str,
    ) -> String {
        held(self.fields.map(typed), self.saved.map(|one| saved(&one.details)), usual)
    }
}

pub(crate) fn page(visit: &Visit, editor: &Editor<'_>) -> Html<String> {
    let title = visit.say(if editor.saved.is_some() { Text::EditTitle } else { Text::AddTitle });
    let action = match editor.saved {
        Some(one) => format!("/connections/{}", encode(&one.details.slug)),
        None => "/connections/new".to_owned(),
    };
    let body = html! {
        header.head { h1 { (title) } }
        @if let Some(text) = &editor.refusal { (refusal(visit, text)) }
        @if let Some(stages) = editor.stages { (tested(visit, stages)) }
        section.card.form-card {
            form method="post" action=(action) autocomplete="off" {
                (text(visit, &visit.say(Shared::Name), "label", &editor.value(|f| &f.label, |d| d.label.clone(), ""), None))
                @if editor.saved.is_none() {
                    (text(visit, &visit.say(Text::Slug), "slug", &editor.value(|f| &f.slug, |d| d.slug.clone(), ""), Some(Text::SlugHelp)))
                }
                (environments(visit, editor))
                (text(visit, &visit.say(Text::Host), "host", &editor.value(|f| &f.host, |d| d.host.clone(), ""), Some(Text::HostHelp)))
                (text(visit, &visit.say(Text::Port), "port", &editor.value(|f| &f.port, |d| d.port.to_string(), "5432"), None))
                (text(visit, &visit.say(Text::Database), "database", &editor.value(|f| &f.database, |d| d.database.clone(), ""), None))
                (text(visit, &visit.say(Shared::Role), "role", &editor.value(|f| &f.role, |d| d.role.clone(), ""), Some(Text::RoleHelp)))
                (encryption(visit, editor))
                (password(visit, editor))
                @let is_read_only = editor.fields.map_or_else(|| editor.saved.is_some_and(|one| one.details.is_read_only), |f| !f.read_only.is_empty());
                label.choice { input type="checkbox" name="read_only" value="on" checked[is_read_only]; span { strong { (visit.say(Text::ViewingOnly)) } span.note { (visit.say(Text::ViewingOnlyHelp)) } } }
                div.actions {
                    button name="action" value="test" { (visit.say(Text::Test)) }
                    button.primary name="action" value="save" { (visit.say(Shared::Save)) }
                    a.button.quiet href="/connections" { (visit.say(Shared::Cancel)) }
                }
            }
        }
    };
    let above = [(visit.say(Shared::Connections), "/connections".to_owned())];
    frame(visit, &Page { title: &title, section: Section::Other, above: &above, body })
}

fn text(visit: &Visit, label: &str, name: &str, value: &str, help: Option<Text<'_>>) -> Markup {
    let help_id = help.as_ref().map(|_| format!("{name}-help"));
    html! {
        div.field {
            label for=(name) { (label) }
            input id=(name) name=(name) type="text" required value=(value) autocomplete="off" spellcheck="false" aria-describedby=[&help_id];
            @if let Some(help) = help { p.note id=[&help_id] { (visit.say(help)) } }
        }
    }
}

fn environments(visit: &Visit, editor: &Editor<'_>) -> Markup {
    let chosen = editor.value(|f| &f.environment, |d| d.environment.word().to_owned(), "none");
    html! {
        fieldset.choices {
            legend { (visit.say(Text::Environment)) }
            @for one in Environment::ALL {
                label.choice { input type="radio" name="environment" value=(one.word()) checked[one.word() == chosen]; span { @if one == Environment::None { (visit.say(Shared::Environment(one))) } @else { (environment(visit, one)) } } }
            }
        }
    }
}

fn encryption(visit: &Visit, editor: &Editor<'_>) -> Markup {
    let chosen = editor.value(|f| &f.tls, |d| d.tls.word().to_owned(), "verify-full");
    html! {
        div.field {
            label for="tls" { (visit.say(Shared::Encryption)) }
            select #tls name="tls" { @for one in TlsMode::ALL { option value=(one.word()) selected[one.word() == chosen] { (visit.say(Text::TlsChoice(one))) } } }
        }
    }
}

/// Never filled in: what is kept stays here.
fn password(visit: &Visit, editor: &Editor<'_>) -> Markup {
    let is_kept = editor.saved.is_some_and(|one| one.sealed_password.is_some());
    let asks = match editor.fields {
        Some(fields) => fields.password_is == "ask",
        None => !is_kept && (editor.saved.is_some() || !editor.can_keep),
    };
    html! {
        div.field {
            label for="password" { (visit.say(Shared::Password)) }
            input #password name="password" type="password" autocomplete="new-password"
                placeholder=[is_kept.then(|| visit.say(Text::AsKept))];
        }
        fieldset.choices {
            legend { (visit.say(Text::PasswordIs)) }
            @if editor.can_keep {
                label.choice { input type="radio" name="password_is" value="keep" checked[!asks]; span { strong { (visit.say(Text::Kept)) } span.note { (visit.say(Text::KeptHelp)) } } }
            }
            label.choice { input type="radio" name="password_is" value="ask" checked[asks]; span { strong { (visit.say(Text::AskedEveryTime)) } span.note { (visit.say(Text::AskedHelp)) } } }
            @if !editor.can_keep { p.note { (visit.say(Text::NeedsKeyFile)) } }
        }
    }
}

fn tested(visit: &Visit, stages: &Stages) -> Markup {
    html! {
        section.card aria-labelledby="tested" {
            h2 #tested { @if stages.all_good() { (visit.say(Text::Works)) } @else { (visit.say(Text::WasTested)) } }
            div role="status" { ol.stages {
                @for stage in &stages.0 {
                    @match &stage.result {
                        Some(Ok(what)) => li { span.mark.insert { span.sign aria-hidden="true" { "✓" } " " (visit.say(Text::Stage(stage.part))) } " " (visit.say(Text::Found(what))) },
                        Some(Err(why)) => li { span.mark.delete { span.sign aria-hidden="true" { "✗" } " " (visit.say(Text::Stage(stage.part))) } " " strong { (visit.say(why)) } },
                        None => li { span.mark.nothing { span.sign aria-hidden="true" { "·" } " " (visit.say(Text::Stage(stage.part))) } " " span.note { (visit.say(Text::NotTried)) } },
                    }
                }
            } }
        }
    }
}

/// Asks for the password of a connection that keeps none.
pub(crate) fn unlock_page(
    visit: &Visit,
    saved: &Saved,
    why: Option<&problem::Text>,
) -> Html<String> {
    let details = &saved.details;
    let body = html! {
        section.card.narrow {
            h1 { (details.label) }
            p.note { (visit.say(Marked::PasswordNotKept(&details.role))) }
            @if let Some(text) = why { (refusal(visit, text)) }
            form method="post" action={ "/connections/" (encode(&details.slug)) "/unlock" } {
                div.field { label for="password" { (visit.say(Shared::Password)) } input #password name="password" type="password" autocomplete="off" aria-describedby="password-help"; p.note #password-help { (visit.say(Text::EmptyPassword)) } }
                button.primary { (visit.say(Text::Connect)) }
            }
        }
    };
    frame(visit, &Page { title: &details.label, section: Section::Other, above: &[], body })
}
