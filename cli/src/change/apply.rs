//! Shows what a revert would do, asks, and does it; refused if the rows change in between.

use std::time::Duration;

use pgtrack_tracker::feed;
use pgtrack_tracker::revert::{
    Action, Attribution, Batches, Limits, Manner, OnConflict, Outline, Plan, Step, Target,
    apply_outline, outline,
};
use serde_json::json;

use super::options::ChangeOptions;
use crate::error::Error;
use crate::present::{change_lines, effects_text, json};
use crate::session::Session;
use crate::terminal::{
    Paint, SHOW_OR_GRANT, Screen, Tone, confirm, escaped, require_person, while_waiting,
};

/// As long as it takes, once nobody stands in the way.
const LIMITS: Limits = Limits { lock: Duration::from_secs(10), statement: Duration::ZERO };

/// How a revert is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) manner: Manner<'a>,
    /// So many rows at a time; `None` is all in one step.
    pub(super) batch: Option<i32>,
}

/// Does `target` as the options say.
pub(super) async fn apply(
    mut session: Session,
    target: &Target,
    way: Way<'_>,
    options: &ChangeOptions,
) -> Result<(), Error> {
    let Way { manner, batch } = way;
    let on_conflict = manner.on_conflict;
    check(target, way)?;
    require_person(options.yes || options.dry_run, SHOW_OR_GRANT)?;
    let planning = outline(&session.client, target, manner.columns, options.max);
    let plan = while_waiting("Working out what would change", planning).await?;
    let mut screen = Screen::plain(&options.common.output);
    show(&plan, options.dry_run, &mut screen)?;
    screen.flush()?;
    if options.dry_run {
        return screen.finish();
    }
    if plan.rows() == 0 && plan.conflicts() == 0 {
        return done(None, None, &session, screen).await;
    }
    if plan.conflicts() > 0 && matches!(on_conflict, OnConflict::Error) {
        return Err(Error::Conflicts { conflicts: plan.conflicts() });
    }
    confirm(&question(&plan, on_conflict, &session), options.yes).await?;
    let attribution =
        Attribution { actor: options.actor.as_deref(), message: options.message.as_deref() };
    if let Some(size) = batch {
        return in_batches(session, target, &plan, size, on_conflict, attribution, screen).await;
    }
    let left = left_out(plan.conflicts(), on_conflict);
    let Session { client, .. } = &mut session;
    let applying = apply_outline(client, target, &plan.token, manner, attribution, LIMITS);
    let xid = while_waiting("Changing rows", applying).await?;
    done(xid, left, &session, screen).await
}

/// What became of the rows that somebody changed since.
fn left_out(conflicts: i64, on_conflict: OnConflict) -> Option<String> {
    if conflicts == 0 {
        return None;
    }
    let what = match on_conflict {
        OnConflict::Error => return None,
        OnConflict::Skip => "left as they are",
        OnConflict::Merge => "only what nobody changed since was set back",
        OnConflict::Force => "overwritten",
    };
    let unit = if conflicts == 1 { "row" } else { "rows" };
    Some(format!("{conflicts} {unit} changed since: {what}."))
}

fn check(target: &Target, Way { manner, batch }: Way<'_>) -> Result<(), Error> {
    let usage = |message: &str, hint| Err(Error::Usage { message: message.to_owned(), hint });
    match (manner.columns, batch) {
        (_, Some(_)) if !target.has_batches() => {
            usage("a single row has no batches", "leave --batch out")
        }
        (Some(_), Some(_)) => {
            usage("batches set all columns back", "leave --batch out, or --column")
        }
        (Some(_), None) if !target.has_columns() => usage(
            "tables and schemas go back with all their columns",
            "leave --column out, or undo the transactions: pgtrack undo XID… --column NAME",
        ),
        _ => Ok(()),
    }
}

/// Each batch is a transaction of its own.
async fn in_batches(
    mut session: Session,
    target: &Target,
    seen: &Outline,
    size: i32,
    on_conflict: OnConflict,
    attribution: Attribution<'_>,
    mut screen: Screen,
) -> Result<(), Error> {
    let client = &mut session.client;
    let is_seen = |plan: &Plan| plan.digest == seen.token;
    let beginning = Batches::begin(client, target, is_seen, size, LIMITS);
    let mut batches = while_waiting("Splitting it into batches", beginning).await?;
    let (mut rows, mut xids) = (0, Vec::new());
    loop {
        let what = format!("{rows} of {} rows are done", batches.rows);
        let next = batches.next(client, on_conflict, attribution, LIMITS);
        match while_waiting(&what, next).await {
            Ok(Some(batch)) => {
                rows += batch.rows;
                xids.extend(batch.xid);
                if !screen.is_json {
                    let what =
                        format!("Batch {} of {}: {} rows", batch.number, batches.count, batch.rows);
                    screen.line(&what)?;
                    screen.flush()?;
                }
            }
            Ok(None) => break,
            Err(error) => {
                screen.finish()?;
                return Err(Error::Batch { done: rows, all: batches.rows, source: error });
            }
        }
    }
    if screen.is_json {
        screen.json(&json!({ "xids": xids, "rows": rows }))?;
    } else if xids.is_empty() {
        screen.line("Nothing had to be changed.")?;
    } else {
        let xids: Vec<String> = xids.iter().map(i64::to_string).collect();
        screen.line(&format!("Done. `pgtrack undo {}` takes it back.", xids.join(" ")))?;
    }
    if let (Some(left), false) = (left_out(seen.conflicts(), on_conflict), screen.is_json) {
        screen.line(&left)?;
    }
    screen.finish()
}

/// Says which transaction did what, and what was left out.
async fn done(
    xid: Option<i64>,
    left: Option<String>,
    session: &Session,
    mut screen: Screen,
) -> Result<(), Error> {
    let transaction = match xid {
        Some(xid) => feed::transaction(&session.client, xid).await?,
        None => None,
    };
    match (transaction, screen.is_json) {
        (Some(transaction), true) => screen.json(&json::transaction(&transaction))?,
        (Some(transaction), false) => {
            let subject = format!("transaction {}", transaction.xid);
            let subject = screen.paint.text(Tone::Subject, &subject);
            let effects = effects_text(&transaction.effects);
            screen.line(&format!("Done in {subject}: {effects}"))?;
            screen.line(&format!("`pgtrack undo {}` takes it back.", transaction.xid))?;
        }
        (None, true) => screen.json(&json!({ "xid": null }))?,
        (None, false) => screen.line("Nothing had to be changed.")?,
    }
    if let (Some(left), false) = (left, screen.is_json) {
        screen.line(&left)?;
    }
    screen.finish()
}

/// The plan; as JSON only if nothing else follows.
fn show(plan: &Outline, is_all: bool, screen: &mut Screen) -> Result<(), Error> {
    if screen.is_json {
        if is_all {
            plan.steps.iter().try_for_each(|step| screen.json(&json::step(step)))?;
        }
        return Ok(());
    }
    for step in plan.steps.iter().filter(|step| is_shown(step)) {
        screen.lines(&lines(step, screen.paint))?;
    }
    let all: i64 = plan.totals.iter().map(|total| total.rows).sum();
    let shown = i64::try_from(plan.steps.len()).unwrap_or(i64::MAX);
    if all > shown {
        let note = format!("… and {} more rows; --max {all} shows all", all - shown);
        screen.line(&screen.paint.text(Tone::Faint, &note))?;
    }
    if !plan.steps.is_empty() {
        screen.line("")?;
    }
    screen.line(&summary(plan))
}

fn is_shown(step: &Step) -> bool {
    step.action != Action::Nothing || step.conflict.is_some()
}

fn lines(step: &Step, paint: Paint) -> Vec<String> {
    let tone = match step.action {
        Action::Insert => Tone::Added,
        Action::Update => Tone::Changed,
        Action::Delete => Tone::Removed,
        Action::Nothing => Tone::Faint,
    };
    let action = paint.text(tone, step.action.word());
    let mut lines =
        vec![format!("{action} {} {}", escaped(&step.table), escaped(&step.key.to_string()))];
    lines.extend(change_lines(step.before.as_ref(), step.after.as_ref(), paint));
    lines.extend(
        step.conflict.as_ref().map(|conflict| {
            paint.text(Tone::Warning, &format!("  conflict: {}", escaped(conflict)))
        }),
    );
    lines
}

/// The numbers: `demo.products: update 4 rows`.
fn summary(plan: &Outline) -> String {
    let parts: Vec<String> = plan
        .totals
        .iter()
        .filter(|total| total.action != Action::Nothing || total.conflicts > 0)
        .map(|total| {
            let unit = if total.rows == 1 { "row" } else { "rows" };
            let conflicts = match total.conflicts {
                0 => String::new(),
                count => format!(", {count} changed since"),
            };
            let table = escaped(&total.table);
            format!("{table}: {} {} {unit}{conflicts}", total.action.word(), total.rows)
        })
        .collect();
    if parts.is_empty() { "Every row is as wanted already.".to_owned() } else { parts.join("\n") }
}

fn question(plan: &Outline, on_conflict: OnConflict, session: &Session) -> String {
    let way = match (plan.conflicts(), on_conflict) {
        (0, _) | (_, OnConflict::Error) => String::new(),
        (count, OnConflict::Skip) => format!(", leaving {count} as they are"),
        (count, OnConflict::Merge) => format!(", merging {count}"),
        (count, OnConflict::Force) => format!(", overwriting {count}"),
    };
    let unit = if plan.rows() == 1 { "row" } else { "rows" };
    format!("Change {} {unit} in {}{way}?", plan.rows(), session.place)
}
