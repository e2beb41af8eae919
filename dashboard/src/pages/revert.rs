//! `POST /c/{connection}/revert`: applies a plan that a person has confirmed, or says why not.

use axum::response::{IntoResponse, Redirect, Response};

use super::State;
use super::plan::{Asked, Pairs, subject};
use crate::app_error::AppError;
use crate::connections::{Environment, Shown};
use crate::extract::{Form, Query};
use crate::revert::{
    Application, Begun, Confirmation, Draft, Outcome, PlanKey, Subject, apply_once, begin_once,
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
    let confirmation =
        Confirmation::read(&fields).ok_or(AppError::BadRequest(Text::NoFormOfPlan))?;
    let chosen = confirmation.clone();
    let done = revert(state, shown, visit, person, subject, confirmation).await;
    // An error page has the command with what was chosen.
    Ok(done.unwrap_or_else(|error| {
        let mut response = error.into_response();
        response.extensions_mut().insert(chosen);
        response
    }))
}

async fn revert(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    subject: Subject,
    confirmation: Confirmation,
) -> Result<Response, AppError> {
    let target = subject.target();
    let key = PlanKey::of(&state).await?;
    if visit.rules.objects_to(target) {
        return Err(AppError::hidden_key());
    }
    let refusal = match &confirmation.columns {
        Some(columns) if columns.is_empty() => Some(Refusal::NoColumn),
        Some(_) if confirmation.in_batches => Some(Refusal::ColumnsInBatches),
        _ if confirmation.is_unseen() && !confirmation.is_look => Some(Refusal::ByDifference),
        _ => None,
    };
    let asked = Asked { state: &state, shown: &shown, visit: &visit, subject: &subject };
    if confirmation.is_look || refusal.is_some() {
        return asked.again(&person, Draft { refusal, confirmation }).await;
    }
    let is_production = shown.info.environment == Environment::Production;
    if is_production && confirmation.label.trim() != shown.info.label {
        let refusal = Some(Refusal::NotNamed);
        return asked.again(&person, Draft { refusal, confirmation }).await;
    }
    let in_batches = confirmation.in_batches && target.has_batches();
    let reason = confirmation.reason.trim();
    // Where it goes in one step, its plan says how many rows it is.
    if in_batches && reason.is_empty() {
        let refusal = Some(Refusal::NoReason);
        return asked.again(&person, Draft { refusal, confirmation }).await;
    }
    let application = Application {
        opened: shown.0.clone(),
        subject: subject.clone(),
        token: confirmation.token.clone(),
        key: key.clone(),
        submission: confirmation.submission.clone(),
        on_conflict: confirmation.manner().on_conflict,
        planned: confirmation.planned(),
        columns: confirmation.columns.clone(),
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
        actor: person.account.name.clone(),
        client_addr: visit.client_addr.clone(),
    };
    let refusal = if in_batches {
        match begin_once(state.0.clone(), application, person.clone()).await? {
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
            Outcome::NoReason => Refusal::NoReason,
            Outcome::Stale => Refusal::Stale,
            Outcome::Conflict => Refusal::Conflict,
            Outcome::NothingChanged => Refusal::NothingChanged,
        }
    };
    asked.again(&person, Draft { refusal: Some(refusal), confirmation }).await
}
