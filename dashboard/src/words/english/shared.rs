//! What many rooms say.

use std::borrow::Cow;

use pgtrack_tracker::Operation;

use super::count;
use crate::auth::Role;
use crate::connections::{Environment, TlsMode};
use crate::words::{Shared, Words};

pub(in crate::words) fn say(text: &Shared<'_>, words: Words) -> Cow<'static, str> {
    Cow::Borrowed(match text {
        // The pages.
        Shared::Account => "Account",
        Shared::Activity => "Activity",
        Shared::AuditLog => "Audit log of the dashboard",
        Shared::Connections => "Connections",
        Shared::Digests => "Digests",
        Shared::Health => "Health",
        Shared::Overview => "Overview",
        Shared::Settings => "Settings",
        Shared::Storage => "Storage",
        Shared::Tables => "Tables",
        Shared::Users => "Users",
        // Heads of columns and facts.
        Shared::Application => "Application",
        Shared::Changes => "Changes",
        Shared::Client => "Client",
        Shared::Column => "Column",
        Shared::Encryption => "Encryption",
        Shared::History => "History",
        Shared::Name => "Name",
        Shared::OldestChange => "Oldest change",
        Shared::Password => "Password",
        Shared::PrimaryKey => "Primary key",
        Shared::Role => "Role",
        Shared::Table => "Table",
        Shared::TrackedSince => "Tracked since",
        Shared::Transaction => "Transaction",
        Shared::UserName => "User name",
        Shared::Value => "Value",
        Shared::When => "When",
        Shared::Who => "Who",
        // What can be done.
        Shared::Cancel => "Cancel",
        Shared::Filter => "Filter",
        Shared::GoBack => "Go back",
        Shared::GoToOverview => "Go to the overview",
        Shared::Remove => "Remove",
        Shared::RestoreRow => "Restore row…",
        Shared::Save => "Save",
        Shared::ShowIt => "Show",
        Shared::UndoTransaction => "Undo transaction…",
        // What is said beside something.
        Shared::Any => "any",
        Shared::HiddenValue => "(hidden)",
        Shared::LatestChanges => "Latest changes",
        Shared::NoPrimaryKey => "no primary key",
        Shared::NotCountedYet => "not counted yet",
        Shared::NotNamed => "not named",
        Shared::Pages => "Pages",
        Shared::Saved => "Saved.",
        Shared::Show => "Show",
        Shared::ViewingOnly => "viewing only",
        Shared::WhatToDo => "What to do:",
        Shared::AndMore(number) => return format!("and {} more", words.number(*number)).into(),
        Shared::About(number) => return format!("about {}", words.number(*number)).into(),
        Shared::TransactionNumber(xid) => return format!("transaction {xid}").into(),
        Shared::VersionNumber(number) => return format!("version {number}").into(),
        Shared::ChangesOf(table) => return format!("Changes of {table}").into(),
        // Sizes.
        Shared::Bytes(number) => return count(words, *number, "byte", "bytes").into(),
        Shared::Kilobytes(number) => return format!("{number} kB").into(),
        Shared::Megabytes(number) => return format!("{number} MB").into(),
        Shared::Gigabytes(number) => return format!("{number} GB").into(),
        Shared::Terabytes(number) => return format!("{number} TB").into(),
        // What was done, and who may do it where.
        Shared::Done(Operation::Insert) => "inserted",
        Shared::Done(Operation::Update) => "updated",
        Shared::Done(Operation::Delete) => "deleted",
        Shared::Done(Operation::Truncate) => "truncated",
        Shared::Operation(Operation::Insert) => "insert",
        Shared::Operation(Operation::Update) => "update",
        Shared::Operation(Operation::Delete) => "delete",
        Shared::Operation(Operation::Truncate) => "truncate",
        Shared::RoleOf(Role::Viewer) => "viewer",
        Shared::RoleOf(Role::Operator) => "operator",
        Shared::RoleOf(Role::Admin) => "admin",
        Shared::Environment(Environment::None) => "none",
        Shared::Environment(Environment::Development) => "development",
        Shared::Environment(Environment::Staging) => "staging",
        Shared::Environment(Environment::Production) => "production",
        Shared::Tls(TlsMode::VerifyFull) => "encrypted, server verified",
        Shared::Tls(TlsMode::Require) => "encrypted, server not verified",
        Shared::Tls(TlsMode::Disable) => "not encrypted",
    })
}
