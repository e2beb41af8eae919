//! Plans of any size: how many rows of which table would change, and what would happen to the first of them.
//! The server counts, so that a plan for millions of rows takes no memory here.

use std::fmt::Write as _;

use tokio_postgres::{Client, GenericClient};

use super::{
    Action, Attribution, Limits, Manner, OnConflict, Parameters, Step, Target, begin, borrow,
    finish, isolation, plan_query, step,
};
use crate::Error;

/// What a revert would do, in numbers.
#[derive(Debug, Clone)]
pub struct Outline {
    /// By table and action.
    pub totals: Vec<Total>,
    /// The first rows.
    pub steps: Vec<Step>,
    /// Stands for the whole plan; [`apply_outline`] refuses when a new plan would be another one.
    pub token: String,
}

/// What would happen to the rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The table with its schema, quoted where necessary.
    pub table: String,
    /// What would be done.
    pub action: Action,
    /// To how many rows.
    pub rows: i64,
    /// To how many of them somebody else did something since.
    pub conflicts: i64,
}

impl Outline {
    /// How many rows would change.
    pub fn rows(&self) -> i64 {
        rows(&self.totals)
    }

    /// How many rows somebody else changed since.
    pub fn conflicts(&self) -> i64 {
        conflicts(&self.totals)
    }
}

/// How many rows would change.
pub(super) fn rows(totals: &[Total]) -> i64 {
    totals.iter().filter(|total| total.action != Action::Nothing).map(|total| total.rows).sum()
}

/// How many rows somebody else changed since.
pub(super) fn conflicts(totals: &[Total]) -> i64 {
    totals.iter().map(|total| total.conflicts).sum()
}

/// Works out what a revert would do if it is done in this manner; changes nothing. Tells of the first `max` rows.
///
/// # Errors
/// When there is nothing to revert, or we may not read it.
pub async fn outline(
    client: &impl GenericClient,
    target: &Target,
    manner: impl Into<Manner<'_>>,
    max: i64,
) -> Result<Outline, Error> {
    let (query, parameters) = outline_query(target, manner.into(), max);
    let rows = client
        .query(&query, &borrow(&parameters))
        .await
        .map_err(Error::query("plan the revert"))?;
    let mut outline = Outline { totals: Vec::new(), steps: Vec::new(), token: String::new() };
    for row in &rows {
        let Some(rows) = row.get::<_, Option<i64>>("row_count") else {
            outline.steps.extend(step(row));
            continue;
        };
        let (table, action): (String, &str) = (row.get("table"), row.get("action"));
        let (conflicts, digest): (i64, &str) = (row.get("conflicts"), row.get("digest"));
        // Writing to a String cannot fail.
        let _ = writeln!(outline.token, "{table} {action} {rows} {digest}");
        outline.totals.push(Total { table, action: Action::from_word(action), rows, conflicts });
    }
    Ok(outline)
}

/// The server counts; of a single row there is nothing to count.
fn outline_query(target: &Target, manner: Manner<'_>, max: i64) -> (String, Parameters) {
    let Some(choice) = target.choice() else {
        let (plan, mut parameters) = plan_query(target, manner);
        parameters.push(Box::new(max));
        let query = format!(
            "WITH step AS MATERIALIZED (SELECT * FROM ({plan}) p)
             SELECT s.\"table\", s.action, count(*) AS row_count, count(s.conflict) AS conflicts,
                    sum(hashtextextended(concat_ws('/', s.row_pk, s.before, s.after, s.conflict), 0))::text AS digest,
                    NULL::jsonb AS row_pk, NULL::jsonb AS before, NULL::jsonb AS after, NULL::text AS conflict
             FROM step s GROUP BY s.\"table\", s.action
             UNION ALL
             (SELECT s.\"table\", s.action, NULL, NULL, NULL, s.row_pk, s.before, s.after, s.conflict FROM step s LIMIT ${})",
            parameters.len()
        );
        return (query, parameters);
    };
    let columns = manner.columns.filter(|_| target.has_columns()).map(<[String]>::to_vec);
    // A revert to a point has no conflicts.
    let on_conflict = match target {
        Target::Table(..) | Target::Schema(..) => OnConflict::Error,
        _ => manner.on_conflict,
    };
    let parameters: Parameters = vec![
        Box::new(choice),
        Box::new(i32::try_from(max).unwrap_or(i32::MAX)),
        Box::new(columns),
        Box::new(on_conflict.word().to_owned()),
    ];
    ("SELECT * FROM pgtrack.plan_outline($1, $2, $3, $4)".into(), parameters)
}

/// As [`apply`](super::apply), for an outline, and taking as long as the limits say.
///
/// # Errors
/// As [`apply`](super::apply).
pub async fn apply_outline(
    client: &mut Client,
    target: &Target,
    token: &str,
    manner: impl Into<Manner<'_>>,
    attribution: Attribution<'_>,
    limits: Limits,
) -> Result<Option<i64>, Error> {
    let manner = manner.into();
    let tolerates = target.tolerates(manner.on_conflict);
    let transaction = begin(client, Some(target), limits, isolation(tolerates)).await?;
    if !tolerates && outline(&transaction, target, manner, 0).await?.token != token {
        return Err(Error::StalePlan);
    }
    finish(transaction, target, manner, attribution).await
}
