//! `/c/{connection}/revert/jobs/{id}`: how far an undo in batches is, and how it ended.

use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{Page, State};

use crate::app_error::{AppError, Problem};
use crate::bidi::shown_in_html;
use crate::connections::Shown;
use crate::extract::Path;
use crate::revert::Subject;
use crate::store::jobs::{self, Job};
use crate::view::job::{Progress, fragment, page};
use crate::visit::Visit;
use crate::words::problem::Text;

#[derive(Deserialize)]
pub(crate) struct Named {
    id: i64,
}

pub(crate) async fn get(
    state: State,
    shown: Shown,
    visit: Visit,
    Path(Named { id }): Path<Named>,
) -> Page {
    let job = find(&state, &shown, id).await?;
    Ok(page(&visit, &progress_of(&visit, &job)?))
}

/// What changes of the page while it is open.
pub(crate) async fn progress(
    state: State,
    shown: Shown,
    visit: Visit,
    Path(Named { id }): Path<Named>,
) -> Page {
    let job = find(&state, &shown, id).await?;
    Ok(Html(shown_in_html(fragment(&visit, &progress_of(&visit, &job)?).into_string())))
}

/// Stops it after the present batch.
pub(crate) async fn stop(
    state: State,
    shown: Shown,
    visit: Visit,
    Path(Named { id }): Path<Named>,
) -> Result<Response, AppError> {
    let job = find(&state, &shown, id).await?;
    jobs::stop(&*state.database.write().await?, job.id).await?;
    Ok(Redirect::to(&visit.links().job(id)).into_response())
}

async fn find(state: &State, shown: &Shown, id: i64) -> Result<Job, AppError> {
    let client = state.database.read().await?;
    let job = jobs::find(&client, &shown.info.slug, id).await?;
    job.ok_or(AppError::NotFound(Text::NoJob))
}

fn progress_of<'a>(visit: &Visit, job: &'a Job) -> Result<Progress<'a>, AppError> {
    let subject = Subject::from_query(&job.subject)
        .ok_or_else(|| AppError::Internal(format!("job {} is about nothing", job.id)))?;
    let problem = job.problem.as_ref().map(|kept| Problem::kept(kept).hidden_by(&visit.rules));
    Ok(Progress { job, subject, problem })
}
