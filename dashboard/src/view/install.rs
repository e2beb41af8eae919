//! Installing pg_track in a database that does not have it yet.

use axum::response::Html;
use maud::html;
use pgtrack_tracker::Installed;

use super::layout::{Page, Section, page as frame};
use crate::auth::Role;
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::care::Text;

/// What the page shows.
pub(crate) struct Install<'a> {
    pub(crate) found: &'a Installed,
    pub(crate) script: &'static str,
}

pub(crate) fn page(visit: &Visit, install: &Install<'_>) -> Html<String> {
    let (title, text, button) = match install.found {
        Installed::Missing => (
            visit.say(Text::Install),
            visit.say(Text::AboutMissing),
            Some(visit.say(Text::Install)),
        ),
        Installed::Outdated(version) => (
            visit.say(Text::Upgrade),
            visit.say(Text::HasVersion(version)),
            Some(visit.say(Text::Upgrade)),
        ),
        Installed::Current(version) => {
            (visit.say(Text::IsInstalled), visit.say(Text::NothingToDo(version)), None)
        }
        Installed::Newer(version) => {
            (visit.say(Text::IsNewer), visit.say(Text::NotUnderstood(version)), None)
        }
    };
    let body = html! {
        header.head { h1 { (title) } p.lead { (text) } }
        @if let Some(button) = button {
            @if visit.is(Role::Admin) && !visit.connection.is_read_only {
                section.card {
                    p { (visit.say(Text::NeedsRight)) }
                    form method="post" action={ (visit.links().overview()) "/install" } data-once { div.actions { button.primary { (button) } } }
                }
            } @else {
                div.notice { p { (visit.say(Text::AdminCan)) } }
            }
            details.card.sql { summary { (visit.say(Text::SqlThatIsRun)) } pre { code { (install.script) } } }
        } @else {
            p.actions { a.button href=(visit.links().overview()) { (visit.say(Shared::GoToOverview)) } }
        }
    };
    frame(visit, &Page { title: &title, section: Section::Other, above: &[], body })
}
