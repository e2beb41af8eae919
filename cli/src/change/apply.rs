//! Shows what a revert would do, asks, and does it; refused if the rows change in between.

use std::time::{Duration, Instant};

use pgtrack_tracker::feed;
use pgtrack_tracker::revert::{
    Action, Attribution, Batches, Limits, Manner, OnConflict, Outline, Plan, Step, Target,
    apply_outline, estimate, outline,
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

/// Fewer rows take no time worth a word.
const MANY: i64 = 1000;
/// Batches are spoken of where it takes longer.
const LONG: Duration = Duration::from_secs(10);

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
    let begun = Instant::now();
    let planning = outline(&session.client, target, manner, options.max);
    let plan = while_waiting("Working out what would change", planning).await?;
    let takes = estimate(begun.elapsed(), batch.is_some());
    let mut screen = Screen::plain(&options.common.output);
    show(&plan, options.dry_run, &mut screen)?;
    if plan.rows() >= MANY || options.common.output.json {
        show_estimate(&plan, takes, way, target, options.dry_run, &mut screen)?;
    }
    screen.flush()?;
    if options.dry_run {
        return screen.finish();
    }
    if plan.conflicts() > 0 && matches!(on_conflict, OnConflict::Error) {
        return Err(Error::Conflicts { conflicts: plan.conflicts() });
    }
    let left = left_out(plan.conflicts(), on_conflict);
    if plan.rows() == 0 {
        return done(None, left, &session, screen).await;
    }
    confirm(&question(&plan, on_conflict, &session), options.yes).await?;
    let attribution =
        Attribution { actor: options.actor.as_deref(), message: options.message.as_deref() };
    if let Some(size) = batch {
        return in_batches(session, target, &plan, size, on_conflict, attribution, screen).await;
    }
    let Session { client, .. } = &mut session;
    let applying = apply_outline(client, target, &plan.token, manner, attribution, LIMITS);
    let what = format!("Changing {}, which takes {}", counted(plan.rows()), about(takes));
    let xid = while_waiting(&what, applying).await?;
    done(xid, left, &session, screen).await
}

/// How long it takes, and what can be done about that.
fn show_estimate(
    plan: &Outline,
    takes: Duration,
    way: Way<'_>,
    target: &Target,
    is_all: bool,
    screen: &mut Screen,
) -> Result<(), Error> {
    if screen.is_json {
        let numbers = json!({
            "rows": plan.rows(), "conflicts": plan.conflicts(), "estimated_seconds": takes.as_secs_f64().ceil(),
        });
        return if is_all { screen.json(&numbers) } else { Ok(()) };
    }
    screen.line(&format!("It takes {}, going by how long this plan took.", about(takes)))?;
    let can_be_split = way.batch.is_none() && way.manner.columns.is_none() && target.has_batches();
    if can_be_split && takes > LONG {
        screen.line("All rows are locked as long as that; --batch 1000 locks a thousand at a time, and takes longer.")?;
    }
    Ok(())
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
        OnConflict::Delta => {
            "numbers were set back by the difference, other columns where nobody changed them since"
        }
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
    let is_seen = |plan: &Plan| plan.digest == seen.token || target.tolerates(on_conflict);
    let beginning = Batches::begin(client, target, on_conflict, is_seen, on_conflict, size, LIMITS);
    let mut batches = while_waiting("Splitting it into batches", beginning).await?;
    let (mut rows, mut skipped, mut xids) = (0, 0, Vec::new());
    let begun = Instant::now();
    loop {
        let what = format!(
            "{rows} of {} are done{}",
            counted(batches.rows),
            left_to_go(begun, rows, batches.rows)
        );
        let next = batches.next(client, on_conflict, attribution, LIMITS);
        match while_waiting(&what, next).await {
            Ok(Some(batch)) => {
                rows += batch.rows;
                skipped += batch.skipped;
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
        screen.json(&json!({ "xids": xids, "rows": rows, "skipped": skipped }))?;
    } else if xids.is_empty() {
        screen.line("Nothing had to be changed.")?;
    } else {
        let xids: Vec<String> = xids.iter().map(i64::to_string).collect();
        screen.line(&format!("Done. `pgtrack undo {}` takes it back.", xids.join(" ")))?;
    }
    if !screen.is_json {
        if skipped > 0 {
            screen.line(&format!(
                "{} of {}: left as they are, as somebody changed them since.",
                skipped,
                counted(rows)
            ))?;
        }
        if let Some(left) = left_out(seen.conflicts(), on_conflict) {
            screen.line(&left)?;
            screen.lines(&conflicting(seen))?;
        }
    }
    screen.finish()
}

/// Which rows somebody changed since, as far as the plan tells; those come first there.
fn conflicting(seen: &Outline) -> Vec<String> {
    let steps = seen.steps.iter().filter(|step| step.conflict.is_some());
    let mut lines: Vec<String> = steps
        .map(|step| format!("  {} {}", escaped(&step.table), escaped(&step.key.to_string())))
        .collect();
    let more = seen.conflicts() - i64::try_from(lines.len()).unwrap_or(i64::MAX);
    if more > 0 {
        lines.push(format!("  … and {more} more"));
    }
    lines
}

/// How much longer it takes at this pace; nothing before there is one.
fn left_to_go(begun: Instant, done: i64, all: i64) -> String {
    if done == 0 {
        return String::new();
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let left = begun.elapsed().mul_f64((all - done).max(0) as f64 / done as f64);
    format!(", {} left", about(left))
}

fn counted(rows: i64) -> String {
    format!("{rows} {}", if rows == 1 { "row" } else { "rows" })
}

/// A time that is not exact, so not said as if it were.
fn about(time: Duration) -> String {
    let (number, unit) = match (time + Duration::from_millis(500)).as_secs() {
        0 | 1 => return "about a second".to_owned(),
        seconds @ 2..=99 => (seconds, "seconds"),
        seconds @ 100..=5999 => ((seconds + 30) / 60, "minutes"),
        seconds => ((seconds + 1800) / 3600, "hours"),
    };
    format!("about {number} {unit}")
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
    let action = paint.text(tone, verb(step.action));
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

/// What is done to a row, for people.
fn verb(action: Action) -> &'static str {
    match action {
        Action::Nothing => "leave",
        _ => action.word(),
    }
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
            format!("{table}: {} {} {unit}{conflicts}", verb(total.action), total.rows)
        })
        .collect();
    if parts.is_empty() { "Every row is as wanted already.".to_owned() } else { parts.join("\n") }
}

fn question(plan: &Outline, on_conflict: OnConflict, session: &Session) -> String {
    let way = match (plan.conflicts(), on_conflict) {
        (0, _) | (_, OnConflict::Error) => String::new(),
        (count, OnConflict::Skip) => format!(", leaving {count} as they are"),
        (count, OnConflict::Merge) => format!(", merging {count}"),
        (count, OnConflict::Delta) => format!(", by the difference in {count}"),
        (count, OnConflict::Force) => format!(", overwriting {count}"),
    };
    let unit = if plan.rows() == 1 { "row" } else { "rows" };
    format!("Change {} {unit} in {}{way}?", plan.rows(), session.place)
}
