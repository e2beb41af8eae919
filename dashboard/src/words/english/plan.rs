//! What a revert would do, and whether to do it.

use std::borrow::Cow;
use std::time::Duration;

use pgtrack_tracker::revert::{Action, Cause, Target};

use super::{count, listed};
use crate::revert::Phase;
use crate::table_name;
use crate::view::number::length;
use crate::words::Words;
use crate::words::plan::{Effect, Text};

pub(in crate::words) fn say(text: &Text<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // view/plan.rs
        Text::SameInShell => "The same on the command line",
        Text::SameInSql => "The same in SQL",
        Text::StaleTitle => "The rows have changed since the plan was made, so nothing was done.",
        Text::StaleHelp => {
            "This is the plan as of now. Look at it again before you confirm: it may be another one."
        }
        Text::ConflictTitle => "Somebody changed rows since, so nothing was done.",
        Text::ConflictHelp => "Choose below what to do with those rows.",
        Text::NoReasonTitle => "Nothing was done yet: say why.",
        Text::NoReasonHelp => {
            "A reason is needed when more than one row is reverted. It is recorded with the change."
        }
        Text::NotNamedTitle => "Nothing was done yet: this is production.",
        Text::NoColumnTitle => "Nothing was done yet: no column is ticked.",
        Text::NoColumnHelp => "Tick those to set back.",
        Text::NothingChangedTitle => "Nothing was changed.",
        Text::NothingChangedHelp => "Every row was left as it is.",
        Text::ByDifferenceTitle => "Nothing was done yet: look at the numbers first.",
        Text::ByDifferenceHelp => {
            "This is what rows that changed since become by the difference. Confirm it if that is right."
        }
        Text::OverwritingShown => "What is shown for them is what overwriting would do.",
        Text::ChoiceShown => "What is shown for them is what you have chosen.",
        Text::ColumnsInBatchesTitle => "Nothing was done yet: in batches, rows are set back whole.",
        Text::ColumnsInBatchesHelp => "Tick all columns, or do it in one step.",
        Text::OnlyBatchesTitle => "Nothing was done yet: this is too much for one step.",
        Text::OnlyBatchesHelp => "Tick below that it is done in batches.",
        Text::BusyTitle => "Nothing was done yet: another undo in batches is running here.",
        Text::OneAtATime => "There is one at a time in a connection.",
        Text::CannotBeDone => "As things are, this cannot be done.",
        Text::TriedAndTakenBack => "It was tried and taken back.",
        Text::OnlyFirst { shown, of } => {
            return format!(
                "Only the first {} of {} are shown. All of them are included.",
                words.number(*shown),
                count(words, *of, "row", "rows")
            )
            .into();
        }
        Text::TooMany(most) => {
            return format!(
                "This is about more than {}, which is too much for one step.",
                count(words, *most, "row", "rows")
            )
            .into();
        }
        Text::ChangedSince(rows) => {
            return format!("{} changed since.", count(words, *rows, "row", "rows")).into();
        }
        Text::WhatWouldHappen(table) => return format!("What would happen to {table}").into(),
        Text::Conflict(what) => return format!("Conflict: {what}").into(),
        Text::Planned(Action::Insert) => "insert again",
        Text::Planned(Action::Update) => "set back",
        Text::Planned(Action::Delete) => "delete",
        Text::Planned(Action::Nothing) => "leave as it is",
        // What it is called, what it would do, and what its button says.
        Text::Title(target) => return title(words, target).into(),
        Text::Sentence(target, effect) => return sentence(words, target, effect).into(),
        Text::Button(target, changes) => return button(words, target, *changes).into(),
        // view/plan/batches.rs
        Text::WhatWouldChange => "What would change",
        Text::RowsByTable => "Rows by table",
        Text::What => "What",
        Text::Rows => "Rows",
        Text::ChangedHead => "Changed since",
        Text::CanBeBatches => "It can be done in batches. Nothing has been changed yet.",
        Text::InBatches(number) => {
            return format!("In batches of {}.", count(words, *number, "row", "rows")).into();
        }
        Text::InBatchesHelp => {
            "Each batch is applied by itself: what is done stays done if a later one fails."
        }
        Text::Takes(at_once) => {
            return format!(
                "It takes {}, going by how long this plan took.",
                about(words, *at_once)
            )
            .into();
        }
        Text::TakesInBatches(in_batches) => {
            let time = about(words, *in_batches);
            return format!("In batches it takes {time}, going by how long this plan took.").into();
        }
        Text::TakesEither { at_once, in_batches } => {
            return format!(
                "It takes {} in one step, or {} in batches, going by how long this plan took.",
                about(words, *at_once),
                about(words, *in_batches)
            )
            .into();
        }
        Text::LongerThanPage(page) => {
            return format!(
                "Ticked because one step is expected to take longer than {}; batches go on in the background.",
                seconds(words, *page)
            )
            .into();
        }
        // view/planning.rs
        Text::Phase(Phase::Connecting) => "Opening a session",
        Text::Phase(Phase::Locked) => "Waiting for a lock that another session holds",
        Text::Phase(Phase::Counting) | Text::WorkingOut => "Working out what would change",
        Text::SoFar(elapsed) => {
            let time = seconds(words, *elapsed);
            return format!("{time} so far. Nothing has been changed yet.").into();
        }
        Text::PlanInBackground(page) => {
            return format!(
                "This may take longer than {}, so it goes on in the background. The preview appears here when it is \
                 ready. You can leave this page and come back to it.",
                seconds(words, *page)
            )
            .into();
        }
        Text::CancelHelp => "Nothing is left of it.",
        Text::PlanReady => "The plan is ready",
        Text::ShowPlan => "Show what would change",
        // view/job.rs
        Text::Splitting => "Working out the batches",
        Text::SplittingHelp => "Nothing has been changed yet.",
        Text::NothingDone => "Nothing was done",
        Text::LoadsAgain(seconds) => {
            let seconds = count(words, i64::from(*seconds), "second", "seconds");
            return format!("This page loads itself again every {seconds}.").into();
        }
        Text::RowsDone => "Rows done",
        Text::Stopping => "Stopping after this batch",
        Text::UnderWay => "Under way",
        Text::Done => "Done",
        Text::Stopped => "Stopped",
        Text::FailedInBatch(number) => {
            return format!("Failed in batch {}", words.number(*number)).into();
        }
        Text::Interrupted => "Interrupted",
        Text::BatchOf { number, of } => {
            return format!("batch {} of {}", words.number(*number), words.number(*of)).into();
        }
        Text::BatchesDone { done, of } => {
            return format!("{} of {}", words.number(*done), count(words, *of, "batch", "batches"))
                .into();
        }
        Text::YouCanLeave => "You can leave this page; it goes on all the same.",
        Text::Stop => "Stop",
        Text::StopHelp => "The present batch is finished first; what is done stays done.",
        Text::UndoThis => "Undo this…",
        Text::NothingHasBeenChanged => "Nothing has been changed.",
        Text::BatchesBeforeStay => {
            "The batches before it stay done. Of the batch that failed, nothing was done."
        }
        Text::DoneStaysDone => "What is done stays done; the other rows are as they were.",
        Text::MayHaveBeenDone => {
            "The dashboard ended while it was running. If a batch was under way then, it may have \
             been done, too: the activity shows it, and going on leaves it out."
        }
        Text::Continue => "Continue…",
        Text::UndoWhatWasDone => "Undo what was done…",
        Text::ToContinue => "To continue is to make a new plan for the rows that are left.",
        // view/plan/columns.rs
        Text::ColumnsToSetBack => "Columns to set back",
        Text::WithoutTick => "Columns without a tick stay as they are.",
        Text::ShowAsTicked => "Show as ticked",
        Text::ShowAsChosen => "Show what this does",
        Text::InRows(rows) => return format!("in {}", count(words, *rows, "row", "rows")).into(),
        // view/plan/confirm.rs
        Text::CanBeUndone => {
            "You can undo this afterwards. Sequences, and what triggers did outside of tables, stay as they are."
        }
        Text::MayOnlyLook => {
            "Your role may look at this plan, but not apply it. Ask an operator or an admin."
        }
        Text::RowsThatChanged => "Rows that changed since",
        Text::Skip => "Skip",
        Text::SkipHelp => "Leave the rows that changed since as they are.",
        Text::Merge => "Merge",
        Text::MergeHelp => "Set back only the columns that nobody changed since.",
        Text::Delta => "Difference",
        Text::DeltaHelp => {
            "Merge, and take numbers back by the difference: what others added or took away since stays."
        }
        Text::Overwrite => "Overwrite",
        Text::OverwriteHelp => "Set these rows back too, over the newer changes.",
        Text::Reason => "Reason",
        Text::Optional => "(optional)",
        Text::RecordedWithChange => "Recorded with the change",
    })
}

fn seconds(words: Words, time: Duration) -> String {
    count(words, i64::try_from(time.as_secs()).unwrap_or(i64::MAX), "second", "seconds")
}

/// An estimate is not exact, so it is not said as if it were.
fn about(words: Words, time: Duration) -> String {
    let number = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    match (time + Duration::from_millis(500)).as_secs() {
        0 | 1 => "about a second".to_owned(),
        one @ 2..=99 => format!("about {}", count(words, number(one), "second", "seconds")),
        one @ 100..=5999 => {
            format!("about {}", count(words, number((one + 30) / 60), "minute", "minutes"))
        }
        one => format!("about {}", count(words, number((one + 1800) / 3600), "hour", "hours")),
    }
}

/// The page's heading.
fn title(words: Words, target: &Target) -> String {
    match target {
        Target::Transaction(xid) => format!("Undo transaction {xid}"),
        Target::Transactions(xids) => {
            format!("Undo {}", count(words, length(xids.len()), "transaction", "transactions"))
        }
        Target::Statements(ids) => match **ids {
            [id] => format!("Undo change {id}"),
            _ => format!("Undo {}", count(words, length(ids.len()), "change", "changes")),
        },
        Target::LastChange(_, key) => format!("Undo the last change of {key}"),
        Target::Version(_, key, 0) => format!("Restore {key} as it was before version 1"),
        Target::Version(_, key, version) => format!("Restore version {version} of {key}"),
        Target::DeletedRow(_, key) => format!("Restore the deleted row {key}"),
        Target::Table(table, point) => format!("Revert {} to {point}", table_name::write(table)),
        Target::Schema(schema, point) => format!("Revert schema {schema} to {point}"),
        Target::Cause(cause) => format!("Undo everything by {}", by(cause)),
    }
}

/// Who or what did it.
fn by(cause: &Cause) -> String {
    let names = [
        cause.actor.clone(),
        cause.application.as_ref().map(|name| format!("application {name}")),
        cause.user.as_ref().map(|name| format!("user {name}")),
        cause.from.map(|from| format!("since {from}")),
        cause.to.map(|to| format!("before {to}")),
    ];
    names.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What would happen.
fn sentence(words: Words, target: &Target, effect: &Effect<'_>) -> String {
    let rows = |number: i64| count(words, number, "row", "rows");
    let (updated, inserted, deleted) = match *effect {
        Effect::Nothing => {
            return "There is nothing to do: everything is as wanted already.".to_owned();
        }
        Effect::Left => {
            return "Nothing would be changed: somebody changed since what this would set back."
                .to_owned();
        }
        Effect::Columns { columns, rows: number } => {
            return format!(
                "This will set {} of {} back and leave all other columns as they are. Nothing has been changed yet.",
                listed(columns),
                rows(number)
            );
        }
        Effect::Rows { updated, inserted, deleted } => (updated, inserted, deleted),
    };
    let (is_one, until) = match target {
        Target::Transaction(xid) => (false, format!("everything is as before transaction {xid}")),
        Target::Transactions(_) => (false, "everything is as before these transactions".to_owned()),
        Target::Statements(_) | Target::Cause(_) => {
            (false, "everything is as before these changes".to_owned())
        }
        Target::LastChange(..) => (true, "it is as before its last change".to_owned()),
        Target::Version(_, _, 0) => (true, "it is as before version 1".to_owned()),
        Target::Version(_, _, version) => (true, format!("it is as right after version {version}")),
        Target::DeletedRow(..) => (true, "it is as before its deletion".to_owned()),
        Target::Table(_, point) => (false, format!("the table is as it was at {point}")),
        Target::Schema(_, point) => (false, format!("its tables are as they were at {point}")),
    };
    let subject = |number| if is_one { "the row".to_owned() } else { rows(number) };
    let parts = [
        (updated > 0).then(|| format!("set {} back", subject(updated))),
        (inserted > 0).then(|| format!("insert {} again", subject(inserted))),
        (deleted > 0).then(|| format!("delete {}", subject(deleted))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("This will {}, so that {until}. Nothing has been changed yet.", listed(&parts))
}

/// The button: a verb and what it is done to.
fn button(words: Words, target: &Target, changes: i64) -> String {
    match target {
        Target::Transaction(_)
        | Target::Transactions(_)
        | Target::Statements(_)
        | Target::LastChange(..)
        | Target::Cause(_) => format!("Undo {}", count(words, changes, "change", "changes")),
        Target::Table(..) | Target::Schema(..) => {
            format!("Revert {}", count(words, changes, "row", "rows"))
        }
        Target::Version(_, _, 0) => "Restore first state".to_owned(),
        Target::Version(_, _, version) => format!("Restore version {version}"),
        Target::DeletedRow(..) => "Restore 1 row".to_owned(),
    }
}
