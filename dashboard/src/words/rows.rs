//! Tables and rows: what they hold, what they held, and what differs.

use jiff::civil::Date;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    // view/value.rs
    NoRow,
    EmptyString,
    Characters(i64),
    FirstCharacters { shown: i64, of: i64 },
    // view/query.rs
    ShowAll,
    ShowLess,
    // view/diff.rs
    Before,
    After,
    Now,
    AfterThis,
    Then,
    ShowIgnored(i64),
    ShowUnchanged(i64),
    MoreDifferences(i64),
    // view/version.rs
    RowWithoutKey,
    WhatChanged,
    HalfKnown,
    // view/tables.rs
    TrackedTables,
    NothingTracked,
    HowToTrack,
    // view/table.rs
    NothingRecorded,
    NoKeyHere,
    ToChangeThat,
    OfThisTable,
    DeletedRows,
    TimeTravel,
    SearchItsChanges,
    ShowChanges(i64),
    // view/deleted.rs
    NothingMissing,
    OnlyLatestDeleted(i64),
    // view/as_of.rs
    ChooseMoment,
    AsOf,
    ComparedWithNow,
    RowsThen,
    RevertTable,
    NothingChangedSince,
    WhatDiffers,
    NoMoreRows,
    MoreRows,
    MomentOrTag(&'a str),
    ChangedSince { rows: i64, is_cut: bool },
    RowsOfAsOf { table: &'a str, point: &'a str },
    // view/row.rs
    LookAtThePast,
    UndoLastChange,
    TheRowNow,
    IsDeleted,
    ItWas,
    IsMissing,
    Disappeared,
    SinceBeforeTracking,
    ExistedBefore,
    Before1,
    Blame { version: i32, who: &'a str },
    Versions(i64),
    OlderNotShown(i64),
    Day(Date),
    // view/row/cell.rs
    AllColumns,
    Version,
    BeforeVersion1,
    NotRecorded,
    BeforeTracking,
    ValuesOf(&'a str),
    // view/row/compare.rs
    SameStates,
    Compare,
    With,
    StateNow,
    Compared { from: &'a str, to: &'a str },
    // view/row/past.rs
    NoSuchTime,
    NoSuchRowThen,
    AsItWasAt(&'a str),
    NoTime(&'a str),
}
