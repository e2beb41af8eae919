//! `/c/{connection}/revert/plan`: what a revert would do. Changes nothing.

use axum::response::Html;
use pgtrack_tracker::revert::{Plan, Target, plan};
use pgtrack_tracker::{Version, column_order, history};
use tokio_postgres::Client;

use super::{Page, State};
use crate::app_error::AppError;
use crate::extract::Query;
use crate::hex;
use crate::revert::{Confirmation, Subject};
use crate::table_name;
use crate::view::plan::{MOST_STEPS, Preview, Refusal, page};
use crate::visit::Visit;

pub(crate) async fn get(state: State, visit: Visit, Query(subject): Query<Subject>) -> Page {
    let client = state.database.read().await?;
    let target = target(&subject)?;
    let plan = plan(&**client, &target).await?;
    let question = Question { subject: &subject, target: &target, plan: &plan };
    preview(&client, &visit, question, None, Confirmation::default()).await
}

/// What is to be confirmed.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) subject: &'a Subject,
    pub(super) target: &'a Target,
    pub(super) plan: &'a Plan,
}

pub(super) fn target(subject: &Subject) -> Result<Target, AppError> {
    subject
        .target()
        .ok_or_else(|| AppError::BadRequest("It does not say fully what to revert.".to_owned()))
}

/// The preview with a form that has not been sent yet, filled in as before.
pub(super) async fn preview(
    client: &Client,
    visit: &Visit,
    question: Question<'_>,
    refusal: Option<Refusal>,
    confirmation: Confirmation,
) -> Result<Html<String>, AppError> {
    let Question { subject, target, plan } = question;
    let submission = hex::random::<16>().map_err(|error| AppError::Internal(error.to_string()))?;
    let (orders, latest) =
        tokio::try_join!(column_orders(client, plan), latest_change(client, target))?;
    let preview = Preview {
        subject,
        target,
        plan,
        orders: &orders,
        latest: latest.as_ref(),
        refusal,
        confirmation: &Confirmation { submission, ..confirmation },
    };
    Ok(page(visit, &preview))
}

/// The tables of the steps that are shown, each with its columns in their order.
async fn column_orders(
    client: &Client,
    plan: &Plan,
) -> Result<Vec<(String, Vec<String>)>, AppError> {
    let mut orders: Vec<(String, Vec<String>)> = Vec::new();
    for step in plan.steps.iter().take(MOST_STEPS) {
        if orders.iter().any(|(table, _)| *table == step.table) {
            continue;
        }
        let order = match table_name::parse(&step.table) {
            Some(name) => column_order(client, &name).await?,
            None => Vec::new(),
        };
        orders.push((step.table.clone(), order));
    }
    Ok(orders)
}

/// For a revert of one row: what was done to the row last.
async fn latest_change(client: &Client, target: &Target) -> Result<Option<Version>, AppError> {
    match target {
        Target::Transaction(_) => Ok(None),
        Target::LastChange(table, key)
        | Target::Version(table, key, _)
        | Target::DeletedRow(table, key) => Ok(history::row(client, table, key).await?.pop()),
    }
}
