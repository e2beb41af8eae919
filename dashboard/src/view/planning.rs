//! A plan that takes longer than a page: how far it is, how to end it, and how to do it elsewhere.

use std::time::Duration;

use axum::response::Html;
use maud::{Markup, html};

use super::layout::{Page, Section, refreshing_page};
use super::plan::{command, title};
use crate::revert::{Confirmation, PAGE, Phase, Subject};
use crate::visit::Visit;
use crate::words::Shared;
use crate::words::plan::Text;

/// How often the page asks how far it is, in seconds.
const REFRESH: u32 = 2;

/// What the page shows.
pub(crate) struct HowFar<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) elapsed: Duration,
    pub(crate) phase: Phase,
}

pub(crate) fn page(visit: &Visit, how_far: &HowFar<'_>) -> Html<String> {
    let links = visit.links();
    let title = visit.say(title(how_far.subject));
    let body = html! {
        header.head { h1 { (title) } }
        div #job data-progress=(links.plan_progress(how_far.subject)) data-seconds=(REFRESH) { (fragment(visit, how_far)) }
        p.hidden #job-news role="status" {}
        noscript { p.note { (visit.say(Text::LoadsAgain(REFRESH))) } }
        section.card.sql {
            h2 { (visit.say(Text::SameInShell)) }
            (command(how_far.subject.target(), &Confirmation::default()))
        }
    };
    let above = [(visit.say(Shared::Overview), links.overview())];
    let page = Page { title: &title, section: Section::Other, above: &above, body };
    refreshing_page(visit, &page, Some(REFRESH))
}

/// What changes while the page is open.
pub(crate) fn fragment(visit: &Visit, how_far: &HowFar<'_>) -> Markup {
    html! {
        section.card.job data-state=[Some("running")] {
            h2 #job-state { (visit.say(Text::Phase(how_far.phase))) }
            progress aria-label=(visit.say(Text::WorkingOut)) {}
            p.numbers { (visit.say(Text::SoFar(how_far.elapsed))) }
            p.note { (visit.say(Text::PlanInBackground(PAGE))) }
            form.actions method="post" action=(visit.links().cancel_plan(how_far.subject)) data-once {
                button { (visit.say(Shared::Cancel)) }
                span.note { (visit.say(Text::CancelHelp)) }
            }
        }
    }
}

/// What there is instead once it is not being worked out any more: the way to the preview, which the script takes.
pub(crate) fn over(visit: &Visit, subject: &Subject) -> Markup {
    html! {
        section.card.job {
            h2 #job-state { (visit.say(Text::PlanReady)) }
            p.actions { a.button.primary data-go href=(visit.links().plan(subject)) { (visit.say(Text::ShowPlan)) } }
        }
    }
}
