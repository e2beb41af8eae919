//! The frame of every page, the live feed, times, errors and settings.

use crate::auth::Role;
use crate::preferences::Theme;
use crate::words::Dates;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    // view/layout.rs
    SkipToContent,
    Main,
    ChooseDatabase,
    NoConnection,
    SignOut,
    Theme,
    Breadcrumb,
    ThemeName(Theme),
    YourRole(Role),
    // view/live.rs
    Pause,
    Refresh,
    ShowNewChanges,
    NewerChanges,
    Live,
    Paused,
    Resume,
    Interrupted,
    ManyNewer,
    // view/time.rs
    JustNow,
    // What the script puts on buttons.
    Copy,
    Copied,
    UseZone,
    // view/problem.rs
    GoToStart,
    OnCommandLine,
    ToThePlan,
    Error(u16),
    // view/settings.rs
    KeptInBrowser,
    Language,
    TimeZone,
    AboutZones,
    Numbers,
    Dates,
    Density,
    Comfortable,
    Compact,
    BeforeAndAfter,
    SideBySide,
    OneBelowTheOther,
    Shortcuts,
    On,
    Off,
    SaveSettings,
    ThemeChoice(Theme),
    DateOrder(Dates),
    DateChoice(Dates, &'a str),
    SearchKey,
    NextKeys,
    EnterKey,
    EnterKeyDoes,
    UndoKey,
    UnfoldKey,
    PauseKey,
    PageKeys,
    PageKeysDo,
    FreezeKeys,
    FreezeKeysDo,
    HelpKey,
}
