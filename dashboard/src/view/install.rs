//! Installing pg_track in a database that does not have it yet.

use axum::response::Html;
use maud::html;
use pgtrack_tracker::Installed;

use super::layout::{Page, Section, page as frame};
use crate::auth::Role;
use crate::visit::Visit;

/// What the page shows.
pub(crate) struct Install<'a> {
    pub(crate) found: &'a Installed,
    pub(crate) script: &'static str,
}

pub(crate) fn page(visit: &Visit, install: &Install<'_>) -> Html<String> {
    let (title, text, button) = match install.found {
        Installed::Missing => (
            "Install pg_track",
            "This database does not have pg_track yet. It adds the schemas pgtrack and pgtrack_history and changes nothing else; tables are tracked when you say so.".to_owned(),
            Some("Install pg_track"),
        ),
        Installed::Outdated(version) => {
            ("Upgrade pg_track", format!("This database has version {version}."), Some("Upgrade pg_track"))
        }
        Installed::Current(version) => {
            ("pg_track is installed", format!("This database has version {version}; nothing is to be done."), None)
        }
        Installed::Newer(version) => (
            "pg_track is newer here",
            format!("This database has version {version}, which this dashboard does not understand. Use a newer one."),
            None,
        ),
    };
    let body = html! {
        header.head { h1 { (title) } p.lead { (text) } }
        @if let Some(button) = button {
            @if visit.is(Role::Admin) && !visit.connection.is_read_only {
                section.card {
                    p { "The role needs the right to create schemas; as a superuser's, it can also follow ALTER TABLE at once." }
                    form method="post" action={ (visit.links().overview()) "/install" } data-once { div.actions { button.primary { (button) } } }
                }
            } @else {
                div.notice { p { "An admin can do this here, on a connection that is not for viewing only." } }
            }
            details.card.sql { summary { "The SQL that is run" } pre { code { (install.script) } } }
        } @else {
            p.actions { a.button href=(visit.links().overview()) { "Go to the overview" } }
        }
    };
    frame(visit, &Page { title, section: Section::Other, above: &[], body })
}
