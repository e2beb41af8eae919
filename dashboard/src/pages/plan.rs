//! `/c/{connection}/revert/plan`: what a revert would do. Changes nothing.

use axum::response::Html;
use pgtrack_tracker::revert::{Manner, OnConflict, Plan, Target, rehearse, rehearse_batches};
use pgtrack_tracker::{Column, Version, columns};
use tokio_postgres::Client;

use super::{Page, State};
use crate::app_error::{AppError, Problem};
use crate::connections::{Opened, Shown};
use crate::extract::Query;
use crate::hex;
use crate::reading::Reader;
use crate::revert::{BATCH_ROWS, Confirmation, PlanKey, Subject, offered};
use crate::table_name;
use crate::view::plan::{MOST_STEPS, Offer, Preview, Refusal, page};
use crate::visit::Visit;
use crate::words::problem::Text;

/// Plans with more rows are not rehearsed.
const MOST_REHEARSED: usize = 1000;

/// The query string as pairs: some of its names come more than once.
pub(super) type Pairs = Query<Vec<(String, String)>>;

pub(crate) async fn get(state: State, shown: Shown, visit: Visit, Query(pairs): Pairs) -> Page {
    let reader = Reader::open(&shown, &visit).await?;
    let subject = subject(&pairs)?;
    let plan = reader.plan(subject.target()).await?;
    let token = PlanKey::of(&state).await?.token(&plan);
    let question = Question { subject: &subject, plan: &plan, token: &token };
    preview(&shown, &reader, &visit, question, None, Confirmation::default()).await
}

/// What is to be confirmed.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) subject: &'a Subject,
    pub(super) plan: &'a Plan,
    /// Stands for the plan.
    pub(super) token: &'a str,
}

pub(super) fn subject(pairs: &[(String, String)]) -> Result<Subject, AppError> {
    Subject::read(pairs).ok_or(AppError::BadRequest(Text::NoSubject))
}

/// The preview with a form that has not been sent yet, filled in as before.
pub(super) async fn preview(
    opened: &Opened,
    reader: &Reader,
    visit: &Visit,
    question: Question<'_>,
    refusal: Option<Refusal>,
    confirmation: Confirmation,
) -> Result<Html<String>, AppError> {
    let Question { subject, plan, token } = question;
    let submission = hex::random::<16>().map_err(|error| AppError::Internal(error.to_string()))?;
    let (orders, latest) =
        tokio::try_join!(column_orders(reader, plan), latest_change(reader, subject.target()))?;
    let (offer, obstacle) = match rehearsed(opened, visit, question, &confirmation).await? {
        None => offer(opened, visit, question).await?,
        obstacle => (Offer::OneStep, obstacle),
    };
    let offered = match &*orders {
        [(_, order)] if visit.may_revert() && !plan.is_cut => {
            offered(subject.target(), plan, order)
        }
        _ => Vec::new(),
    };
    let preview = Preview {
        subject,
        plan,
        orders: &orders,
        offered: &offered,
        latest: latest.as_ref(),
        offer,
        obstacle,
        refusal,
        confirmation: &Confirmation { submission, token: token.to_owned(), ..confirmation },
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
