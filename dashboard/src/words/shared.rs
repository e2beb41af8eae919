//! What many rooms say.

use pgtrack_tracker::Operation;

use crate::auth::Role;
use crate::connections::{Environment, TlsMode};

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shared<'a> {
    // The pages.
    Account,
    Activity,
    AuditLog,
    Connections,
    Digests,
    Health,
    Overview,
    Settings,
    Storage,
    Tables,
    Users,
    // Heads of columns and facts.
    Application,
    Changes,
    Client,
    Column,
    Encryption,
    History,
    Name,
    OldestChange,
    Password,
    PrimaryKey,
    Role,
    Table,
    TrackedSince,
    Transaction,
    UserName,
    Value,
    When,
    Who,
    // What can be done.
    Cancel,
    Filter,
    GoBack,
    GoToOverview,
    Remove,
    RestoreRow,
    Save,
    ShowIt,
    UndoTransaction,
    // What is said beside something.
    Any,
    HiddenValue,
    LatestChanges,
    NoPrimaryKey,
    NotCountedYet,
    NotNamed,
    Pages,
    Saved,
    Show,
    ViewingOnly,
    WhatToDo,
    AndMore(i64),
    About(i64),
    TransactionNumber(i64),
    VersionNumber(i32),
    ChangesOf(&'a str),
    // Sizes.
    Bytes(i64),
    Kilobytes(&'a str),
    Megabytes(&'a str),
    Gigabytes(&'a str),
    Terabytes(&'a str),
    // What was done, and who may do it where.
    Done(Operation),
    Operation(Operation),
    RoleOf(Role),
    Environment(Environment),
    Tls(TlsMode),
}
