//! What a revert would do, and whether to do it.

use std::time::Duration;

use pgtrack_tracker::revert::{Action, Target};

use crate::revert::Phase;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    // view/plan.rs
    SameInShell,
    SameInSql,
    StaleTitle,
    StaleHelp,
    ConflictTitle,
    ConflictHelp,
    NoReasonTitle,
    NoReasonHelp,
    NotNamedTitle,
    NoColumnTitle,
    NoColumnHelp,
    NothingChangedTitle,
    NothingChangedHelp,
    ByDifferenceTitle,
    ByDifferenceHelp,
    OverwritingShown,
    ChoiceShown,
    ColumnsInBatchesTitle,
    ColumnsInBatchesHelp,
    OnlyBatchesTitle,
    OnlyBatchesHelp,
    BusyTitle,
    OneAtATime,
    CannotBeDone,
    TriedAndTakenBack,
    OnlyFirst { shown: i64, of: i64 },
    TooMany(i64),
    ChangedSince(i64),
    WhatWouldHappen(&'a str),
    Conflict(&'a str),
    Planned(Action),
    // What it is called, what it would do, and what its button says.
    Title(&'a Target),
    Sentence(&'a Target, Effect<'a>),
    Button(&'a Target, i64),
    // view/plan/batches.rs
    WhatWouldChange,
    RowsByTable,
    What,
    Rows,
    ChangedHead,
    CanBeBatches,
    InBatches(i64),
    InBatchesHelp,
    Takes(Duration),
    TakesInBatches(Duration),
    TakesEither { at_once: Duration, in_batches: Duration },
    LongerThanPage(Duration),
    // view/planning.rs
    Phase(Phase),
    WorkingOut,
    SoFar(Duration),
    PlanInBackground(Duration),
    CancelHelp,
    PlanReady,
    ShowPlan,
    // view/job.rs
    Splitting,
    SplittingHelp,
    NothingDone,
    LoadsAgain(u32),
    RowsDone,
    Stopping,
    UnderWay,
    Done,
    Stopped,
    FailedInBatch(i64),
    Interrupted,
    BatchOf { number: i64, of: i64 },
    BatchesDone { done: i64, of: i64 },
    YouCanLeave,
    Stop,
    StopHelp,
    UndoThis,
    NothingHasBeenChanged,
    BatchesBeforeStay,
    DoneStaysDone,
    MayHaveBeenDone,
    Continue,
    UndoWhatWasDone,
    ToContinue,
    // view/plan/columns.rs
    ColumnsToSetBack,
    WithoutTick,
    ShowAsTicked,
    ShowAsChosen,
    InRows(i64),
    // view/plan/confirm.rs
    CanBeUndone,
    MayOnlyLook,
    RowsThatChanged,
    Skip,
    SkipHelp,
    Merge,
    MergeHelp,
    Delta,
    DeltaHelp,
    Overwrite,
    OverwriteHelp,
    Reason,
    Optional,
    RecordedWithChange,
}

/// What a plan would do, as far as its sentence tells.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Effect<'a> {
    Nothing,
    /// Of rows that changed since, nothing is left to set back.
    Left,
    /// Only these columns would be set back.
    Columns {
        columns: &'a [String],
        rows: i64,
    },
    Rows {
        updated: i64,
        inserted: i64,
        deleted: i64,
    },
}
