//! Sentences with markup inside.

use maud::{Markup, html};

use super::count;
use crate::words::{Marked, Shared, Words};

pub(in crate::words) fn say(sentence: &Marked<'_>, words: Words) -> Markup {
    let rows = |number: i64| count(words, number, "row", "rows");
    let changes = |number: i64| count(words, number, "change", "changes");
    match sentence {
        Marked::ADay(size) => html! { (size) " a day" },
        Marked::AsOf(point) => html! {
            "As of " strong { (point) } ". This is the past; nothing here can be edited."
        },
        Marked::AuditOfDatabase => html! {
            "This is about the dashboard: who signed in, who may what, and what was asked for here. Who undid, purged or erased \
             something by whatever way stands in the audit log of each database: "
            code { "pgtrack audit" } " on the command line, " code { "SELECT * FROM pgtrack.audit" } " in psql."
        },
        Marked::ChangeARow(table) => html! {
            "Change a row of a tracked table, for example in " code { (table) } ", and it appears here."
        },
        Marked::ChooseFewer => html! {
            "Nothing can be done from here. Choose fewer changes or a shorter time, or run the statement below in psql. On the command line, "
            code { "pgtrack undo" } " shows how many rows of which table it is about, and asks first."
        },
        Marked::ChooseTables(health) => html! {
            "Or choose tables on the " a href=(health) { "health page" } "."
        },
        Marked::CompareWithNow(version) => html! {
            "Compare with now" span.hidden { " version " (version) }
        },
        Marked::ConnectionsOf { name, others } => html! {
            "Connections" span.hidden { " of " (name) }
            @if *others > 0 { " (" (words.number(*others)) " otherwise)" }
        },
        Marked::DeletedBy { when, who, transaction } => html! {
            "Deleted " (when) " by " strong { (who) } ", " (transaction)
        },
        Marked::DigestTo { format, url } => html! { (format) " to " code { (url) } },
        Marked::DeletedRowsAppear(table) => html! {
            "Rows that are deleted from " code { (table) } " appear here and can be restored."
        },
        Marked::DoneIn { transactions, more, when } => html! {
            "Done in " (transactions)
            @if *more > 0 { " and " (words.number(*more)) " more" }
            @if let Some(when) = when { ", " (when) }
        },
        Marked::HowFar { done, of, batches } => html! {
            strong { (words.number(*done)) " of " (rows(*of)) } ", " (batches)
        },
        Marked::JobBegun { who, when, reason } => html! {
            "In batches, by " strong { (who) } ", begun " (when)
            @if let Some(reason) = reason { ", " q { (reason) } }
        },
        Marked::HiddenByRules(number) => html! {
            strong { (words.number(*number)) " hidden by rules" }
            ": nothing but ignored columns differs in them."
        },
        Marked::HistoryOf(column) => html! { "History of " code { (column) } },
        Marked::LatestChange { mark, who, when, transaction, message } => html! {
            "The row's latest change: " (mark) " by " strong { (who) } ", " (when) ", " (transaction)
            @if let Some(message) = message { ", " q { (message) } }
        },
        Marked::MadeBy { when, who, application, transaction } => html! {
            (when) " by " strong { (who) }
            @if let Some(application) = application { " with " (application) }
            ", " (transaction)
        },
        Marked::NothingChanged { from, to, is_filtered, beginning } => html! {
            @if *is_filtered { "No change passes the filter" } @else { "No change is recorded" }
            " between " (from) " and " (to) "."
            @if let Some(beginning) = beginning { " History is recorded since " (beginning) "." }
        },
        Marked::OpenTransaction(xid) => html! {
            span.long { "Transaction " } span.short aria-hidden="true" { "tx " } (xid)
        },
        Marked::PasswordNotKept(role) => html! {
            "The password of " code { (role) } " is not kept. It is used until you sign out."
        },
        Marked::ProductionTypeName(name) => html! {
            "This is production. Type " strong { (name) } " to confirm."
        },
        Marked::RequestId(id) => html! { "Request id " code { (id) } },
        Marked::RestoreState => html! { "Restore this state…" span.hidden { " version 0" } },
        Marked::RestoreVersion(version) => html! {
            "Restore this version…" span.hidden { " version " (version) }
        },
        Marked::RowAt(moment) => html! { "The row at " (moment) },
        Marked::RowsOf { mark, rows: number, table } => html! {
            (mark) " " (rows(*number)) " of " (table)
        },
        Marked::SaveConnectionsOf(name) => html! {
            "Save" span.hidden { " the connections of " (name) }
        },
        Marked::SeeHowFar(job) => html! { a href=(job) { "See how far it is" } "." },
        Marked::SeeTransaction(transaction) => html! { "See " (transaction) " for what changed." },
        Marked::ToTheHistoryOf(name) => html! { "to the history of " strong { (name) } },
        Marked::SendTest(name) => html! { "Send a test" span.hidden { " of " (name) } },
        Marked::TestDelivered { name, status } => html! {
            "The test of " strong { (name) } " was delivered, with status " (status) "."
        },
        Marked::TrackedOnlySince(moment) => html! {
            "That is not known: the table is tracked since " (moment) "."
        },
        Marked::TypeName(name) => html! {
            "Type the name of the connection, " strong { (name) } ", to confirm."
        },
        Marked::WouldRemove(number) => html! {
            "This would remove " strong { (changes(*number)) }
            ". They could then neither be shown nor undone, and this cannot be taken back."
        },
        Marked::YourRoleIs(role) => html! {
            "Your role is " strong { (words.say(Shared::RoleOf(*role))) } "."
        },
    }
}
