//! What a revert would do, and whether to do it.

use std::borrow::Cow;

use pgtrack_tracker::revert::{Action, Cause, Target};

use super::{count, listed};
use crate::table_name;
use crate::view::number::length;
use crate::words::Words;
use crate::words::plan::{Effect, Text};

pub(in crate::words) fn say(text: &Text<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // view/plan.rs
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
        Text::OverwritingShown => "What is shown for them is what overwriting would do.",
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
                "This would change more than {}, which is too much for a page.",
                count(words, *most, "row", "rows")
            )
            .into();
        }
        Text::NothingFromHere(shown) => {
            return format!(
                "Nothing can be done from here; the first {} are shown.",
                count(words, *shown, "row", "rows")
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
        // view/plan/columns.rs
        Text::ColumnsToSetBack => "Columns to set back",
        Text::WithoutTick => "Columns without a tick stay as they are.",
        Text::ShowAsTicked => "Show as ticked",
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
        Text::Overwrite => "Overwrite",
        Text::OverwriteHelp => "Set these rows back too, over the newer changes.",
        Text::Reason => "Reason",
        Text::Optional => "(optional)",
        Text::RecordedWithChange => "Recorded with the change",
    })
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
