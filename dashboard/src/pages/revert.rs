//! `POST /c/{connection}/revert`: applies a plan that a person has confirmed, or says why not.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use pgtrack_tracker::revert::{OnConflict, Plan, plan};
use tokio_postgres::Client;

use super::State;
use super::plan::{Question, preview, target};
use crate::app_error::AppError;
use crate::extract::{Form, Query};
use crate::revert::{
    Application, Choice, Confirmation, Outcome, Subject, apply_once, needs_reason,
};
use crate::view::plan::Refusal;
use crate::visit::{SignedIn, Visit};

pub(crate) async fn post(
    state: State,
    visit: Visit,
    person: SignedIn,
    Query(subject): Query<Subject>,
    Form(confirmation): Form<Confirmation>,
) -> Result<Response, AppError> {
    let target = target(&subject)?;
    let reason = confirmation.reason.trim();
    if reason.is_empty() {
        // What a person saw and confirms without a reason: only its size matters here, `apply` checks the rest.
        let client = state.database.read().await?;
        let plan = plan(&**client, &target).await?;
        if plan.token == confirmation.token && needs_reason(plan.steps.len()) {
            let question = Question { subject: &subject, target: &target, plan: &plan };
            return again(&client, &visit, question, Refusal::NoReason, confirmation).await;
        }
    }
    let application = Application {
        subject: subject.clone(),
        target: target.clone(),
        token: confirmation.token.clone(),
        submission: confirmation.submission.clone(),
        on_conflict: confirmation.on_conflict.map_or(OnConflict::Error, Choice::on_conflict),
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        actor: person.account.name,
        client_addr: visit.client_addr.clone(),
    };
    let refusal = match apply_once(state.0.clone(), application).await? {
        Outcome::Applied(xid) => {
            return Ok(Redirect::to(&state.links().transaction(xid)).into_response());
        }
        Outcome::Stale => Refusal::Stale,
        Outcome::Conflict => Refusal::Conflict,
        Outcome::NothingChanged => Refusal::NothingChanged,
    };
    let client = state.database.read().await?;
    let plan: Plan = plan(&**client, &target).await?;
    let question = Question { subject: &subject, target: &target, plan: &plan };
    again(&client, &visit, question, refusal, confirmation).await
}

/// The preview again, with the plan as of now and what was filled in.
async fn again(
    client: &Client,
    visit: &Visit,
    question: Question<'_>,
    refusal: Refusal,
    confirmation: Confirmation,
) -> Result<Response, AppError> {
    let status = match refusal {
        Refusal::NoReason => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::NothingChanged => StatusCode::OK,
        Refusal::Stale | Refusal::Conflict => StatusCode::CONFLICT,
    };
    let page = preview(client, visit, question, Some(refusal), confirmation).await?;
    Ok((status, page).into_response())
}
