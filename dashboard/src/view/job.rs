//! An undo in batches: how far it is, how to stop it, and what can be done once it has ended.

use std::borrow::Cow;

use axum::response::Html;
use maud::{Markup, html};

use super::layout::{Page, Section, refreshing_page};
use super::number::length;
use super::version::link_to_transaction;
use super::{plan, time};
use crate::app_error::Problem;
use crate::revert::{Confirmation, Subject};
use crate::store::jobs::{Job, JobState};
use crate::visit::Visit;
use crate::words::plan::Text;
use crate::words::{Marked, Shared};

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
    let title = visit.say(plan::title(subject));
    let is_running = job.state == JobState::Running;
    let begun = Marked::JobBegun {
        who: &job.name,
        when: time::moment(visit, job.started_at),
        reason: job.reason.as_deref(),
    };
    let body = html! {
        header.head {
            h1 { (title) }
            p.meta { (visit.say(begun)) }
        }
        div #job data-progress=[is_running.then(|| links.job_progress(job.id))] data-seconds=(REFRESH) {
            (fragment(visit, progress))
        }
        p.hidden #job-news role="status" {}
        noscript { @if is_running { p.note { (visit.say(Text::LoadsAgain(REFRESH))) } } }
    };
    let above = [(visit.say(Shared::Overview), links.overview())];
    let page = Page { title: &title, section: Section::Other, above: &above, body };
    refreshing_page(visit, &page, is_running.then_some(REFRESH))
}

/// What changes while the page is open.
pub(crate) fn fragment(visit: &Visit, progress: &Progress<'_>) -> Markup {
    let job = progress.job;
    let batches = &batches(visit, job);
    html! {
        section.card.job data-state=[(job.state == JobState::Running).then_some("running")] {
            h2 #job-state { (visit.say(heading(job))) }
            @if job.batches > 0 {
                progress max=(job.rows.max(1)) value=(job.rows_done) aria-label=(visit.say(Text::RowsDone)) {}
                p.numbers { (visit.say(Marked::HowFar { done: job.rows_done, of: job.rows, batches })) }
            } @else if job.state == JobState::Running {
                progress aria-label=(visit.say(Text::Splitting)) {}
                p.numbers { (visit.say(Text::SplittingHelp)) }
            }
            @match job.state {
                JobState::Running => (running(visit, job)),
                JobState::Done => (done(visit, job)),
                _ => (unfinished(visit, progress)),
            }
        }
    }
}

fn heading(job: &Job) -> Text<'static> {
    match job.state {
        JobState::Running if job.is_stopping => Text::Stopping,
        JobState::Running if job.batches == 0 => Text::Splitting,
        JobState::Running => Text::UnderWay,
        JobState::Done => Text::Done,
        JobState::Stopped => Text::Stopped,
        JobState::Failed if job.batches == 0 => Text::NothingDone,
        JobState::Failed => Text::FailedInBatch(job.batches_done + 1),
        JobState::Interrupted => Text::Interrupted,
    }
}

fn batches(visit: &Visit, job: &Job) -> Cow<'static, str> {
    visit.say(if job.state == JobState::Running && job.batches_done < job.batches {
        Text::BatchOf { number: job.batches_done + 1, of: job.batches }
    } else {
        Text::BatchesDone { done: job.batches_done, of: job.batches }
    })
}

fn running(visit: &Visit, job: &Job) -> Markup {
    html! {
        p.note { (visit.say(Text::YouCanLeave)) }
        @if !job.is_stopping {
            form.actions method="post" action=(visit.links().stop_job(job.id)) data-once {
                button { (visit.say(Text::Stop)) }
                span.note { (visit.say(Text::StopHelp)) }
            }
        }
    }
}

fn done(visit: &Visit, job: &Job) -> Markup {
    html! {
        @if job.xids.is_empty() {
            p { (visit.say(Text::NothingChangedHelp)) }
        } @else {
            (transactions(visit, job))
            p.actions { a.button href=(undo(visit, job)) data-undo { (visit.say(Text::UndoThis)) } }
        }
    }
}

/// Stopped, failed or interrupted: what stands, why it went no further, and both ways out.
fn unfinished(visit: &Visit, progress: &Progress<'_>) -> Markup {
    let Progress { job, subject, problem } = progress;
    let stands = match job.state {
        _ if job.batches_done == 0 => Text::NothingHasBeenChanged,
        JobState::Failed => Text::BatchesBeforeStay,
        _ => Text::DoneStaysDone,
    };
    html! {
        @if let Some(problem) = problem {
            div.notice.bad role="alert" {
                p { strong { (visit.say(&problem.text)) } }
                @if let Some(detail) = &problem.detail { p { (visit.say(detail)) } }
                @if let Some(hint) = &problem.hint { p.hint { strong { (visit.say(Shared::WhatToDo)) " " } (visit.say(hint)) } }
            }
        }
        p { (visit.say(stands)) }
        @if job.state == JobState::Interrupted { p { (visit.say(Text::MayHaveBeenDone)) } }
        @if !job.xids.is_empty() { (transactions(visit, job)) }
        div.actions {
            a.button.primary href=(visit.links().plan(subject)) { (visit.say(Text::Continue)) }
            @if !job.xids.is_empty() { a.button href=(undo(visit, job)) data-undo { (visit.say(Text::UndoWhatWasDone)) } }
        }
        p.note { (visit.say(Text::ToContinue)) }
        p.note { (visit.say(Text::SameInShell)) }
        (plan::command(subject.target(), &in_batches(job)))
    }
}

fn in_batches(job: &Job) -> Confirmation {
    let reason = job.reason.clone().unwrap_or_default();
    Confirmation { in_batches: true, reason, ..Confirmation::default() }
}

fn undo(visit: &Visit, job: &Job) -> String {
    visit.links().plan(&Subject::transactions(&job.xids))
}

fn transactions(visit: &Visit, job: &Job) -> Markup {
    let links = html! {
        @for (number, xid) in job.xids.iter().take(MOST_LINKS).enumerate() {
            @if number > 0 { ", " }
            (link_to_transaction(visit, *xid))
        }
    };
    let done_in = Marked::DoneIn {
        transactions: links,
        more: length(job.xids.len().saturating_sub(MOST_LINKS)),
        when: job.ended_at.map(|at| time::moment(visit, at)),
    };
    html! { p.meta { (visit.say(done_in)) } }
}
