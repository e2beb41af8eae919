//! Tables and rows: what they hold, what they held, and what differs.

use std::borrow::Cow;

use super::count;
use crate::words::Words;
use crate::words::rows::Text;

pub(in crate::words) fn say(text: &Text<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // view/value.rs
        Text::NoRow => "no row",
        Text::EmptyString => "empty string",
        Text::Characters(number) => return count(words, *number, "character", "characters").into(),
        Text::FirstCharacters { shown, of } => {
            return format!(
                "The first {} of {}.",
                words.number(*shown),
                count(words, *of, "character", "characters")
            )
            .into();
        }
        // view/query.rs
        Text::ShowAll => "show all",
        Text::ShowLess => "show less",
        // view/diff.rs
        Text::Before => "Before",
        Text::After => "After",
        Text::Now => "Now",
        Text::AfterThis => "After this",
        Text::Then => "Then",
        Text::ShowIgnored(number) => {
            return format!("Show {}", count(words, *number, "ignored column", "ignored columns"))
                .into();
        }
        Text::ShowUnchanged(number) => {
            return format!(
                "Show {}",
                count(words, *number, "unchanged column", "unchanged columns")
            )
            .into();
        }
        Text::MoreDifferences(number) => {
            return format!("and {}", count(words, *number, "more difference", "more differences"))
                .into();
        }
        // view/version.rs
        Text::RowWithoutKey => "a row without a key",
        Text::WhatChanged => "What changed",
        Text::HalfKnown => "The table has no primary key, so what the row became cannot be told.",
        // view/tables.rs
        Text::TrackedTables => "Tracked tables",
        Text::NothingTracked => "No table is tracked yet.",
        Text::HowToTrack => "Track a schema or a table, as its owner:",
        // view/table.rs
        Text::NothingRecorded => "No change of this table has been recorded yet.",
        Text::NoKeyHere => {
            "This table has no primary key. Its changes are recorded, but single rows cannot be followed or put back."
        }
        Text::ToChangeThat => "To change that:",
        Text::OfThisTable => "Of this table",
        Text::DeletedRows => "Deleted rows",
        Text::TimeTravel => "Time travel",
        Text::SearchItsChanges => "Search its changes",
        Text::ShowChanges(number) => {
            return format!("Show {}", count(words, *number, "change", "changes")).into();
        }
        // view/deleted.rs
        Text::NothingMissing => "Nothing is missing.",
        Text::OnlyLatestDeleted(number) => {
            return format!(
                "Only the latest {} are shown.",
                count(words, *number, "deleted row", "deleted rows")
            )
            .into();
        }
        // view/as_of.rs
        Text::ChooseMoment => {
            "Choose a moment or a tag: what the table held then is worked out from its history."
        }
        Text::AsOf => "As of",
        Text::ComparedWithNow => "Compared with now",
        Text::RowsThen => "Rows then",
        Text::RevertTable => "Revert table to this point…",
        Text::NothingChangedSince => "Nothing has changed since.",
        Text::WhatDiffers => "What differs",
        Text::NoMoreRows => "The table held no more rows.",
        Text::MoreRows => "More rows",
        Text::MomentOrTag(zone) => return format!("A moment ({zone}), a tag, or xid:N").into(),
        Text::ChangedSince { rows, is_cut } => {
            return format!(
                "Changed since: {}{}",
                if *is_cut { "more than " } else { "" },
                count(words, *rows, "row", "rows")
            )
            .into();
        }
        Text::RowsOfAsOf { table, point } => {
            return format!("Rows of {table} as of {point}").into();
        }
        // view/row.rs
        Text::LookAtThePast => "Look at the past",
        Text::UndoLastChange => "Undo last change…",
        Text::TheRowNow => "The row now",
        Text::IsDeleted => "This row is deleted",
        Text::ItWas => "It was:",
        Text::IsMissing => "This row is missing",
        Text::Disappeared => "It disappeared while nobody recorded.",
        Text::SinceBeforeTracking => "since before tracking",
        Text::ExistedBefore => "The row existed when tracking began.",
        Text::Before1 => "Before version 1",
        Text::Blame { version, who } => return format!("v{version} {who}").into(),
        Text::Versions(number) => return count(words, *number, "version", "versions").into(),
        Text::OlderNotShown(number) => {
            return format!(
                "{} not shown.",
                count(words, *number, "older version", "older versions")
            )
            .into();
        }
        Text::Day(date) => return date.strftime("%A, %-d %B %Y").to_string().into(),
        // view/row/cell.rs
        Text::AllColumns => "All columns",
        Text::Version => "Version",
        Text::BeforeVersion1 => "before version 1",
        Text::NotRecorded => "not recorded",
        Text::BeforeTracking => "before tracking",
        Text::ValuesOf(column) => return format!("Values of {column}").into(),
        // view/row/compare.rs
        Text::SameStates => "They do not differ.",
        Text::Compare => "Compare",
        Text::With => "with",
        Text::StateNow => "now",
        Text::Compared { from, to } => return format!("{from} compared with {to}").into(),
        // view/row/past.rs
        Text::NoSuchTime => "No such time",
        Text::NoSuchRowThen => "There was no such row.",
        Text::AsItWasAt(zone) => return format!("As it was at ({zone})").into(),
        Text::NoTime(text) => {
            return format!("“{text}” is no time. Write it as 2026-11-23 14:00.").into();
        }
    })
}
