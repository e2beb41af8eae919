//! Lists of changes and transactions, their filters and charts, and the pages of one of them.

use std::borrow::Cow;

use pgtrack_tracker::{Operation, Reverts};

use super::count;
use crate::words::activity::Text;
use crate::words::{Shared, Words};

pub(in crate::words) fn say(text: &Text<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // view/overview.rs
        Text::LatestTransactions => "Latest transactions",
        Text::AllActivity => "All activity",
        Text::TrackedTables => "Tracked tables",
        Text::RowsChangedLastDay => "Rows changed, last 24 hours",
        Text::LastChange => "Last change",
        Text::CannotBeFollowed => "Their rows cannot be followed or put back one by one.",
        Text::SeeHealth => "See the health page",
        Text::NothingRecordedYet => "No change has been recorded yet.",
        Text::Keyless(tables) => {
            return count(
                words,
                *tables,
                "tracked table has no primary key.",
                "tracked tables have no primary key.",
            )
            .into();
        }
        // view/overview/rankings.rs
        Text::TablesLastDay => "Tables, last 24 hours",
        Text::PeopleLastDay => "People and programs, last 24 hours",
        Text::WhenHeading => "When",
        Text::RowsByTableAndTime => "Rows changed by table and time",
        Text::RowsOfTableAt { table, at, rows } => {
            return format!("{table}, {at}: {}", count(words, *rows, "row", "rows")).into();
        }
        // view/activity.rs
        Text::UndoAll => "Undo all of these…",
        Text::EarlierChanges => "Earlier changes",
        Text::NewestChanges => "Newest changes",
        Text::ByChange => "Changes",
        Text::ByTransaction => "Transactions",
        Text::UndoSelected => "Undo selected…",
        Text::TickTogether => {
            "Tick what belongs together; it is undone in one step, after a preview."
        }
        Text::OlderChanges => "Older changes",
        Text::SearchStopped => {
            "The search stopped after 100,000 statements, to answer in time. There may be more."
        }
        Text::SearchFurther => "Search further back",
        Text::NoEarlier => "There are no earlier changes.",
        Text::NonePasses => "No change passes this filter.",
        Text::NotAmongLatest => "At least not among the latest ones.",
        Text::TakePartAway => "Take a part of it away:",
        // view/activity/facets.rs
        Text::NarrowDown => "Narrow down",
        Text::FacetTables => "Tables",
        Text::FacetOperations => "Operations",
        Text::FacetPeople => "People and programs",
        // view/activity/filters.rs
        Text::FreezeHelp => "A link that goes on to show this time",
        Text::FreezeTime => "Freeze time",
        Text::Csv => "CSV of statements",
        Text::CsvHelp => {
            "One line for each statement, without values. On the command line, pgtrack export --format csv has one for each row, with them."
        }
        Text::JsonLines => "JSON Lines",
        Text::NewDigest => "Digest…",
        Text::Wording => "Text",
        Text::InStatementOrReason => "in the statement or the reason",
        Text::Operation => "Operation",
        Text::Time => "Time",
        Text::More => "More",
        Text::Until => "Until",
        Text::RowKey => "Row key",
        Text::ThatWasChanged => "that was changed",
        Text::BeforeOrAfter => "before or after",
        Text::RevertsOnly => "Reverts only",
        Text::ActiveFilters => "Active filters",
        Text::ClearAll => "Clear all",
        Text::NameOfView => "Name of this view",
        Text::SaveView => "Save view",
        Text::SavedViews => "Saved views",
        Text::Last15Minutes => "the last 15 minutes",
        Text::LastHour => "the last hour",
        Text::Last24Hours => "the last 24 hours",
        Text::Last7Days => "the last 7 days",
        Text::Last30Days => "the last 30 days",
        Text::AnyTime => "any time",
        Text::Since => "Since",
        Text::Row => "Row",
        Text::RemoveView(name) => return format!("Remove the view {name}").into(),
        Text::SinceMoment(moment) => return format!("since {moment}").into(),
        Text::RemoveChip { label, value } => return format!("Remove {label} {value}").into(),
        // view/chart.rs
        Text::RowChangesOverTime => "Row changes over time",
        Text::BeingCounted => "The changes are being counted.",
        Text::ShowChart => "Show the chart",
        Text::TooManyToCount => {
            "These are too many changes to be counted in time; choose a shorter time."
        }
        Text::Figures => "Numbers",
        Text::From => "From",
        Text::RowChangesBetween { from, to } => {
            return format!("Row changes from {from} to {to}").into();
        }
        Text::Most(rows) => return format!("most: {}", count(words, *rows, "row", "rows")).into(),
        Text::Bar { at, rows } => return bar(words, at, rows).into(),
        // view/feed.rs
        Text::Origin { client, through_proxy, user } => {
            return origin(*client, *through_proxy, *user).into();
        }
        Text::SelectTransaction(xid) => return format!("Select transaction {xid}").into(),
        // view/effect.rs
        Text::UndoOf(reverts) => return undo_of(reverts).into(),
        Text::RowsDone(rows, operation) => {
            return format!("{} {}", words.number(*rows), words.say(Shared::Done(*operation)))
                .into();
        }
        // view/ignored.rs
        Text::AllShown => "All changes are shown.",
        Text::HideIgnored => "Hide those of ignored columns",
        // view/transaction.rs
        Text::FirstStatement => "First statement",
        Text::RowChanges => "Row changes",
        Text::Transaction(xid) => return format!("Transaction {xid}").into(),
        Text::OnlyFirstRows(rows) => {
            return format!(
                "Only the first {} are shown. An undo includes all of them.",
                count(words, *rows, "row", "rows")
            )
            .into();
        }
        // view/statement.rs
        Text::UndoThisChange => "Undo this change…",
        Text::ItsChanges => "its changes",
        Text::Statement => "Statement",
        Text::StatementHidden => {
            "The text of the statement is hidden from your role, as it may hold hidden values."
        }
        Text::Rows => "Rows",
        Text::SelectChange(id) => return format!("Select change {id}").into(),
        Text::Change(id) => return format!("Change {id}").into(),
        Text::ShortTransaction(xid) => return format!("tx {xid}").into(),
        Text::OnlyRows(rows) => {
            return format!(
                "Only {} are shown. An undo includes all of them.",
                count(words, *rows, "row", "rows")
            )
            .into();
        }
    })
}

/// From where: the client's address, whether it came through the proxy, and as whom.
fn origin(client: Option<&str>, through_proxy: bool, user: Option<&str>) -> String {
    let client = client.unwrap_or("local socket");
    let way = if through_proxy { " via proxy" } else { ", direct" };
    match user {
        Some(user) => format!("{client}{way}, as {user}"),
        None => format!("{client}{way}"),
    }
}

/// What a transaction undid. What names more than one thing is in the words of the record.
fn undo_of(reverts: &Reverts) -> String {
    match reverts {
        Reverts::Transaction(xid) => format!("Undo of transaction {xid}"),
        Reverts::ChangeOf(xid) => format!("Undo of a change in transaction {xid}"),
        Reverts::Other(what)
            if ["changes ", "transactions ", "where "].iter().any(|one| what.starts_with(one)) =>
        {
            format!("Undo of {what}")
        }
        Reverts::Other(what) => format!("Revert to {what}"),
    }
}

/// What one bar of a chart counts.
fn bar(words: Words, at: &str, rows: &[(i64, Operation)]) -> String {
    let some = rows.iter().filter(|one| one.0 > 0);
    let parts = some.map(|(rows, operation)| say(&Text::RowsDone(*rows, *operation), words));
    format!("{at}: {}", parts.collect::<Vec<_>>().join(" "))
}
