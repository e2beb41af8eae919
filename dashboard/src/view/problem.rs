//! The page of a request that failed: what happened, why, what to do, and an id to ask with.

use axum::response::Html;
use maud::html;

use super::layout::{Page, Section, page as frame};
use crate::app_error::{Elsewhere, Problem};
use crate::visit::Visit;
use crate::words::frame::Text;
use crate::words::{Marked, Shared};

pub(crate) fn page(
    visit: &Visit,
    problem: &Problem,
    elsewhere: Option<&Elsewhere>,
) -> Html<String> {
    let title = &visit.say(&problem.title);
    let body = html! {
        section.card.problem {
            p.status { (visit.say(Text::Error(problem.status.as_u16()))) }
            h1 { (title) }
            p { (visit.say(&problem.text)) }
            @if let Some(detail) = &problem.detail { p { (visit.say(detail)) } }
            @if let Some(hint) = &problem.hint { p.hint { strong { (visit.say(Shared::WhatToDo)) " " } (visit.say(hint)) } }
            @if let Some(elsewhere) = elsewhere {
                p { (visit.say(Text::OnCommandLine)) }
                pre data-copyable { code { (elsewhere.command) } }
            }
            p.actions {
                @if let Some(elsewhere) = elsewhere {
                    a.button.primary href=(elsewhere.plan) { (visit.say(Text::ToThePlan)) } " "
                }
                @if visit.signed_in.is_some() {
                    a.button href=(visit.links().overview()) { (visit.say(Shared::GoToOverview)) }
                } @else {
                    a.button href="/" { (visit.say(Text::GoToStart)) }
                }
            }
            p.note { (visit.say(Marked::RequestId(&visit.request_id))) }
        }
    };
    frame(visit, &Page { title, section: Section::Other, above: &[], body })
}
