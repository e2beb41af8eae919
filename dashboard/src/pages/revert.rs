//! `POST /c/{connection}/revert`: applies a plan that a person has confirmed, or says why not.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::State;
use super::plan::{Pairs, Question, preview, subject};
use crate::app_error::AppError;
use crate::connections::{Environment, Opened, Shown};
use crate::extract::{Form, Query};
use crate::reading::Reader;
use crate::revert::{
    Application, Begun, Confirmation, Outcome, PlanKey, apply_once, begin_once, needs_reason,
};
use crate::view::plan::Refusal;
use crate::visit::{SignedIn, Visit};
use crate::words::problem::Text;

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
    let target = subject.target();
    let confirmation =
        Confirmation::read(&fields).ok_or(AppError::BadRequest(Text::NoFormOfPlan))?;
    let key = PlanKey::of(&state).await?;
    if visit.rules.objects_to(target) {
        return Err(AppError::hidden_key());
    }
    let refusal = match &confirmation.columns {
        Some(columns) if columns.is_empty() => Some(Refusal::NoColumn),
        Some(_) if confirmation.in_batches => Some(Refusal::ColumnsInBatches),
        _ => None,
    };
    if confirmation.is_look || refusal.is_some() {
        let reader = Reader::open(&shown, &visit).await?;
        let plan = reader.plan(target).await?;
        let token = key.token(&plan);
        let question = Question { subject: &subject, plan: &plan, token: &token };
        return again(&shown, &reader, &visit, question, refusal, confirmation).await;
    }
    let is_production = shown.info.environment == Environment::Production;
    if is_production && confirmation.label.trim() != shown.info.label {
        let reader = Reader::open(&shown, &visit).await?;
        let plan = reader.plan(target).await?;
        let token = key.token(&plan);
        let question = Question { subject: &subject, plan: &plan, token: &token };
        return again(&shown, &reader, &visit, question, Some(Refusal::NotNamed), confirmation)
            .await;
    }
    let reason = confirmation.reason.trim();
    if reason.is_empty() {
        // What a person saw and confirms without a reason: only its size matters here, `apply` checks the rest.
        let reader = Reader::open(&shown, &visit).await?;
        let plan = reader.plan(target).await?;
        let token = key.token(&plan);
        if token == confirmation.token && needs_reason(plan.rows()) {
            let question = Question { subject: &subject, plan: &plan, token: &token };
            return again(&shown, &reader, &visit, question, Some(Refusal::NoReason), confirmation)
                .await;
        }
    }
    let application = Application {
        opened: shown.0.clone(),
        subject: subject.clone(),
        token: confirmation.token.clone(),
        key: key.clone(),
        submission: confirmation.submission.clone(),
        on_conflict: confirmation.manner().on_conflict,
        columns: confirmation.columns.clone(),
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        actor: person.account.name.clone(),
        client_addr: visit.client_addr.clone(),
    };
    let refusal = if confirmation.in_batches && target.has_batches() {
        match begin_once(state.0.clone(), application, person).await? {
            Begun::Job(id) => return Ok(Redirect::to(&visit.links().job(id)).into_response()),
            Begun::Stale => Refusal::Stale,
            Begun::Conflict => Refusal::Conflict,
            Begun::Busy(job) => Refusal::Busy(job),
        }
    } else {
        match apply_once(state.0.clone(), application).await? {
            Outcome::Applied(xid) => {
                return Ok(Redirect::to(&visit.links().transaction(xid)).into_response());
            }
            Outcome::Stale => Refusal::Stale,
            Outcome::Conflict => Refusal::Conflict,
            Outcome::NothingChanged => Refusal::NothingChanged,
        }
    };
    let reader = Reader::open(&shown, &visit).await?;
    let plan = reader.plan(target).await?;
    let token = key.token(&plan);
    let is_too_much = plan.is_cut && token == confirmation.token && refusal == Refusal::Stale;
    let refusal = if is_too_much { Refusal::OnlyBatches } else { refusal };
    let question = Question { subject: &subject, plan: &plan, token: &token };
    again(&shown, &reader, &visit, question, Some(refusal), confirmation).await
}

/// The preview again, with the plan as of now and what was filled in.
async fn again(
    opened: &Opened,
    reader: &Reader,
    visit: &Visit,
    question: Question<'_>,
    refusal: Option<Refusal>,
    confirmation: Confirmation,
) -> Result<Response, AppError> {
    let status = match refusal {
        Some(
            Refusal::NoReason
            | Refusal::NotNamed
            | Refusal::NoColumn
            | Refusal::ColumnsInBatches
            | Refusal::OnlyBatches,
        ) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(Refusal::NothingChanged) | None => StatusCode::OK,
        Some(Refusal::Stale | Refusal::Conflict | Refusal::Busy(_)) => StatusCode::CONFLICT,
    };
    let page = preview(opened, reader, visit, question, refusal, confirmation).await?;
    Ok((status, page).into_response())
}
