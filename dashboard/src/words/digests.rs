//! Digests: what is told elsewhere, when, and how it went.

use crate::digests::{Format, Interval};

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    // view/digests.rs
    Add,
    AboutDigests,
    NoneYet,
    ForExample,
    LatestAttempt,
    Change,
    AllChanges,
    NoAttempt,
    Delivered,
    NotDelivered,
    Paused,
    Edit,
    Resume,
    Pause,
    FormatName(Format),
    Every(Interval),
    EveryDayAt {
        hour: i8,
        zone: &'a str,
    },
    /// Also when nothing was changed.
    AlsoEmpty(&'a str),
    Next(&'a str),
    AfterAttempts(i64),
    GoesOnFrom(&'a str),
    IsTriedAgain(i64),
    // view/digests/form.rs
    EditTitle,
    AddTitle,
    NeedsPublicUrl,
    Address,
    AddressHelp,
    AddressAsItIs(&'a str),
    FormatField,
    FormatHelp(Format),
    Secret,
    SecretHelp,
    AsKept,
    HowOften,
    EveryDay,
    DailyAt,
    TimeZone,
    EmptyField,
    EmptyHelp,
    WhichChanges,
    ChangesHelp,
}
