//! An undo in batches: how far it is, how to stop it, and what can be done once it has ended.

use axum::response::Html;
use maud::{Markup, html};

use super::layout::{Page, Section, refreshing_page};
use super::number::{count, grouped, length};
use super::{plan, time};
use crate::app_error::Problem;
use crate::revert::Subject;
use crate::store::jobs::{Job, JobState};
use crate::visit::Visit;

/// How often the page asks how far it is, in seconds.
const REFRESH: u32 = 2;
/// No more transactions than this are linked to one by one.
const MOST_LINKS: usize = 20;

/// What the page shows.
pub(crate) struct Progress<'a> {
    pub(crate) job: &'a Job,
    pub(crate) subject: Subject,
    /// Why it failed, as far as the person may know.
    pub(crate) problem: Option<Problem>,
}

pub(crate) fn page(visit: &Visit, progress: &Progress<'_>) -> Html<String> {
    let Progress { job, subject, .. } = progress;
    let links = visit.links();
    let title = plan::title(subject);
    let is_running = job.state == JobState::Running;
    let body = html! {
        header.head {
            h1 { (title) }
            p.meta {
                "In batches, by " strong { (job.name) } ", begun " (time::moment(job.started_at, &visit.clock))
                @if let Some(reason) = &job.reason { ", " q { (reason) } }
            }
        }
        div #job data-progress=[is_running.then(|| links.job_progress(job.id))] data-seconds=(REFRESH) {
            (fragment(visit, progress))
        }
        p.hidden #job-news role="status" {}
        noscript { @if is_running { p.note { "This page loads itself again every " (REFRESH) " seconds." } } }
    };
    let above = [("Overview", links.overview())];
    let page = Page { title: &title, section: Section::Other, above: &above, body };
    refreshing_page(visit, &page, is_running.then_some(REFRESH))
}

/// What changes while the page is open.
pub(crate) fn fragment(visit: &Visit, progress: &Progress<'_>) -> Markup {
    let job = progress.job;
    html! {
        section.card.job data-state=[(job.state == JobState::Running).then_some("running")] {
            (heading(job))
            progress max=(job.rows.max(1)) value=(job.rows_done) aria-label="Rows done" {}
            p.numbers {
                strong { (grouped(job.rows_done)) " of " (count(job.rows, "row")) }
                ", " (batches(job))
            }
            @match job.state {
                JobState::Running => (running(visit, job)),
                JobState::Done => (done(visit, job)),
                _ => (unfinished(visit, progress)),
            }
        }
    }
}

fn heading(job: &Job) -> Markup {
    html! {
        h2 #job-state {
            @match job.state {
                JobState::Running if job.is_stopping => { "Stopping after this batch" }
                JobState::Running => { "Under way" }
                JobState::Done => { "Done" }
                JobState::Stopped => { "Stopped" }
                JobState::Failed => { "Failed in batch " (grouped(job.batches_done + 1)) }
                JobState::Interrupted => { "Interrupted" }
            }
        }
    }
}

fn batches(job: &Job) -> String {
    if job.state == JobState::Running && job.batches_done < job.batches {
        format!("batch {} of {}", grouped(job.batches_done + 1), grouped(job.batches))
    } else {
        let things = if job.batches == 1 { "batch" } else { "batches" };
        format!("{} of {} {things}", grouped(job.batches_done), grouped(job.batches))
    }
}

fn running(visit: &Visit, job: &Job) -> Markup {
    html! {
        p.note { "You can leave this page; it goes on all the same." }
        @if !job.is_stopping {
            form.actions method="post" action=(visit.links().stop_job(job.id)) data-once {
                button { "Stop" }
                span.note { "The present batch is finished first; what is done stays done." }
            }
        }
    }
}

fn done(visit: &Visit, job: &Job) -> Markup {
    html! {
        @if job.xids.is_empty() {
            p { "Every row was left as it is." }
        } @else {
            (transactions(visit, job))
            p.actions { a.button href=(undo(visit, job)) data-undo { "Undo this…" } }
        }
    }
}

/// Stopped, failed or interrupted: what stands, why it went no further, and both ways out.
fn unfinished(visit: &Visit, progress: &Progress<'_>) -> Markup {
    let Progress { job, subject, problem } = progress;
    html! {
        @if let Some(problem) = problem {
            div.notice.bad role="alert" {
                p { strong { (problem.text) } }
                @if let Some(detail) = &problem.detail { p { (detail) } }
                @if let Some(hint) = &problem.hint { p.hint { strong { "What to do: " } (hint) } }
            }
        }
        p {
            @if job.batches_done == 0 { "Nothing has been changed." }
            @else if job.state == JobState::Failed { "The batches before it stay done. Of the batch that failed, nothing was done." }
            @else { "What is done stays done; the other rows are as they were." }
        }
        @if job.state == JobState::Interrupted {
            p { "The dashboard ended while it was running. If a batch was under way then, it may have been done, too: the activity shows it, and going on leaves it out." }
        }
        @if !job.xids.is_empty() { (transactions(visit, job)) }
        div.actions {
            a.button.primary href=(visit.links().plan(subject)) { "Continue…" }
            @if !job.xids.is_empty() { a.button href=(undo(visit, job)) data-undo { "Undo what was done…" } }
        }
        p.note { "To continue is to make a new plan for the rows that are left." }
    }
}

fn undo(visit: &Visit, job: &Job) -> String {
    visit.links().plan(&Subject::transactions(&job.xids))
}

fn transactions(visit: &Visit, job: &Job) -> Markup {
    let links = visit.links();
    html! {
        p.meta {
            "Done in "
            @for (number, xid) in job.xids.iter().take(MOST_LINKS).enumerate() {
                @if number > 0 { ", " }
                a href=(links.transaction(*xid)) { "transaction " (xid) }
            }
            @if job.xids.len() > MOST_LINKS { " and " (grouped(length(job.xids.len() - MOST_LINKS))) " more" }
            @if let Some(at) = job.ended_at { ", " (time::moment(at, &visit.clock)) }
        }
    }
}
