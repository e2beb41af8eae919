//! The people who may sign in.

use std::borrow::Cow;

use axum::response::Html;
use maud::{Markup, html};

use super::form::{Field, field, refusal};
use super::layout::{Page, Section, page as frame};
use super::number::length;
use super::time;
use crate::auth::{Grant, Role};
use crate::store::accounts::Listed;
use crate::store::grants::Grants;
use crate::visit::Visit;
use crate::words::people::Text;
use crate::words::{Marked, Shared, problem};

/// What the page shows.
pub(crate) struct Users<'a> {
    pub(crate) list: &'a [Listed],
    /// Every connection: its name in URLs, and that for people.
    pub(crate) connections: &'a [(String, String)],
    pub(crate) grants: &'a Grants,
    /// The one who looks at them.
    pub(crate) own: i64,
    /// What was typed before.
    pub(crate) name: &'a str,
    /// Why nobody was added.
    pub(crate) refusal: Option<problem::Text>,
}

pub(crate) fn page(visit: &Visit, users: &Users<'_>) -> Html<String> {
    let body = html! {
        header.head {
            h1 { (visit.say(Shared::Users)) }
            p.lead { (visit.say(Text::WhoMayWhat)) }
        }
        table.list {
            caption.hidden { (visit.say(Shared::Users)) }
            thead {
                tr { th scope="col" { (visit.say(Shared::Name)) } th scope="col" { (visit.say(Text::SignedIn)) } th scope="col" { (visit.say(Text::Created)) } th scope="col" { (visit.say(Text::RoleAndPassword)) } }
            }
            tbody { @for one in users.list { (row(visit, users, one)) } }
        }
        (add(visit, users))
    };
    frame(
        visit,
        &Page { title: &visit.say(Shared::Users), section: Section::Other, above: &[], body },
    )
}

fn row(visit: &Visit, users: &Users<'_>, one: &Listed) -> Markup {
    let id = one.account.id;
    let name = &one.account.name;
    html! {
        tr {
            th scope="row" data-head=(visit.say(Shared::Name)) { (name) @if id == users.own { " " span.note { (visit.say(Text::You)) } } }
            td data-head=(visit.say(Text::SignedIn)) { @match one.seen_at { Some(at) => (time::moment(visit, at)), None => span.note { (visit.say(Text::NotNow)) } } }
            td data-head=(visit.say(Text::Created)) { (time::exact(visit, one.created_at)) }
            td data-head=(visit.say(Text::RoleAndPassword)) {
                div.cell-forms {
                    form method="post" action={ "/users/" (id) } {
                        label { span.hidden { (visit.say(Text::RoleOfUser(name))) } (roles(visit, one.account.role)) }
                        label { span.hidden { (visit.say(Text::NewPasswordOf(name))) } input type="password" name="password" autocomplete="new-password" placeholder=(visit.say(Text::NewPasswordOrNot)); }
                        button.quiet { (visit.say(Shared::Save)) span.hidden { " " (name) } }
                    }
                    (grants(visit, users, one))
                    @if id != users.own {
                        form method="post" action={ "/users/" (id) "/remove" } { button.quiet.danger { (visit.say(Shared::Remove)) span.hidden { " " (name) } } }
                    }
                }
            }
        }
    }
}

/// What somebody may do in single connections.
fn grants(visit: &Visit, users: &Users<'_>, one: &Listed) -> Markup {
    let id = one.account.id;
    let given = |slug: &String| users.grants.get(&(id, slug.clone())).copied();
    let others = users.connections.iter().filter(|(slug, _)| given(slug).is_some()).count();
    html! {
        details {
            summary { (visit.say(Marked::ConnectionsOf { name: &one.account.name, others: length(others) })) }
            form method="post" action={ "/users/" (id) "/connections" } {
                @for (slug, label) in users.connections {
                    label { (label) " "
                        select name=(slug) {
                            option value="" { (visit.say(Text::AsEverywhere)) }
                            @for grant in Grant::ALL { option value=(grant.word()) selected[given(slug) == Some(grant)] { (granted(visit, grant)) } }
                        }
                    }
                }
                button.quiet { (visit.say(Marked::SaveConnectionsOf(&one.account.name))) }
            }
        }
    }
}

/// What somebody may do in a connection.
fn granted(visit: &Visit, grant: Grant) -> Cow<'static, str> {
    match grant {
        Grant::None => visit.say(Text::NoConnection),
        Grant::Role(role) => visit.say(Shared::RoleOf(role)),
    }
}

fn roles(visit: &Visit, chosen: Role) -> Markup {
    html! {
        select name="role" { @for role in Role::ALL { option value=(role.word()) selected[role == chosen] { (visit.say(Shared::RoleOf(role))) } } }
    }
}

fn add(visit: &Visit, users: &Users<'_>) -> Markup {
    let name = Field {
        label: visit.say(Shared::UserName),
        name: "name",
        kind: "text",
        autocomplete: "off",
        value: users.name,
        help: Some(visit.say(Text::RecordedWithTheirs)),
    };
    let password = Field {
        label: visit.say(Shared::Password),
        name: "password",
        kind: "password",
        autocomplete: "new-password",
        value: "",
        help: Some(visit.say(Text::TheirPasswordHelp)),
    };
    html! {
        section.card.form-card aria-labelledby="add" {
            h2 #add { (visit.say(Text::AddAUser)) }
            @if let Some(text) = &users.refusal { (refusal(visit, text)) }
            form method="post" action="/users" {
                (field(&name))
                (field(&password))
                div.field { label for="role" { (visit.say(Shared::Role)) } select #role name="role" { @for role in Role::ALL { option value=(role.word()) { (visit.say(Shared::RoleOf(role))) } } } }
                button.primary { (visit.say(Text::AddUser)) }
            }
        }
    }
}
