//! The frame around every page.

use std::borrow::Cow;

use axum::response::Html;
use maud::{DOCTYPE, Markup, html};

use super::icon;
use crate::assets::{APP_CSS, APP_JS, FAVICON};
use crate::auth::Role;
use crate::bidi::shown_in_html;
use crate::connections::Environment;
use crate::preferences::Theme;
use crate::search::Search;
use crate::visit::{SignedIn, Visit};
use crate::words::frame::Text;
use crate::words::{Counted, Shared};

/// The entries of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Activity,
    Tables,
    Storage,
    Health,
    /// None of them.
    Other,
}

/// What one page puts into the frame.
pub(crate) struct Page<'a> {
    /// For the browser's tab.
    pub(crate) title: &'a str,
    pub(crate) section: Section,
    /// The pages above this one, each with its URL.
    pub(crate) above: &'a [(Cow<'a, str>, String)],
    pub(crate) body: Markup,
}

/// The whole document.
pub(crate) fn page(visit: &Visit, page: &Page<'_>) -> Html<String> {
    refreshing_page(visit, page, None)
}

/// The whole document; where scripts do not run, it is loaded again after so many seconds.
pub(crate) fn refreshing_page(
    visit: &Visit,
    page: &Page<'_>,
    refresh_seconds: Option<u32>,
) -> Html<String> {
    let words = visit.preferences.words;
    let markup = html! {
        (DOCTYPE)
        html lang=(words.language.tag()) data-theme=(visit.preferences.theme.word()) data-now=(visit.clock.now.as_millisecond())
            data-just-now=(visit.say(Text::JustNow)) data-seconds=(Counted::SecondsAgo.forms(words)) data-minutes=(Counted::MinutesAgo.forms(words))
            data-hours=(Counted::HoursAgo.forms(words)) data-days=(Counted::DaysAgo.forms(words)) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content=(color_scheme(visit.preferences.theme));
                @if let Some(seconds) = refresh_seconds { noscript { meta http-equiv="refresh" content=(seconds); } }
                title { (page.title) " · " (label(visit)) " · pg_track" }
                link rel="icon" type="image/svg+xml" href=(FAVICON.path());
                link rel="stylesheet" href=(APP_CSS.path());
                script src=(APP_JS.path()) defer {}
            }
            body.compact[visit.preferences.is_compact] data-shortcuts=[visit.preferences.has_shortcuts.then(|| visit.links().overview())]
                data-copy=(visit.say(Text::Copy)) data-copied=(visit.say(Text::Copied)) {
                a.skip href="#main" { (visit.say(Text::SkipToContent)) }
                (top_bar(visit, page.section))
                main #main tabindex="-1" {
                    @if !page.above.is_empty() { (breadcrumb(visit, page.above)) }
                    (page.body)
                }
            }
        }
    };
    Html(shown_in_html(markup.into_string()))
}

/// What the database is called, if there is one.
fn label(visit: &Visit) -> Cow<'_, str> {
    if visit.connection.is_nothing() {
        visit.say(Text::NoConnection)
    } else {
        Cow::Borrowed(&visit.connection.label)
    }
}

/// What the browser may draw by itself, such as the canvas before the stylesheet is there.
fn color_scheme(theme: Theme) -> &'static str {
    match theme {
        Theme::Auto => "light dark",
        Theme::Light => "light",
        Theme::Dark => "dark",
    }
}

fn top_bar(visit: &Visit, section: Section) -> Markup {
    let links = visit.links();
    html! {
        header.bar data-environment=[(visit.connection.environment != Environment::None).then(|| visit.connection.environment.word())] {
            a.brand href="/" { (icon::brand()) " pg_track" }
            @if let Some(person) = &visit.signed_in {
                nav.main aria-label=(visit.say(Text::Main)) {
                    a.connection href="/connections" title=(visit.say(Text::ChooseDatabase)) { (label(visit)) " " (environment(visit, visit.connection.environment)) @if visit.connection.is_read_only { " " span.badge.plain { (visit.say(Shared::ViewingOnly)) } } }
                    (entry(&visit.say(Shared::Overview), &links.overview(), section == Section::Overview))
                    (entry(&visit.say(Shared::Activity), &links.changes(&Search::default()), section == Section::Activity))
                    (entry(&visit.say(Shared::Tables), &links.tables(), section == Section::Tables))
                    (entry(&visit.say(Shared::Storage), &links.storage(), section == Section::Storage))
                    (entry(&visit.say(Shared::Health), &links.health(), section == Section::Health))
                }
                (menu(visit, person))
            } @else {
                (theme_switch(visit))
            }
        }
    }
}

/// What a database is for, as a sign that nobody overlooks.
pub(crate) fn environment(visit: &Visit, environment: Environment) -> Markup {
    html! {
        @if environment != Environment::None {
            span.badge.environment data-environment=(environment.word()) { (visit.say(Shared::Environment(environment))) }
        }
    }
}

fn entry(label: &str, href: &str, is_current: bool) -> Markup {
    html! { a href=(href) aria-current=[is_current.then_some("page")] { (label) } }
}

fn menu(visit: &Visit, person: &SignedIn) -> Markup {
    html! {
        details.menu {
            summary { span.name { (person.account.name) } " " (icon::chevron()) }
            div.panel {
                p { strong { (person.account.name) } br; span.note { (visit.say(Text::YourRole(person.role))) } }
                (theme_switch(visit))
                ul.links {
                    li { a href="/account" { (visit.say(Shared::Account)) } }
                    li { a href="/settings" { (visit.say(Shared::Settings)) } }
                    li { a href="/connections" { (visit.say(Shared::Connections)) } }
                    @if person.account.role == Role::Admin {
                        li { a href="/users" { (visit.say(Shared::Users)) } }
                        li { a href="/audit" { (visit.say(Shared::AuditLog)) } }
                    }
                }
                form method="post" action="/logout" { button.quiet { (visit.say(Text::SignOut)) } }
            }
        }
    }
}

fn theme_switch(visit: &Visit) -> Markup {
    html! {
        form.theme method="post" action="/settings/theme" role="group" aria-label=(visit.say(Text::Theme)) {
            input type="hidden" name="next" value=(visit.here);
            @for theme in Theme::ALL {
                button name="theme" value=(theme.word()) aria-pressed=((theme == visit.preferences.theme).to_string()) {
                    (visit.say(Text::ThemeName(theme)))
                }
            }
        }
    }
}

fn breadcrumb(visit: &Visit, above: &[(Cow<'_, str>, String)]) -> Markup {
    html! {
        nav.breadcrumb aria-label=(visit.say(Text::Breadcrumb)) {
            ol { @for (label, href) in above { li { a href=(href) { (label) } } } }
        }
    }
}
