//! `/c/{connection}/revert/plan`: what a revert would do. Changes nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use pgtrack_tracker::revert::{
    Manner, OnConflict, Plan, Target, estimate, rehearse, rehearse_batches,
};
use pgtrack_tracker::{Column, Version, columns};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{Page, State};
use crate::app_error::{AppError, Problem};
use crate::bidi::shown_in_html;
use crate::connections::{Opened, Shown};
use crate::extract::Query;
use crate::hex;
use crate::reading::Reader;
use crate::revert::{
    BATCH_ROWS, Confirmation, Draft, Key, PAGE, PlanKey, Planning, Ready, Subject, offered,
};
use crate::table_name;
use crate::view::plan::{MOST_STEPS, Offer, Preview, Refusal, Takes, page, target_page};
use crate::view::planning;
use crate::visit::{SignedIn, Visit};
use crate::words::problem::Text;

/// Plans with more rows are not rehearsed.
const MOST_REHEARSED: usize = 1000;

/// The query string as pairs: some of its names come more than once.
pub(super) type Pairs = Query<Vec<(String, String)>>;

pub(crate) async fn get(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Query(pairs): Pairs,
) -> Result<Response, AppError> {
    let subject = subject(&pairs)?;
    let asked = Asked { state: &state, shown: &shown, visit: &visit, subject: &subject };
    let key = Key::new(&person, &shown, &subject);
    let planning = match state.plannings.find(&key) {
        Some(planning) => planning,
        None => asked.begin(&key, Draft::default())?,
    };
    if !planning.is_ready().await {
        let how_far = asked.how_far(&planning).await?;
        return Ok(planning::page(&visit, &how_far).into_response());
    }
    match state.plannings.take(&key, &planning) {
        Some(ready) => asked.present(ready).await,
        // Another page has shown it, or it was cancelled there.
        None => Ok(asked.elsewhere()),
    }
}

/// How far a plan is, for the page that shows it.
pub(crate) async fn progress(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Query(pairs): Pairs,
) -> Page {
    let subject = subject(&pairs)?;
    let asked = Asked { state: &state, shown: &shown, visit: &visit, subject: &subject };
    let markup = match state.plannings.find(&Key::new(&person, &shown, &subject)) {
        Some(planning) if !planning.is_ready().await => {
            planning::fragment(&visit, &asked.how_far(&planning).await?)
        }
        _ => planning::over(&visit, &subject),
    };
    Ok(Html(shown_in_html(markup.into_string())))
}

/// Ends a plan that is being worked out.
pub(crate) async fn cancel(
    state: State,
    shown: Shown,
    visit: Visit,
    person: SignedIn,
    Query(pairs): Pairs,
) -> Result<Response, AppError> {
    let subject = subject(&pairs)?;
    state.plannings.cancel(&Key::new(&person, &shown, &subject));
    Ok(Redirect::to(&target_page(visit.links(), subject.target())).into_response())
}

/// Who asks for the plan of what.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) state: &'a State,
    pub(super) shown: &'a Shown,
    pub(super) visit: &'a Visit,
    pub(super) subject: &'a Subject,
}

impl Asked<'_> {
    fn begin(&self, key: &Key, draft: Draft) -> Result<Arc<Planning>, AppError> {
        let what = (self.shown.0.clone(), self.visit.rules.clone(), self.subject.target().clone());
        self.state.plannings.begin(self.state, key, what, draft)
    }

    async fn how_far(&self, planning: &Planning) -> Result<planning::HowFar<'_>, AppError> {
        let client = self.shown.database.read().await?;
        let phase = planning.phase(&client).await?;
        Ok(planning::HowFar { subject: self.subject, elapsed: planning.elapsed(), phase })
    }

    /// Where the preview appears.
    fn elsewhere(&self) -> Response {
        Redirect::to(&self.visit.links().plan(self.subject)).into_response()
    }

    /// The preview with a plan as of now and what was filled in.
    pub(super) async fn again(
        &self,
        person: &SignedIn,
        draft: Draft,
    ) -> Result<Response, AppError> {
        let key = Key::new(person, self.shown, self.subject);
        let planning = self.begin(&key, draft)?;
        if !planning.is_ready().await {
            return Ok(self.elsewhere());
        }
        match self.state.plannings.take(&key, &planning) {
            Some(ready) => self.present(ready).await,
            None => Ok(self.elsewhere()),
        }
    }

    /// The preview with a plan that is ready.
    async fn present(&self, ready: Ready) -> Result<Response, AppError> {
        let Ready { plan, draft, took, .. } = ready;
        let plan = plan?;
        let token = PlanKey::of(self.state).await?.token(&plan);
        let is_too_much = plan.is_cut
            && token == draft.confirmation.token
            && draft.refusal == Some(Refusal::Stale);
        let refusal = if is_too_much { Some(Refusal::OnlyBatches) } else { draft.refusal };
        let question = Question { subject: self.subject, plan: &plan, token: &token, took };
        let reader = Reader::open(self.shown, self.visit).await?;
        let page =
            preview(self.shown, &reader, self.visit, question, refusal, draft.confirmation).await?;
        Ok((status(refusal), page).into_response())
    }
}

fn status(refusal: Option<Refusal>) -> StatusCode {
    match refusal {
        Some(
            Refusal::NoReason
            | Refusal::NotNamed
            | Refusal::NoColumn
            | Refusal::ColumnsInBatches
            | Refusal::OnlyBatches,
        ) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(Refusal::NothingChanged | Refusal::ByDifference) | None => StatusCode::OK,
        Some(Refusal::Stale | Refusal::Conflict | Refusal::Busy(_)) => StatusCode::CONFLICT,
    }
}

/// What is to be confirmed.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) subject: &'a Subject,
    pub(super) plan: &'a Plan,
    /// Stands for the plan.
    pub(super) token: &'a str,
    /// How long the plan took.
    pub(super) took: Duration,
}

pub(super) fn subject(pairs: &[(String, String)]) -> Result<Subject, AppError> {
    Subject::read(pairs).ok_or(AppError::BadRequest(Text::NoSubject))
}

/// The preview with a form that has not been sent yet, filled in as before; the plan is of what is chosen there.
async fn preview(
    opened: &Opened,
    reader: &Reader,
    visit: &Visit,
    question: Question<'_>,
    refusal: Option<Refusal>,
    confirmation: Confirmation,
) -> Result<Html<String>, AppError> {
    let Question { subject, plan, token, took } = question;
    let submission = hex::random::<16>().map_err(|error| AppError::Internal(error.to_string()))?;
    let (orders, latest) =
        tokio::try_join!(column_orders(reader, plan), latest_change(reader, subject.target()))?;
    let (offer, obstacle) = match rehearsed(opened, visit, question, &confirmation).await? {
        None => offer(opened, visit, question).await?,
        obstacle => (Offer::OneStep, obstacle),
    };
    let offered = match &*orders {
        [(_, order)] if visit.may_revert() && !plan.is_cut => {
            offered(subject.target(), plan, order, confirmation.columns.as_deref())
        }
        _ => Vec::new(),
    };
    let takes = Takes { at_once: estimate(took, false), in_batches: estimate(took, true) };
    // Nobody should have to wait for a page that does not come; what was chosen before stays chosen.
    let is_first = refusal.is_none() && !confirmation.is_look;
    let in_batches = match offer {
        Offer::Choice if is_first => takes.at_once > PAGE,
        Offer::OnlyBatches => true,
        _ => confirmation.in_batches,
    };
    let preview = Preview {
        subject,
        plan,
        takes,
        orders: &orders,
        offered: &offered,
        latest: latest.as_ref(),
        offer,
        obstacle,
        refusal,
        confirmation: &Confirmation {
            submission,
            token: token.to_owned(),
            planned: confirmation.on_conflict,
            in_batches,
            ..confirmation
        },
    };
    Ok(page(visit, &preview))
}

/// What stands against a plan besides conflicts: other constraints, triggers, rights. Found out by doing it and
/// taking it back; not for large plans, and not for people who could not confirm it.
async fn rehearsed(
    opened: &Opened,
    visit: &Visit,
    question: Question<'_>,
    confirmation: &Confirmation,
) -> Result<Option<Problem>, AppError> {
    let steps = question.plan.steps.len();
    let is_cut = question.plan.is_cut;
    if !visit.may_revert()
        || steps == 0
        || is_cut
        || steps > MOST_REHEARSED
        || question.plan.conflicts() > 0
    {
        return Ok(None);
    }
    let mut client = opened.database.write().await?;
    let manner = Manner { on_conflict: OnConflict::Error, ..confirmation.manner() };
    match rehearse(&mut client, question.subject.target(), manner).await {
        Ok(()) => Ok(None),
        // To find out took too long, which says nothing about whether it can be done.
        Err(error) if error.sqlstate() == Some(&SqlState::QUERY_CANCELED) => Ok(None),
        Err(error) => Ok(Some(AppError::from(error).problem().hidden_by(&visit.rules))),
    }
}

/// Whether a plan can be done in batches; if it has to be, and cannot, why not.
async fn offer(
    opened: &Opened,
    visit: &Visit,
    question: Question<'_>,
) -> Result<(Offer, Option<Problem>), AppError> {
    let Question { subject, plan, .. } = question;
    if plan.rows() <= i64::from(BATCH_ROWS) || !subject.target().has_batches() {
        return Ok((Offer::OneStep, None));
    }
    let (offered, refused) = if plan.is_cut {
        (Offer::OnlyBatches, Offer::Neither)
    } else {
        (Offer::Choice, Offer::OneStep)
    };
    if !visit.may_revert() {
        return Ok((offered, None));
    }
    let mut client = opened.database.write().await?;
    match rehearse_batches(&mut client, subject.target(), plan).await {
        Ok(()) => Ok((offered, None)),
        Err(error) => {
            let problem = AppError::from(error).problem().hidden_by(&visit.rules);
            Ok((refused, Some(problem).filter(|_| plan.is_cut)))
        }
    }
}

/// The tables of the steps that are shown, each with its columns in their order.
async fn column_orders(
    client: &Client,
    plan: &Plan,
) -> Result<Vec<(String, Vec<Column>)>, AppError> {
    let mut orders: Vec<(String, Vec<Column>)> = Vec::new();
    for step in plan.steps.iter().take(MOST_STEPS) {
        if orders.iter().any(|(table, _)| *table == step.table) {
            continue;
        }
        let order = match table_name::parse(&step.table) {
            Some(name) => columns(client, &name).await?,
            None => Vec::new(),
        };
        orders.push((step.table.clone(), order));
    }
    Ok(orders)
}

/// For a revert of one row: what was done to the row last.
async fn latest_change(reader: &Reader, target: &Target) -> Result<Option<Version>, AppError> {
    match target {
        Target::LastChange(table, key)
        | Target::Version(table, key, _)
        | Target::DeletedRow(table, key) => Ok(reader.row(table, key).await?.pop()),
        _ => Ok(None),
    }
}
