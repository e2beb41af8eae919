//! `POST /c/{connection}/revert`: applies a plan that a person has confirmed, or says why not.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use pgtrack_tracker::revert::{Plan, plan};
use tokio_postgres::Client;

use super::State;
use super::plan::{Pairs, Question, preview, subject};
use crate::app_error::AppError;
use crate::connections::{Environment, Opened, Shown};
use crate::extract::{Form, Query};
use crate::revert::{Application, Confirmation, Outcome, apply_once, needs_reason};
use crate::view::plan::Refusal;
use crate::visit::{SignedIn, Visit};

pub(crate) async fn post(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Query(pairs): Pairs,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, AppError> {
    shown.require_writable()?;
    let subject = subject(&pairs)?;
    let confirmation = Confirmation::read(&fields)
        .ok_or_else(|| AppError::BadRequest("This is not the form of a plan.".to_owned()))?;
    let target = subject.target();
    let refusal = match &confirmation.columns {
        Some(columns) if columns.is_empty() => Some(Refusal::NoColumn),
        _ => None,
    };
    if confirmation.is_look || refusal.is_some() {
        let client = shown.database.read().await?;
        let plan = plan(&**client, target).await?;
        let question = Question { subject: &subject, plan: &plan };
        return again(&shown, &client, &visit, question, refusal, confirmation).await;
    }
    let is_production = shown.info.environment == Environment::Production;
    if is_production && confirmation.label.trim() != shown.info.label {
        let client = shown.database.read().await?;
        let plan = plan(&**client, target).await?;
        let question = Question { subject: &subject, plan: &plan };
        return again(&shown, &client, &visit, question, Some(Refusal::NotNamed), confirmation)
            .await;
    }
    let reason = confirmation.reason.trim();
    if reason.is_empty() {
        // What a person saw and confirms without a reason: only its size matters here, `apply` checks the rest.
        let client = shown.database.read().await?;
        let plan = plan(&**client, target).await?;
        if plan.token == confirmation.token && needs_reason(plan.steps.len()) {
            let question = Question { subject: &subject, plan: &plan };
            return again(&shown, &client, &visit, question, Some(Refusal::NoReason), confirmation)
                .await;
        }
    }
    let application = Application {
        opened: shown.0.clone(),
        subject: subject.clone(),
        token: confirmation.token.clone(),
        submission: confirmation.submission.clone(),
        on_conflict: confirmation.manner().on_conflict,
        columns: confirmation.columns.clone(),
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        actor: person.account.name,
        client_addr: visit.client_addr.clone(),
    };
    let refusal = match apply_once(state.0.clone(), application).await? {
        Outcome::Applied(xid) => {
            return Ok(Redirect::to(&visit.links().transaction(xid)).into_response());
        }
        Outcome::Stale => Refusal::Stale,
        Outcome::Conflict => Refusal::Conflict,
        Outcome::NothingChanged => Refusal::NothingChanged,
    };
    let client = shown.database.read().await?;
    let plan: Plan = plan(&**client, target).await?;
    let question = Question { subject: &subject, plan: &plan };
    again(&shown, &client, &visit, question, Some(refusal), confirmation).await
}

/// The preview again, with the plan as of now and what was filled in.
async fn again(
    opened: &Opened,
    client: &Client,
    visit: &Visit,
    question: Question<'_>,
    refusal: Option<Refusal>,
    confirmation: Confirmation,
) -> Result<Response, AppError> {
    let status = match refusal {
        Some(Refusal::NoReason | Refusal::NotNamed | Refusal::NoColumn) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Some(Refusal::NothingChanged) | None => StatusCode::OK,
        Some(Refusal::Stale | Refusal::Conflict) => StatusCode::CONFLICT,
    };
    let page = preview(opened, client, visit, question, refusal, confirmation).await?;
    Ok((status, page).into_response())
}
