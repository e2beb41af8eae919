//! The page of a request that failed: what happened, why, what to do, and an id to ask with.

use axum::response::Html;
use maud::html;

use super::layout::{Page, Section, page as frame};
use crate::app_error::Problem;
use crate::visit::Visit;

pub(crate) fn page(visit: &Visit, problem: &Problem) -> Html<String> {
    let body = html! {
        section.card.problem {
            p.status { "Error " (problem.status.as_u16()) }
            h1 { (problem.title) }
            p { (problem.text) }
            @if let Some(detail) = &problem.detail { p { (detail) } }
            @if let Some(hint) = &problem.hint { p.hint { strong { "What to do: " } (hint) } }
            p.actions {
                @if visit.signed_in.is_some() {
                    a.button href=(visit.links().overview()) { "Go to the overview" }
                } @else {
                    a.button href="/" { "Go to the start page" }
                }
            }
            p.note { "Request id " code { (visit.request_id) } }
        }
    };
    frame(visit, &Page { title: problem.title, section: Section::Other, above: &[], body })
}
