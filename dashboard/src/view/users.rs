//! The people who may sign in.

use axum::response::Html;
use maud::{Markup, html};

use super::form::{Field, field, refusal};
use super::layout::{Page, Section, page as frame};
use super::time;
use crate::auth::{Grant, Role};
use crate::store::accounts::Listed;
use crate::store::grants::Grants;
use crate::visit::Visit;

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
    pub(crate) refusal: Option<String>,
}

pub(crate) fn page(visit: &Visit, users: &Users<'_>) -> Html<String> {
    let body = html! {
        header.head {
            h1 { "Users" }
            p.lead { "Viewers read. Operators also undo, revert, restore and export. Admins also manage users, connections, tracking and storage. In single connections somebody may have another role, or none." }
        }
        table.list {
            caption.hidden { "Users" }
            thead {
                tr { th scope="col" { "Name" } th scope="col" { "Signed in" } th scope="col" { "Created" } th scope="col" { "Role and password" } }
            }
            tbody { @for one in users.list { (row(visit, users, one)) } }
        }
        (add(users))
    };
    frame(visit, &Page { title: "Users", section: Section::Other, above: &[], body })
}

fn row(visit: &Visit, users: &Users<'_>, one: &Listed) -> Markup {
    let id = one.account.id;
    let name = &one.account.name;
    html! {
        tr {
            th scope="row" data-head="Name" { (name) @if id == users.own { " " span.note { "you" } } }
            td data-head="Signed in" { @match one.seen_at { Some(at) => (time::moment(at, &visit.clock)), None => span.note { "not now" } } }
            td data-head="Created" { (time::exact(one.created_at, &visit.clock)) }
            td data-head="Role and password" {
                div.cell-forms {
                    form method="post" action={ "/users/" (id) } {
                        label { span.hidden { "Role of " (name) } (roles(one.account.role)) }
                        label { span.hidden { "New password of " (name) } input type="password" name="password" autocomplete="new-password" placeholder="new password, or as it is"; }
                        button.quiet { "Save" span.hidden { " " (name) } }
                    }
                    (grants(users, one))
                    @if id != users.own {
                        form method="post" action={ "/users/" (id) "/remove" } { button.quiet.danger { "Remove" span.hidden { " " (name) } } }
                    }
                }
            }
        }
    }
}

/// What somebody may do in single connections.
fn grants(users: &Users<'_>, one: &Listed) -> Markup {
    let id = one.account.id;
    let given = |slug: &String| users.grants.get(&(id, slug.clone())).copied();
    let others = users.connections.iter().filter(|(slug, _)| given(slug).is_some()).count();
    html! {
        details {
            summary { "Connections" span.hidden { " of " (one.account.name) } @if others > 0 { " (" (others) " otherwise)" } }
            form method="post" action={ "/users/" (id) "/connections" } {
                @for (slug, label) in users.connections {
                    label { (label) " "
                        select name=(slug) {
                            option value="" { "as everywhere" }
                            @for grant in Grant::ALL { option value=(grant.word()) selected[given(slug) == Some(grant)] { (grant.word()) } }
                        }
                    }
                }
                button.quiet { "Save" span.hidden { " the connections of " (one.account.name) } }
            }
        }
    }
}

fn roles(chosen: Role) -> Markup {
    html! {
        select name="role" { @for role in Role::ALL { option value=(role.word()) selected[role == chosen] { (role.word()) } } }
    }
}

fn add(users: &Users<'_>) -> Markup {
    let name = Field {
        label: "User name",
        name: "name",
        kind: "text",
        autocomplete: "off",
        value: users.name,
        help: Some("It is recorded with everything they undo."),
    };
    let password = Field {
        label: "Password",
        name: "password",
        kind: "password",
        autocomplete: "new-password",
        value: "",
        help: Some("At least 12 characters. They can change it themselves."),
    };
    html! {
        section.card.form-card aria-labelledby="add" {
            h2 #add { "Add a user" }
            @if let Some(text) = &users.refusal { (refusal(text)) }
            form method="post" action="/users" {
                (field(&name))
                (field(&password))
                div.field { label for="role" { "Role" } select #role name="role" { @for role in Role::ALL { option value=(role.word()) { (role.word()) } } } }
                button.primary { "Add user" }
            }
        }
    }
}
